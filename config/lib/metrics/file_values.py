"""The files in which prometheus_client keeps the values of one process, written instead of being mapped into memory.

A process that writes to a mapped page for which the disk has no block left is killed by SIGBUS. Here the files are
written with pwrite(2): on a full disk the metrics page falls behind, and nothing else happens.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import sys
from pathlib import Path
from typing import Any, SupportsIndex

from prometheus_client.mmap_dict import MmapedDict

logger = logging.getLogger(__name__)

_HEADER = 8  # how much is used, and padding
_CAPACITY = 1 << 16  # as the library's


class FileValues(MmapedDict):
    """Replaces the library's MmapedDict."""

    def __init__(self, filename: str, read_mode: bool = False) -> None:
        self._fname = filename
        self._values = _File(filename)
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


class _File(bytearray):
    """The content of one file, kept in memory too. What could not be written is written with the next write."""

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
