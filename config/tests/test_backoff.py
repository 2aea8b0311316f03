"""How long the next try waits."""

from __future__ import annotations

from config.lib.backoff import Backoff


def test_each_failure_doubles_the_wait_up_to_the_longest() -> None:
    backoff = Backoff(base=2, longest=60)
    assert [backoff.after(failures) for failures in (0, 1, 2, 3, 4, 5, 6, 5_000)] == [2, 2, 4, 8, 16, 32, 60, 60]


def test_what_is_open_for_longer_waits_longer_within_both_ends() -> None:
    backoff = Backoff(base=5, longest=300)
    assert [backoff.at_age(seconds, share=1 / 2) for seconds in (0, 10, 40, 4_000)] == [5, 5, 20, 300]


def test_jitter_spreads_the_wait_evenly_around_it() -> None:
    backoff = Backoff(base=100, longest=100, jitter=0.2)
    waits = [backoff.after(1) for _ in range(500)]
    assert (80 <= min(waits) < 90, 110 < max(waits) <= 120) == (True, True)
