"""How busy the machine and single processes are, out of /proc."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from django.db import connection

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def describe() -> str:
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    with connection.cursor() as cursor:
        cursor.execute("SELECT version(), current_setting('fsync'), current_setting('synchronous_commit')")
        version, fsync, synchronous = cursor.fetchone()
    return (
        f"{time.strftime('%Y-%m-%d %H:%M:%S %Z')}; {os.cpu_count()} cores; load average {load}; "
        f"Python {platform.python_version()}; {' '.join(version.split()[:2])}, fsync {fsync}, "
        f"synchronous_commit {synchronous}"
    )


def memory(pid: int) -> int:
    """Bytes that the process has in memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE


def cpu_seconds(pid: int) -> float:
    """Its own, and that of its children that have ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / _TICKS


def database_pids() -> list[int]:
    """Every process of the server, the one that starts the others included."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pid, pid = pg_backend_pid() FROM pg_stat_activity")
        rows = cursor.fetchall()
    first = next(pid for pid, is_ours in rows if is_ours)
    parent = int(Path(f"/proc/{first}/stat").read_text().rpartition(")")[2].split()[1])
    return [parent, *(pid for pid, _ in rows)]


Pids = Sequence[int] | Callable[[], Sequence[int]]


class Busy:
    """Share of one core that each of the named processes took between `start` and `stop`, and that all others took.

    A function for the processes is asked again at the end: some are born in between.
    """

    def start(self, processes: Mapping[str, Pids]) -> None:
        self._processes = dict(processes)
        self._before = {pid: cpu_seconds(pid) for pids in self._processes.values() for pid in _listed(pids)}
        self._all = _machine()
        self._at = time.monotonic()

    def stop(self) -> dict[str, float]:
        took, everything = time.monotonic() - self._at, _machine() - self._all
        shares = {
            name: sum(max(0.0, cpu_seconds(pid) - self._before.get(pid, 0.0)) for pid in _listed(pids)) / took
            for name, pids in self._processes.items()
        }
        shares["everything else"] = max(0.0, everything / took - sum(shares.values()))
        return shares


def _listed(pids: Pids) -> Sequence[int]:
    return pids() if callable(pids) else pids


def said(shares: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {share:.0%}" for name, share in sorted(shares.items(), key=lambda item: -item[1]))


def _machine() -> float:
    """Seconds that all cores together were busy."""
    user, nice, system, _idle, _wait, irq, soft, steal = (
        int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    )
    return (user + nice + system + irq + soft + steal) / _TICKS
