"""Every fault of the sandbox on every operation: what is raised, and what the provider's own ledger says."""

import pytest

from config.lib.remote.errors import OutcomeUnknown, Rejected, RemoteError, Throttled, Unavailable
from config.lib.remote.retry_after import retry_after
from verifications.providers import event_loop
from verifications.providers.base import Number, Spec, Unexplained
from verifications.providers.textverified import TextVerified, mapping

SILENT = ["drop_before", "hang", "error_500", "html_502", "slow:0.6"]
SILENT_BUT_DONE = ["drop_after", "hang_after", "error_500_after"]
TWICE = 2  # aiohttp repeats a read by itself where a kept connection was closed
PENDING = Spec("test_pending")

PURCHASE = r"^POST \S+/v2/verifications$"
DETAILS = r"^GET \S+/verifications/\w+$"
MESSAGES = r"^GET \S+/sms$"
CANCEL = r"/cancel$"
REPORT = r"/report$"
AUTH = r"/auth$"


@pytest.fixture
def provider(sandbox, settings):
    settings.PROVIDER_TIMEOUT_SECONDS = 0.4
    return TextVerified()


def raised(call):
    """What a call raises; the call's answer where it raises nothing."""
    try:
        return call()
    except RemoteError as error:
        return error


def states(sandbox):
    return [row["state"] for row in sandbox.ledger()["numbers"]]


@pytest.mark.parametrize("fault", [*SILENT, *SILENT_BUT_DONE])
def test_a_purchase_without_an_answer_is_unknown_and_the_same_key_settles_it(provider, sandbox, fault):
    sandbox.fault(PURCHASE, fault)
    assert type(raised(lambda: provider.purchase(PENDING, key="k1"))) is OutcomeUnknown
    if fault in SILENT_BUT_DONE:
        assert len(sandbox.ledger()["numbers"]) == 1
    number = provider.purchase(PENDING, key="k1")
    assert [(row["id"], row["key"]) for row in sandbox.ledger()["numbers"]] == [(number.provider_id, "k1")]


def test_a_throttled_purchase_bought_nothing(provider, sandbox):
    sandbox.fault(PURCHASE, "throttle_429")
    error = raised(lambda: provider.purchase(PENDING, key="k1"))
    assert (type(error), error.retry_after) == (Throttled, 1.0)
    assert states(sandbox) == []


def test_a_purchase_with_a_token_that_is_no_longer_good_is_made_once(provider, sandbox):
    sandbox.fault(PURCHASE, "unauthorized_401")
    number = provider.purchase(PENDING, key="k1")
    assert [row["id"] for row in sandbox.ledger()["numbers"]] == [number.provider_id]


def test_a_purchase_that_is_unauthorized_twice_surely_bought_nothing(provider, sandbox):
    sandbox.fault(PURCHASE, "unauthorized_401", times=2)
    assert type(raised(lambda: provider.purchase(PENDING, key="k1"))) is Unavailable
    assert states(sandbox) == []


@pytest.mark.parametrize("fault", [*SILENT, *SILENT_BUT_DONE, "throttle_429"])
def test_a_purchase_whose_details_stay_away_is_unknown_but_named(provider, sandbox, fault):
    sandbox.fault(DETAILS, fault, times=TWICE)
    error = raised(lambda: provider.purchase(PENDING, key="k1"))
    assert (type(error), error.remote_id) == (OutcomeUnknown, sandbox.ledger()["numbers"][0]["id"])


@pytest.mark.parametrize("path", [DETAILS, MESSAGES])
@pytest.mark.parametrize("fault", [*SILENT, *SILENT_BUT_DONE])
def test_a_fetch_without_an_answer_is_unavailable(provider, sandbox, fault, path):
    number = provider.purchase(PENDING, key="k1")
    sandbox.fault(path, fault, times=TWICE)
    assert type(raised(lambda: provider.fetch(number.provider_id))) is Unavailable
    assert states(sandbox) == ["verificationPending"]


