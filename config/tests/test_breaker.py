"""The breaker's rules, the same in Redis and alone."""

import socket
import time
from itertools import count

import pytest
from prometheus_client import REGISTRY

from config.lib.remote import breaker as module
from config.lib.remote import breaker_state
from config.lib.remote.breaker import Breaker, Open, breaker

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
    assert 2 * breaker_state.REDIS_SECONDS < 0.25
    assert breaker_state.REDIS_SECONDS / 2 < took < 25 * breaker_state.REDIS_SECONDS, "fifty of them wait once"
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
    breaker_state.redis_guard.is_down = False
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
    guard = Breaker("test-metric:purchase", counts=is_outage, clock=Clock())
    break_it(guard)
    assert gauge("test-metric") == 2


def gauge(vendor: str, operation: str = "purchase", service: str = "") -> float | None:
    labels = {"vendor": vendor, "operation": operation, "service": service}
    return REGISTRY.get_sample_value("breaker_state", labels)


def test_there_is_one_of_a_name_in_a_process():
    assert breaker("test-one", counts=is_outage) is breaker("test-one", counts=is_outage)


# --- parts of a whole, and subjects


@pytest.fixture
def services(made):
    """`service("a")` is the breaker of one service; `service.whole` the vendor's, which three of them must fail for."""
    _, clock = made
    name = f"test-{next(_names)}:purchase"
    whole = Breaker(name, counts=is_outage, clock=clock, subjects=3)
    parts: dict[str, Breaker] = {}

    def service(part: str) -> Breaker:
        made = Breaker(f"{name}:{part}", counts=is_outage, clock=clock, whole=whole)
        return parts.setdefault(part, made)

    service.whole, service.clock = whole, clock  # type: ignore[attr-defined]
    return service


def test_a_sick_service_is_refused_alone(services):
    break_it(services("sick"), 20)
    assert refused_for(services("sick")) == pytest.approx(60, abs=0.01)
    services("well").check()
    assert [services(name).state().state for name in ("sick", "well")] == ["open", "closed"]
    assert services.whole.state().state == "closed"


def test_two_sick_services_do_not_stop_the_others(services):
    for name in ("sick", "ill") * 10:
        break_it(services(name), 1)
    services("well").check()


def test_failures_across_three_services_stop_all(services):
    for name in ("a", "b", "c", "a", "b"):
        break_it(services(name), 1)
    assert refused_for(services("well")) == pytest.approx(60, abs=0.01)
    assert services("well").state().state == "closed", "the vendor's is open, not its own"


def test_a_sale_of_one_service_starts_the_count_of_the_whole_anew_and_not_of_the_others(services):
    for name in ("a", "b", "c", "a"):
        break_it(services(name), 1)
    services("well").call(lambda: None)
    break_it(services("b"), 1)
    services("well").check()
    assert (services.whole.state().failures, services("a").state().failures) == (1, 2)


def test_the_trial_of_a_sick_service_does_not_stop_the_others_again(services):
    for name in ("sick", "sick", "sick", "sick", "sick", "a", "b", "a", "b"):
        break_it(services(name), 1)
    services.clock.now += 60
    services("sick").check()
    break_it(services("sick"), 1)
    services("well").check()
    assert refused_for(services("sick")) == pytest.approx(60, abs=0.01)


def test_a_refused_service_takes_no_trial_of_the_whole(services):
    for name in ("a", "b", "c", "a", "b"):
        break_it(services(name), 1)
    services.clock.now += 50
    break_it(services("sick"), 5)
    services.clock.now += 10
    assert refused_for(services("sick")) == pytest.approx(50, abs=0.01)
    services("well").check()


def test_a_trial_that_is_given_up_frees_the_whole_and_the_part(services):
    for name in ("a", "b", "c") * 5:
        break_it(services(name), 1)
    services.clock.now += 60
    services("a").check()
    refused_for(services("b"))
    services("a").release()
    services("b").check()


def test_one_number_that_always_fails_does_not_open_it(made):
    _, clock = made
    guard = Breaker(f"test-{next(_names)}:fetch", counts=is_outage, clock=clock, subjects=3)
    for _ in range(20):
        guard.failure("number 1", "number 2")
    guard.check()
    guard.failure("number 3")
    assert refused_for(guard) == pytest.approx(60, abs=0.01)


def test_failures_without_a_subject_are_about_different_ones(made):
    _, clock = made
    guard = Breaker(f"test-{next(_names)}:fetch", counts=is_outage, clock=clock, subjects=3)
    break_it(guard)
    refused_for(guard)


def test_giving_back_a_trial_that_there_is_not_leaves_nothing_in_redis(redis_server):
    guard = Breaker("test-release", counts=is_outage)
    guard.check()
    guard.release()
    assert not redis_server.keys("*breaker:test-release*")


def test_a_purchase_asks_redis_as_often_as_with_one_breaker(services, monkeypatch):
    asked = []
    ask = module.step_in_redis
    monkeypatch.setattr(module, "step_in_redis", lambda *step: asked.append(step[:2]) or ask(*step))
    guard = services("a")
    guard.check()
    guard.call(lambda: None)
    assert [(len(names), operation) for names, operation in asked] == [(2, "check"), (2, "success")]


def test_the_state_of_a_service_is_a_metric_once_it_failed():
    whole = Breaker("test-parts:purchase", counts=is_outage, clock=Clock(), subjects=3)
    sick, well = (
        Breaker(f"test-parts:purchase:{name}", counts=is_outage, clock=Clock(), whole=whole)
        for name in ("sick", "well")
    )
    break_it(sick)
    well.call(lambda: None)
    assert [gauge("test-parts", service=name) for name in ("", "sick", "well")] == [0, 2, None]


def test_all_that_failed_are_listed_for_people():
    for name in ("listed:cancel", "listed:purchase:sick"):
        guard = breaker(name, counts=is_outage)
        for _ in range(5):
            guard.failure()
    names = {name for name in module.names_in_use() if name.startswith("listed")} | {"listed:report"}
    assert {state.name: (state.state, state.failures, state.shared) for state in module.states(names)} == {
        "listed:cancel": ("open", 5, True),
        "listed:purchase": ("closed", 5, True),
        "listed:purchase:sick": ("open", 5, True),
        "listed:report": ("closed", 0, True),
    }
