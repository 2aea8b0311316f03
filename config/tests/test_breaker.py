"""The breaker's rules, the same in Redis and alone."""

import socket
import time
from itertools import count

import pytest
from prometheus_client import REGISTRY

from config.lib import breaker as module
from config.lib.breaker import Breaker, Open, breaker

DEAD = "redis://127.0.0.1:1/0"
_names = count(1)


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


class Outage(Exception):
    pass


def is_outage(error: BaseException) -> bool:
    return isinstance(error, Outage)


def fail() -> None:
    raise Outage


@pytest.fixture(autouse=True)
def _five_failures_a_minute(settings):
    settings.BREAKER_FAILURES = 5
    settings.BREAKER_RESET_SECONDS = 60
    settings.PROVIDER_TIMEOUT_SECONDS = 10


@pytest.fixture(params=["shared", "alone"])
def made(request, settings):
    """Two makers of one breaker: `shared` are two processes with one Redis, `alone` is one without."""
    if request.param == "alone":
        settings.REDIS_URL = DEAD
    name, clock = f"test-{next(_names)}", Clock()
    return Breaker(name, counts=is_outage, clock=clock), clock


def break_it(guard: Breaker, times: int = 5) -> None:
    for _ in range(times):
        with pytest.raises(Outage):
            guard.call(fail)


def refused_for(guard: Breaker) -> float:
    with pytest.raises(Open) as refused:
        guard.check()
    return refused.value.retry_after


def test_four_failures_leave_it_closed(made):
    guard, _ = made
    break_it(guard, 4)
    guard.check()
    assert (guard.state().state, guard.state().failures) == ("closed", 4)


def test_five_failures_in_a_row_open_it(made):
    guard, clock = made
    break_it(guard)
    clock.now += 20
    assert refused_for(guard) == pytest.approx(40, abs=0.01)
    assert guard.state().state == "open"


def test_an_answer_between_starts_the_count_anew(made):
    guard, _ = made
    break_it(guard, 4)
    guard.call(lambda: None)
    break_it(guard, 4)
    guard.check()


def test_an_error_that_is_an_answer_counts_as_one(made):
    guard, _ = made
    break_it(guard, 4)
    with pytest.raises(KeyError):
        guard.call(lambda: {}["no such number"])
    assert guard.state().failures == 0


def test_an_open_breaker_refuses_by_check_alone(made):
    guard, _ = made
    break_it(guard)
    assert guard.call(lambda: "recovered") == "recovered"


def test_after_the_pause_one_trial_goes_through_and_others_wait_for_it(made):
    guard, clock = made
    break_it(guard)
    clock.now += 60
    assert guard.state().state == "half_open"
    guard.check()
    assert refused_for(guard) == pytest.approx(15, abs=0.01)


def test_a_good_trial_closes_it(made):
    guard, clock = made
    break_it(guard)
    clock.now += 60
    guard.check()
    guard.call(lambda: None)
    guard.check()
    guard.check()
    assert guard.state().state == "closed"


def test_a_bad_trial_opens_it_for_another_pause(made):
    guard, clock = made
    break_it(guard)
    clock.now += 60
    guard.check()
    break_it(guard, 1)
    assert refused_for(guard) == pytest.approx(60, abs=0.01)


def test_failures_of_calls_begun_before_do_not_lengthen_the_pause(made):
    guard, clock = made
    break_it(guard)
    clock.now += 30
    break_it(guard, 3)
    assert refused_for(guard) == pytest.approx(30, abs=0.01)


def test_a_trial_that_is_given_up_lets_the_next_one_through(made):
    guard, clock = made
    break_it(guard)
    clock.now += 60
    guard.check()
    guard.release()
    guard.check()


def test_a_trial_that_never_comes_back_does_not_block_for_ever(made):
    guard, clock = made
    break_it(guard)
    clock.now += 60
    guard.check()
    clock.now += 15
    guard.check()


def test_an_interrupted_call_says_nothing_about_the_other_side(made):
    guard, _ = made
    break_it(guard, 4)

    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        guard.call(interrupt)
    assert guard.state().failures == 4


def test_processes_share_it():
    clock = Clock()
    one, other = (Breaker("test-two-processes", counts=is_outage, clock=clock) for _ in range(2))
    break_it(one, 3)
    break_it(other, 2)
    assert refused_for(one) == refused_for(other) == pytest.approx(60, abs=0.01)
    assert other.state().shared


def test_of_two_processes_one_gets_the_trial():
    clock = Clock()
    one, other = (Breaker("test-one-trial", counts=is_outage, clock=clock) for _ in range(2))
    break_it(one)
    clock.now += 60
    other.check()
    refused_for(one)


@pytest.mark.races
def test_of_twenty_threads_one_gets_the_trial(in_threads):
    clock = Clock()
    guard = Breaker("test-threads", counts=is_outage, clock=clock)
    break_it(guard)
    clock.now += 60
    answers = in_threads(guard.check, times=20)
    assert sorted(type(answer).__name__ for answer in answers) == ["NoneType"] + ["Open"] * 19


@pytest.mark.races
def test_calls_go_on_beside_each_other(in_threads):
    """A breaker must not make calls stand in line: each of these waits for the other."""
    import threading

    together = threading.Barrier(2, timeout=30)
    guard = Breaker("test-beside", counts=is_outage)
    assert in_threads(lambda: guard.call(lambda: together.wait() is not None), times=2) == [True, True]


def test_without_redis_it_costs_one_short_wait_and_then_nothing(settings):
    with socket.create_server(("127.0.0.1", 0)) as mute:  # lets everybody in and answers nothing
        settings.REDIS_URL = f"redis://127.0.0.1:{mute.getsockname()[1]}/0"
        guard = Breaker("test-slow", counts=is_outage)
        begun = time.monotonic()
        for _ in range(50):
            guard.check()
        took = time.monotonic() - begun
    assert 2 * module._REDIS_SECONDS < 0.25
    assert module._REDIS_SECONDS / 2 < took < 25 * module._REDIS_SECONDS, "fifty of them wait once"
    assert not guard.state().shared


def test_what_redis_said_last_holds_when_it_goes(settings, monkeypatch):
    guard = Breaker("test-remembered", counts=is_outage, clock=Clock())
    break_it(guard)
    settings.REDIS_URL = DEAD
    assert refused_for(guard) == pytest.approx(60, abs=0.01)


def test_when_redis_is_back_its_state_holds(settings, monkeypatch):
    clock = Clock()
    guard, other = (Breaker("test-back", counts=is_outage, clock=clock) for _ in range(2))
    url, settings.REDIS_URL = settings.REDIS_URL, DEAD
    break_it(guard)
    refused_for(guard)
    settings.REDIS_URL = url
    monkeypatch.setattr(module, "_redis_down_until", 0.0)
    guard.check()
    other.check()


def test_a_closed_breaker_leaves_nothing_in_redis(redis_server):
    guard = Breaker("test-clean", counts=is_outage)
    guard.check()
    guard.call(lambda: None)
    break_it(guard, 1)
    guard.call(lambda: None)
    assert not redis_server.keys("*breaker:test-clean*")


def test_the_state_is_a_metric():
    guard = Breaker("test-metric", counts=is_outage, clock=Clock())
    break_it(guard)
    assert REGISTRY.get_sample_value("breaker_state", {"breaker": "test-metric"}) == 2


def test_there_is_one_of_a_name_in_a_process():
    assert breaker("test-one", counts=is_outage) is breaker("test-one", counts=is_outage)
