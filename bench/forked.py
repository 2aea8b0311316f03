"""Work in forked processes: a set-up Django each, without the two seconds that starting it takes."""

from __future__ import annotations

import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, Generic, TypeVar

from django.db import connections

from bench.progress import STILL_SECONDS
from config.lib.process import die_with_parent

T = TypeVar("T")
_fork = multiprocessing.get_context("fork")


def close_database() -> None:
    """No connection and no pool may be shared with a child."""
    for connection in connections.all(initialized_only=True):
        connection.close()
        connection.close_pool()  # type: ignore[attr-defined]


class Forked(Generic[T]):
    """`work(number)` in a process of its own; `result()` is what it returned."""

    def __init__(self, work: Callable[[int], T], number: int = 0) -> None:
        close_database()
        self._ours, theirs = _fork.Pipe(duplex=False)
        self.process = _fork.Process(target=_child, args=(work, number, theirs), daemon=True)
        self.process.start()
        theirs.close()
        self.pid: int = self.process.pid or 0

    def result(self, seconds: float = STILL_SECONDS) -> T:
        try:
            if not self._ours.poll(seconds):
                raise TimeoutError(f"A child did not end within {seconds:g} s.")
            fine, answer = self._ours.recv()
        except EOFError:
            fine, answer = False, "A child ended without an answer."
        finally:
            self.end()
        if not fine:
            raise RuntimeError(answer)
        return answer

    def end(self) -> None:
        self.process.join(5)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


def _child(work: Callable[[int], Any], number: int, answers: Connection) -> None:
    die_with_parent(signal.SIGKILL)
    try:
        answers.send((True, work(number)))
    except BaseException:  # noqa: BLE001  the parent raises it
        answers.send((False, traceback.format_exc()))
    finally:
        answers.close()
        os._exit(0)


def in_forks(work: Callable[[int], T], count: int, seconds: float = STILL_SECONDS) -> list[T]:
    """What `work(0)` … `work(count - 1)` return, all at once."""
    children = [Forked(work, number) for number in range(count)]
    return [child.result(seconds) for child in children]
