"""Start processes that end with the process that started them."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from config.lib.process import die_with_parent


def spawn(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | str | None = None,
    stdin: bytes | None = None,
    output: int | IO[Any] | None = None,
    death_signal: signal.Signals = signal.SIGKILL,
) -> subprocess.Popen[bytes]:
    """Start `argv` in a session of its own, to be ended by the kernel when this process dies, however it dies.

    Call from the main thread: the kernel watches the thread, not the process.
    `output` (a file, PIPE, DEVNULL) takes what it prints, errors too; by default it prints where we do.
    `stdin` is written and closed at once; without it the child reads from /dev/null.
    """
    process = subprocess.Popen(
        list(argv),
        env=dict(env) if env is not None else None,
        cwd=cwd,
        stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
        stdout=output,
        stderr=None if output is None else subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=_before_exec(death_signal, os.getpid()),  # noqa: PLW1509  two system calls, no lock
    )
    if stdin is not None:
        assert process.stdin is not None  # noqa: S101  PIPE was asked for above
        process.stdin.write(stdin)
        process.stdin.close()
        process.stdin = None
    return process


def _before_exec(death_signal: signal.Signals, parent: int) -> Callable[[], None]:
    def prepare() -> None:
        die_with_parent(death_signal)
        if os.getppid() != parent:
            os._exit(1)  # the parent died between the fork and the request above

    return prepare


def kill_group(process: subprocess.Popen[bytes], kill_signal: signal.Signals = signal.SIGKILL) -> None:
    """Signal the process and all processes of its session."""
    try:
        os.killpg(process.pid, kill_signal)
    except ProcessLookupError:
        pass


def short_pause() -> None:
    time.sleep(0.05)


def free_port() -> int:
    """Return a TCP port on the loopback that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def port_is_taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False
