"""A transaction that collects what happened in it and passes it on in one go.

    with unit_of_work():
        ...                                 # change rows
        before_commit(write_events, event)  # write_events([event, ...]) runs once, just before the outermost commit
        after_commit(send_hints, hint)      # send_hints([hint, ...]) runs once, after it

However many items a handler is given, it runs once with all of them, in the order of happening: one statement, or one
round trip. Units nest as atomic() does: an inner one joins the outer one, and takes along what it collected when it
rolls back to its savepoint. A plain atomic() inside a unit can't do that, so the apps open every transaction with this.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from django.db import transaction

T = TypeVar("T")
_Handler = Callable[[Sequence[Any]], object]
_Items = list[tuple[_Handler, Any]]


class NotInUnitOfWork(RuntimeError):
    """Something was to be written before the commit of a transaction that is no unit of work: a mistake in the code."""


class _Unit:
    def __init__(self) -> None:
        self.before: _Items = []
        self.after: _Items = []


_thread = threading.local()  # as Django's connections are


@contextmanager
def unit_of_work(*, durable: bool = False) -> Iterator[None]:
    """Open a transaction, or a savepoint inside the unit that is open. Use it as a block or as a decorator.

    `durable` refuses to be nested, as in atomic().
    """
    outer = _current()
    if outer is not None:
        with _joining(outer, durable=durable):
            yield
        return
    with transaction.atomic(durable=durable):
        unit = _thread.unit = _Unit()
        try:
            yield
            if not transaction.get_rollback():
                _write(unit)
        finally:
            _thread.unit = None
        for send, items in _by_handler(unit.after):
            _on_commit(send, items)


@contextmanager
def _joining(unit: _Unit, *, durable: bool) -> Iterator[None]:
    """Open a savepoint. If it is rolled back, forget what was collected since."""
    before, after = len(unit.before), len(unit.after)
    kept = False
    try:
        with transaction.atomic(durable=durable):
            yield
            kept = not transaction.get_rollback()
    except BaseException:
        kept = False
        raise
    finally:
        if not kept:
            del unit.before[before:], unit.after[after:]


def before_commit(write: Callable[[Sequence[T]], object], item: T) -> None:
    """Have `write` called with this item and all others given for it, just before the outermost unit commits.

    What `write` raises rolls the transaction back. Raises NotInUnitOfWork where no unit is open.
    """
    unit = _current()
    if unit is None:
        raise NotInUnitOfWork("Open unit_of_work() around the change and what is recorded about it.")
    unit.before.append((write, item))


def after_commit(send: Callable[[Sequence[T]], object], item: T) -> None:
    """Have `send` called with this item and all others given for it, after the outermost unit has committed.

    What `send` raises is logged and undoes nothing. Without a unit it is called with this item alone, after the commit.
    """
    unit = _current()
    if unit is None:
        _on_commit(send, [item])
    else:
        unit.after.append((send, item))


def _on_commit(send: _Handler, items: list[Any]) -> None:
    transaction.on_commit(lambda: send(items), robust=True)


def _current() -> _Unit | None:
    return getattr(_thread, "unit", None)


def _write(unit: _Unit) -> None:
    """Run the handlers of `before`. They may collect more, also for handlers that have run already."""
    while unit.before:
        write, items = _by_handler(unit.before)[0]
        unit.before = [(handler, item) for handler, item in unit.before if handler != write]
        write(items)


def _by_handler(items: Sequence[tuple[_Handler, Any]]) -> list[tuple[_Handler, list[Any]]]:
    """Group by handler, in the order in which each was first given something."""
    groups: dict[_Handler, list[Any]] = {}
    for handler, item in items:
        groups.setdefault(handler, []).append(item)
    return list(groups.items())
