"""The account that PostgreSQL runs as when root starts it, and what that account can reach.

PostgreSQL refuses to run as root. Its programs ask access(2) about themselves, which counts no capability of a process
that has left root, unless the securebit `no_setuid_fixup` is set.
"""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from dev.stack import StackError

_CAP_SETPCAP = 1 << 8
_CAP_DAC_READ_SEARCH = 1 << 2
_NO_CAPABILITY = ("--inh-caps=-all", "--ambient-caps=-all")
# The one right kept: to read and to pass through what is private to root. Every other is taken away for good.
_READ_ONLY_CAPABILITY = (
    "--securebits=+no_setuid_fixup",
    "--inh-caps=-all,+dac_read_search",
    "--ambient-caps=+dac_read_search",
    "--bounding-set=-all,+dac_read_search",
)


@dataclass(frozen=True)
class Account:
    uid: int
    gid: int
    name: str
    setpriv: str

    @classmethod
    def current(cls) -> "Account | None":
        """Return the account to change to, or None if this process isn't root."""
        if os.getuid() != 0:
            return None
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            raise StackError(
                "PostgreSQL refuses to run as root, and `setpriv` (util-linux) is not here to change the user. "
                "Start as an ordinary user, or set DATABASE_URL."
            )
        for name in ("postgres", "nobody"):
            with contextlib.suppress(KeyError):
                user = pwd.getpwnam(name)
                return cls(user.pw_uid, user.pw_gid, name, setpriv)
        raise StackError(
            "PostgreSQL refuses to run as root, and there is no user `postgres` or `nobody`. Set DATABASE_URL instead."
        )

    def command(self, *, with_capability: bool, death_signal: signal.Signals) -> list[str]:
        """Return the prefix of a command that runs as this account."""
        # Changing the user clears the parent-death signal, so setpriv asks for it again afterwards.
        return [
            self.setpriv,
            *(f"--reuid={self.uid}", f"--regid={self.gid}", "--clear-groups"),
            *(_READ_ONLY_CAPABILITY if with_capability else _NO_CAPABILITY),
            f"--pdeathsig={death_signal.name.removeprefix('SIG')}",
            "--",
        ]

    def check(self) -> None:
        """Raise StackError if the kernel doesn't allow the change to this account."""
        tried = self._run("true", with_capability=False)
        if tried.returncode != 0:
            said = tried.stderr.decode(errors="replace").strip()
            raise StackError(
                f"PostgreSQL refuses to run as root, and this root may not become `{self.name}` ({said}). "
                f"Start as an ordinary user, or set DATABASE_URL."
            )

    def can_execute(self, program: Path, *, with_capability: bool = False) -> bool:
        return self._run("test", "-x", str(program), with_capability=with_capability).returncode == 0

    def can_reach(self, folder: Path, *, with_capability: bool = False) -> bool:
        """Return whether the account can pass through `folder`, or through the nearest existing folder above it."""
        while not folder.exists():
            folder = folder.parent
        return self._run("test", "-x", f"{folder}/.", with_capability=with_capability).returncode == 0

    def give(self, folder: Path) -> None:
        os.chown(folder, self.uid, self.gid)

    def _run(self, *argv: str, with_capability: bool) -> "subprocess.CompletedProcess[bytes]":
        command = self.command(with_capability=with_capability, death_signal=signal.SIGKILL)
        return subprocess.run([*command, *argv], cwd="/", capture_output=True, check=False, timeout=30)


def capability_is_ours_to_give() -> bool:
    """Return whether this process holds the capability and may hand it on (a container's root often hasn't it)."""
    wanted = _CAP_DAC_READ_SEARCH | _CAP_SETPCAP
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("CapPrm:"):
                return int(line.split()[1], 16) & wanted == wanted
    return False


def user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
