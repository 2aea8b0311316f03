"""Connections that died with a restart of the database: what it costs those who come next."""

from __future__ import annotations

import threading
from typing import Any

import psycopg
import psycopg_pool.pool
import pytest
from django.db import connection

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.races]
IDLE = 12


def backend(meeting: threading.Barrier | None = None) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        if meeting:
            meeting.wait(30)
        return int(cursor.fetchone()[0])


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """For how long the pool would have slept between its tries."""
    slept: list[float] = []
    monkeypatch.setattr(psycopg_pool.pool, "sleep", slept.append)
    return slept


@pytest.fixture
def restarted(in_threads: Any) -> set[int]:
    """Connections that lie in the pool and are dead."""
    meeting = threading.Barrier(IDLE)
    pids = set(in_threads(lambda: backend(meeting), times=IDLE))
    assert len(pids) == IDLE
    with psycopg.connect(**connection.get_connection_params(), autocommit=True) as other:
        cut = other.execute("SELECT pg_terminate_backend(pid, 10000) FROM unnest(%s) AS pid", [list(pids)]).fetchall()
    assert cut == [(True,)] * IDLE
    return pids


def test_the_first_after_a_restart_waits_for_no_more_than_a_new_connection(
    restarted: set[int], naps: list[float], in_threads: Any
) -> None:
    (pid,) = in_threads(backend, times=1)
    assert pid not in restarted
    assert sum(naps) == 0


def test_many_at_once_after_a_restart_all_get_one(restarted: set[int], naps: list[float], in_threads: Any) -> None:
    meeting = threading.Barrier(IDLE)
    pids = in_threads(lambda: backend(meeting), times=IDLE)
    assert set(pids).isdisjoint(restarted)
    assert len(set(pids)) == IDLE
    assert sum(naps) < 2 * IDLE, "each of them looked twice at most"


def test_a_living_connection_is_lent_without_a_round_trip(monkeypatch: pytest.MonkeyPatch, in_threads: Any) -> None:
    asked: list[object] = []
    monkeypatch.setattr(psycopg_pool.ConnectionPool, "check_connection", staticmethod(asked.append))
    for _ in range(3):
        in_threads(backend, times=1)
    assert asked == []
