"""The metrics of all processes on one page: each writes files of its own under PROMETHEUS_MULTIPROC_DIR.

prometheus_client names a process by its id alone, but containers that share the folder may each have a process 1: here
it is host and id. A process also holds a lock for as long as it lives, so that what counts the living (open sockets)
is forgotten for those who don't, whatever ended them.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import socket
from pathlib import Path

from django.conf import settings
from prometheus_client import REGISTRY, CollectorRegistry, ProcessCollector, multiprocess, values

_LIVE = re.compile(r"gauge_live[a-z]*_(.+)\.db")


def share() -> None:
    """Let the metrics made from now on be shared, or not, as the settings say."""
    process = _Process(Path(settings.PROMETHEUS_MULTIPROC_DIR)) if settings.PROMETHEUS_MULTIPROC_DIR else None
    # The library asks only whether the variable is there, and would write into the current folder if it is empty.
    values.ValueClass = values.MultiProcessValue(process) if process else values.MutexValue  # type: ignore[no-untyped-call]


def registry() -> CollectorRegistry:
    """What `/metrics` shows: everybody's metrics, and the processor time and memory of the process that answers."""
    if not settings.PROMETHEUS_MULTIPROC_DIR:
        return REGISTRY
    folder = Path(settings.PROMETHEUS_MULTIPROC_DIR)
    _forget_the_dead(folder)
    everybody = CollectorRegistry()
    multiprocess.MultiProcessCollector(everybody, path=str(folder))  # type: ignore[no-untyped-call]
    ProcessCollector(registry=everybody)
    return everybody


class _Process:
    """Called, the name of the process that calls; from its first call, or the one after a fork, it is known to live."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._host = re.sub(r"[^A-Za-z0-9.-]", "-", socket.gethostname())
        self._pid, self._lock = 0, -1

    def __call__(self) -> str:
        pid = os.getpid()
        name = f"{self._host}-{pid}"
        if pid != self._pid:
            self._live(name)
            self._pid = pid
        return name

    def _live(self, name: str) -> None:
        if self._lock != -1:
            os.close(self._lock)  # the parent's, which has to end with the parent
        self._lock = _open_lock(self._folder, name)
        fcntl.flock(self._lock, fcntl.LOCK_SH)
        _mark_dead(name, self._folder)  # another's, who had our number


def _forget_the_dead(folder: Path) -> None:
    names = {found[1] for path in folder.glob("gauge_live*.db") if (found := _LIVE.fullmatch(path.name))}
    for name in names:
        lock = _open_lock(folder, name)
        try:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                with contextlib.suppress(FileNotFoundError):  # somebody else, asked at the same time, was faster
                    _mark_dead(name, folder)
        finally:
            os.close(lock)


def _mark_dead(name: str, folder: Path) -> None:
    multiprocess.mark_process_dead(name, str(folder))  # type: ignore[no-untyped-call]


def _open_lock(folder: Path, name: str) -> int:
    return os.open(folder / f"{name}.lock", os.O_RDONLY | os.O_CREAT, 0o644)