@pytest.mark.parametrize("path", [DETAILS, MESSAGES])
def test_a_throttled_fetch_says_when_to_come_back(provider, sandbox, path):
    number = provider.purchase(PENDING, key="k1")
    sandbox.fault(path, "throttle_429")
    error = raised(lambda: provider.fetch(number.provider_id))
    assert (type(error), error.retry_after) == (Throttled, 1.0)


@pytest.mark.parametrize("path", [DETAILS, MESSAGES])
def test_a_fetch_renews_a_token_that_is_no_longer_good(provider, sandbox, path):
    number = provider.purchase(PENDING, key="k1")
    sandbox.fault(path, "unauthorized_401")
    assert provider.fetch(number.provider_id).provider_id == number.provider_id


@pytest.mark.parametrize("fault", SILENT)
def test_a_cancel_that_did_not_arrive_is_unknown_and_can_be_asked_again(provider, sandbox, fault):
    number = provider.purchase(PENDING, key="k1")
    sandbox.fault(CANCEL, fault)
    assert type(raised(lambda: provider.cancel(number.provider_id))) is OutcomeUnknown
    if not fault.startswith("slow"):
        assert states(sandbox) == ["verificationPending"]
        provider.cancel(number.provider_id)
        assert states(sandbox) == ["verificationCanceled"]


@pytest.mark.parametrize("fault", SILENT_BUT_DONE)
def test_a_cancel_that_was_done_unheard_is_unknown_and_found_cancelled(provider, sandbox, fault):
    number = provider.purchase(PENDING, key="k1")
    sandbox.fault(CANCEL, fault)
    assert type(raised(lambda: provider.cancel(number.provider_id))) is OutcomeUnknown
    assert states(sandbox) == ["verificationCanceled"]
    assert type(raised(lambda: provider.cancel(number.provider_id))) is Rejected
    assert provider.fetch(number.provider_id).state == "cancelled"


def test_a_throttled_cancel_was_not_done(provider, sandbox):
    number = provider.purchase(PENDING, key="k1")
    sandbox.fault(CANCEL, "throttle_429")
    assert type(raised(lambda: provider.cancel(number.provider_id))) is Throttled
    assert states(sandbox) == ["verificationPending"]


def test_a_cancel_renews_a_token_that_is_no_longer_good(provider, sandbox):
    number = provider.purchase(PENDING, key="k1")
    sandbox.fault(CANCEL, "unauthorized_401")
    provider.cancel(number.provider_id)
    assert states(sandbox) == ["verificationCanceled"]


def test_a_refused_cancel_whose_reason_cannot_be_read_was_surely_not_done(provider, sandbox):
    number = provider.purchase(PENDING, key="k1")
    sandbox.sms(number.phone_number, "Your code is 123456")
    sandbox.fault(DETAILS, "error_500")
    assert type(raised(lambda: provider.cancel(number.provider_id))) is Unavailable


@pytest.mark.parametrize(
    ("fault", "error"),
    [*((fault, OutcomeUnknown) for fault in [*SILENT, *SILENT_BUT_DONE]), ("throttle_429", Throttled)],
)
def test_a_report_without_an_answer_is_unknown(provider, sandbox, fault, error):
    number = provider.purchase(PENDING, key="k1")
    sandbox.fault(REPORT, fault)
    assert type(raised(lambda: provider.report(number.provider_id))) is error


@pytest.mark.parametrize("fault", [*SILENT, *SILENT_BUT_DONE, "unauthorized_401", "throttle_429"])
@pytest.mark.parametrize("operation", ["purchase", "fetch", "cancel"])
def test_without_a_token_nothing_is_done(provider, sandbox, fault, operation):
    number = TextVerified().purchase(PENDING, key="k1")
    calls = {
        "purchase": lambda: provider.purchase(PENDING, key="k2"),
        "fetch": lambda: provider.fetch(number.provider_id),
        "cancel": lambda: provider.cancel(number.provider_id),
    }
    sandbox.fault(AUTH, fault, times=TWICE)
    assert type(raised(calls[operation])) is (Throttled if fault == "throttle_429" else Unavailable)
    assert states(sandbox) == ["verificationPending"]


