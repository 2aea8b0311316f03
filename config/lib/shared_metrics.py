"""The metrics of all processes on one page: each writes files of its own under PROMETHEUS_MULTIPROC_DIR.

prometheus_client names a process by its id alone, but containers that share the folder may each have a process 1: here
it is host and id. A process also holds a lock for as long as it lives, so that what counts the living (open sockets)
is forgotten for those who don't, whatever ended them.

prometheus_client maps its files into memory, and a process that writes to a mapped page for which the disk has no block
left is killed by SIGBUS. Here the files are written instead: on a full disk the page falls behind, and nothing else.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import re
import socket
import sys
from pathlib import Path
from typing import Any, SupportsIndex

from django.conf import settings
from prometheus_client import REGISTRY, CollectorRegistry, ProcessCollector, multiprocess, values
from prometheus_client.mmap_dict import MmapedDict

logger = logging.getLogger(__name__)

_HEADER = 8  # how much is used, and padding
_CAPACITY = 1 << 16  # as the library's
_LIVE = re.compile(r"gauge_live[a-z]*_(.+)\.db")


def share() -> None:
    """Let the metrics made from now on be shared, or not, as the settings say."""
    process = _Process(Path(settings.PROMETHEUS_MULTIPROC_DIR)) if settings.PROMETHEUS_MULTIPROC_DIR else None
    values.MmapedDict = multiprocess.MmapedDict = FileDict  # type: ignore[misc]
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


class FileDict(MmapedDict):
    """The library's file of values, written with pwrite(2) instead of being mapped."""

    def __init__(self, filename: str, read_mode: bool = False) -> None:
        self._fname = filename
        self._values = _Values(filename)
        self._f = self._m = self._values  # type: ignore[assignment]
        self._capacity = len(self._values)
        self._positions: dict[str, int] = {}
        self._used = self._values.used
        for key, _, _, position in self._read_all_values():  # type: ignore[no-untyped-call]
            self._positions[key] = position

    @staticmethod
    def read_all_values_from_file(filename: str) -> Any:
        if Path(filename).stat().st_size < _HEADER:
            return iter(())  # there was room for its name alone
        return MmapedDict.read_all_values_from_file(filename)  # type: ignore[no-untyped-call]

    def _init_value(self, key: str) -> None:
        # The library would map the file anew where it gets too small.
        while self._used + len(key.encode()) + 32 > self._capacity:
            self._values.extend(bytes(self._capacity))
            self._capacity = len(self._values)
        super()._init_value(key)  # type: ignore[no-untyped-call]


class _Values(bytearray):
    """What one file holds, kept in memory too; what could not be written is caught up with at the next write."""

    def __init__(self, filename: str) -> None:
        super().__init__(_CAPACITY)
        self._filename = filename
        self._descriptor = -1
        self._is_behind = False
        with contextlib.suppress(OSError):
            there = Path(filename).read_bytes()  # of a process before us that had our name
            if int.from_bytes(there[0:4], sys.byteorder) <= len(there):
                super().__setitem__(slice(0, len(there)), there)
        self[0:4] = max(self.used, _HEADER).to_bytes(4, sys.byteorder)

    @property
    def used(self) -> int:
        return int.from_bytes(self[0:4], sys.byteorder)

    def __setitem__(self, where: SupportsIndex | slice, value: Any) -> None:
        super().__setitem__(where, value)
        assert isinstance(where, slice)  # noqa: S101  the library writes no single byte
        try:
            if self._is_behind or self._descriptor == -1:
                self._write(_HEADER, self[_HEADER : self.used])
                self._write(0, self[0:_HEADER])
            else:
                self._write(where.start, value)
        except OSError as error:
            if not self._is_behind:
                logger.warning(
                    "metrics_behind: %s can't be written, and is as soon as it can: %s", self._filename, error
                )
            self._is_behind = True
        else:
            self._is_behind = False

    def _write(self, position: int, value: bytes | bytearray) -> None:
        if self._descriptor == -1:
            self._descriptor = os.open(self._filename, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        if os.pwrite(self._descriptor, value, position) < len(value):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def close(self) -> None:
        if self._descriptor != -1:
            os.close(self._descriptor)
            self._descriptor = -1


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
            self._lock = -1
        try:
            self._lock = _open_lock(self._folder, name)
            fcntl.flock(self._lock, fcntl.LOCK_SH)
            _mark_dead(name, self._folder)  # another's, who had our number
        except OSError as error:
            logger.warning("metrics_not_shared: this process could not be announced in the folder: %s", error)


def _forget_the_dead(folder: Path) -> None:
    names = {found[1] for path in folder.glob("gauge_live*.db") if (found := _LIVE.fullmatch(path.name))}
    for name in names:
        try:
            lock = _open_lock(folder, name)
        except OSError:
            continue  # no room for the file of a lock: who lives can't be told
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
