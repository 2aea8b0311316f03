"""Signals, sent as a service sends them."""

from __future__ import annotations

from typing import Any

from django.dispatch import Signal

from config.lib.unit_of_work import unit_of_work


def send(signal: Signal, **arguments: Any) -> None:
    """Send a signal inside a unit of work of its own."""
    with unit_of_work():
        signal.send(**arguments)