@pytest.mark.parametrize("operation", ["services", "balance"])
@pytest.mark.parametrize("fault", SILENT)
def test_what_only_looks_is_unavailable(provider, sandbox, fault, operation):
    sandbox.fault("/(services|account/me)$", fault, times=TWICE)
    assert type(raised(getattr(provider, operation))) is Unavailable


def test_nobody_listening_means_surely_not_bought(provider, settings):
    settings.TEXTVERIFIED_BASE_URL = "http://127.0.0.1:9"
    assert type(raised(lambda: provider.purchase(PENDING, key="k1"))) is Unavailable


def test_no_such_host_means_surely_not_bought(provider, settings):
    settings.TEXTVERIFIED_BASE_URL = "http://nowhere.invalid"
    settings.PROVIDER_TIMEOUT_SECONDS = 5
    assert type(raised(lambda: provider.purchase(PENDING, key="k1"))) is Unavailable


def test_a_connection_lost_between_token_and_order_means_surely_not_bought(provider, sandbox, settings):
    """The token is still good, but nobody listens any more: the order never left."""
    provider.balance()
    client = provider._client
    client._credentials = type(client._credentials)(
        "http://127.0.0.1:9", settings.TEXTVERIFIED_API_KEY, settings.TEXTVERIFIED_USERNAME
    )
    assert type(raised(lambda: provider.purchase(PENDING, key="k1"))) is Unavailable


def test_throttling_stops_the_rest_of_many(provider, sandbox):
    ids = [provider.purchase(PENDING, key=f"k{n}").provider_id for n in range(10)]
    sandbox.fault(DETAILS, "throttle_429")
    found = provider.fetch_many(ids, concurrency=1)
    assert {type(answer) for answer in found.values()} == {Throttled}
    assert sum("GET" in line for line in sandbox.requests()) == 11  # ten purchases' details, and one fetch


def test_silence_from_the_first_stops_the_rest_of_many(provider, sandbox):
    ids = [provider.purchase(PENDING, key=f"k{n}").provider_id for n in range(10)]
    sandbox.fault(DETAILS, "hang", times=10)
    found = provider.fetch_many(ids, concurrency=4)
    assert {type(answer) for answer in found.values()} == {Unavailable}
    assert sum("GET" in line for line in sandbox.requests()) <= 10 + 8


def test_one_bad_answer_among_many_is_its_own(provider, sandbox):
    ids = [provider.purchase(PENDING, key=f"k{n}").provider_id for n in range(10)]
    sandbox.fault(DETAILS, "error_500")
    found = provider.fetch_many(ids, concurrency=3)
    assert sorted(type(answer).__name__ for answer in found.values()) == ["Number"] * 9 + ["Unavailable"]
    assert all(isinstance(answer, Number | Unavailable) for answer in found.values())


def test_no_error_says_what_is_secret(provider, sandbox, settings):
    number = provider.purchase(PENDING, key="k1")
    said = []
    for path, call in [
        (PURCHASE, lambda: provider.purchase(PENDING, key="k2")),
        (DETAILS, lambda: provider.fetch(number.provider_id)),
        (CANCEL, lambda: provider.cancel(number.provider_id)),
    ]:
        for fault in ("drop_before", "error_500", "html_502", "throttle_429"):
            sandbox.fault(path, fault, times=TWICE)
            said.append(repr(raised(call)))
    secrets = (number.phone_number, settings.TEXTVERIFIED_API_KEY, "eyJh", "Bearer")
    assert not [line for line in said if any(secret in line for secret in secrets)]


def test_an_answer_that_trips_us_up_is_no_answer_and_its_neighbours_have_theirs(provider, sandbox, monkeypatch):
    """A mistake of ours over one number's answer must not keep all others from being polled, or from ending."""
    bad, good = provider.purchase(PENDING, key="k1"), provider.purchase(PENDING, key="k2")
    read = mapping.parse_number

    def trip(body):
        if body["id"] == bad.provider_id:
            raise RuntimeError("a mistake of ours")
        return read(body)

    monkeypatch.setattr(mapping, "parse_number", trip)
    answers = provider.fetch_many([bad.provider_id, good.provider_id], concurrency=2)
    assert (type(answers[bad.provider_id]), answers[good.provider_id].state) == (Unavailable, "waiting")


