"""The metrics of all processes on one page: each process writes files of its own under PROMETHEUS_MULTIPROC_DIR.

prometheus_client names a process by its id alone, but containers that share the folder may each have a process 1: here
the name is host and id. A process also holds a lock for as long as it lives, so that what counts the living (open
sockets) is forgotten for those that ended, whatever ended them.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import re
import socket
from pathlib import Path

from django.conf import settings
from prometheus_client import REGISTRY, CollectorRegistry, ProcessCollector, multiprocess, values

from config.lib.metrics.file_values import FileValues

logger = logging.getLogger(__name__)

_LIVE = re.compile(r"gauge_live[a-z]*_(.+)\.db")


def share_between_processes() -> None:
    """Let the metrics made from now on be shared, or not, as the settings say."""
    process = _ProcessName(Path(settings.PROMETHEUS_MULTIPROC_DIR)) if settings.PROMETHEUS_MULTIPROC_DIR else None
    values.MmapedDict = multiprocess.MmapedDict = FileValues  # type: ignore[misc]
    # The library asks only whether the variable is there, and would write into the current folder if it is empty.
    values.ValueClass = values.MultiProcessValue(process) if process else values.MutexValue  # type: ignore[no-untyped-call]


def registry() -> CollectorRegistry:
    """Return what `/metrics` shows: the metrics of all processes, and processor time and memory of this one."""
    if not settings.PROMETHEUS_MULTIPROC_DIR:
        return REGISTRY
    folder = Path(settings.PROMETHEUS_MULTIPROC_DIR)
    _forget_ended_processes(folder)
    combined = CollectorRegistry()
    multiprocess.MultiProcessCollector(combined, path=str(folder))  # type: ignore[no-untyped-call]
    ProcessCollector(registry=combined)
    return combined


class _ProcessName:
    """Returns, when called, the name of the calling process, which from then on holds its lock."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._host = re.sub(r"[^A-Za-z0-9.-]", "-", socket.gethostname())
        self._pid, self._lock = 0, -1

    def __call__(self) -> str:
        pid = os.getpid()
        name = f"{self._host}-{pid}"
        if pid == self._pid:
            return name
        if self._lock != -1:
            os.close(self._lock)  # the parent's, which has to end with the parent
            self._lock = -1
        try:
            self._lock = _open_lock(self._folder, name)
            fcntl.flock(self._lock, fcntl.LOCK_SH)
            _mark_dead(name, self._folder)  # another process that had our number
        except OSError as error:
            logger.warning("metrics_not_shared: this process could not be announced in the folder: %s", error)
        self._pid = pid
        return name


def _forget_ended_processes(folder: Path) -> None:
    names = {found[1] for path in folder.glob("gauge_live*.db") if (found := _LIVE.fullmatch(path.name))}
    for name in names:
        try:
            lock = _open_lock(folder, name)
        except OSError:
            continue  # no room for the file of a lock: whether the process lives is unknown
        try:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                with contextlib.suppress(FileNotFoundError):  # another process did it at the same time
                    _mark_dead(name, folder)
        finally:
            os.close(lock)


def _mark_dead(name: str, folder: Path) -> None:
    multiprocess.mark_process_dead(name, str(folder))  # type: ignore[no-untyped-call]


def _open_lock(folder: Path, name: str) -> int:
    return os.open(folder / f"{name}.lock", os.O_RDONLY | os.O_CREAT, 0o644)