def test_a_purchase_whose_answer_trips_us_up_is_unknown(provider, sandbox, monkeypatch):
    monkeypatch.setattr(mapping, "parse_link", lambda *_: 1 / 0)
    assert type(raised(lambda: provider.purchase(PENDING, key="k1"))) is OutcomeUnknown
    monkeypatch.undo()
    again = provider.purchase(PENDING, key="k1")
    assert [number["id"] for number in sandbox.ledger()["numbers"]] == [again.provider_id]


@pytest.mark.parametrize("href", ["https://[bad", "//[", "/verifications/a b"])
def test_a_link_that_is_none_is_unreadable(href):
    with pytest.raises(mapping.Unreadable):
        mapping.parse_link({"href": href}, "")


def test_a_loop_that_does_not_answer_says_so_of_every_number(provider, monkeypatch):
    def silent(work, *, limit):
        work.close()
        raise TimeoutError

    monkeypatch.setattr(event_loop, "run", silent)
    assert type(raised(lambda: provider.fetch_many(["lr_1"], concurrency=1))) is Unavailable


@pytest.mark.parametrize(("given", "seconds"), [("nan", 5), ("inf", 600), ("-3", 1), ("7", 7), ("soon", 5), ("", 5)])
def test_a_wait_that_is_no_number_is_five_seconds(given, seconds):
    assert retry_after(given, longest=600.0) == seconds


# --- a 4xx that lacks the vendor's own error code

PROXY = ["forbidden_403", "html_4xx", "html_404", "empty_413", "empty_451"]


@pytest.mark.parametrize("fault", PROXY)
def test_a_purchase_that_a_proxy_refuses_is_unknown(provider, sandbox, fault):
    sandbox.fault(PURCHASE, fault)
    assert type(raised(lambda: provider.purchase(PENDING, key="k1"))) is Unexplained


@pytest.mark.parametrize("fault", PROXY)
def test_a_cancel_that_a_proxy_refuses_is_tried_again_while_the_number_waits(provider, sandbox, fault):
    number = provider.purchase(PENDING, key="k1")
    sandbox.fault(CANCEL, fault)
    assert type(raised(lambda: provider.cancel(number.provider_id))) is Unexplained
    provider.cancel(number.provider_id)
    sandbox.fault(CANCEL, fault)
    assert type(raised(lambda: provider.cancel(number.provider_id))) is Rejected


def test_a_cancel_that_a_proxy_refuses_is_unknown_where_the_number_can_not_be_seen(provider, sandbox):
    number = provider.purchase(PENDING, key="k1")
    sandbox.fault(CANCEL, "html_4xx")
    sandbox.fault(DETAILS, "html_4xx")
    assert type(raised(lambda: provider.cancel(number.provider_id))) is Unexplained


@pytest.mark.parametrize("fault", PROXY)
def test_a_report_that_a_proxy_refuses_is_unknown(provider, sandbox, fault):
    number = provider.purchase(PENDING, key="k1")
    sandbox.fault(REPORT, fault)
    assert type(raised(lambda: provider.report(number.provider_id))) is Unexplained


@pytest.mark.parametrize("fault", ["forbidden_403", "html_4xx", "html_404", "empty_413"])
def test_a_read_that_a_proxy_refuses_says_nothing_of_the_number(provider, sandbox, fault):
    number = provider.purchase(PENDING, key="k1")
    sandbox.fault(DETAILS, fault)
    assert type(raised(lambda: provider.fetch(number.provider_id))) is Unavailable


@pytest.mark.parametrize("fault", ["forbidden_403", "html_4xx"])
def test_a_price_that_a_proxy_refuses_is_not_out_of_stock(provider, sandbox, fault):
    sandbox.fault("/pricing/", fault)
    assert type(raised(lambda: provider.quote(PENDING))) is Unavailable
