"""The bearer token: asked for once, kept, renewed before it ends, and asked for again when it is refused."""

from decimal import Decimal

import pytest

from config.lib.remote.errors import Throttled, Unavailable
from verifications.providers.base import Spec
from verifications.providers.textverified import TextVerified


@pytest.fixture
def provider(sandbox, settings):
    settings.PROVIDER_TIMEOUT_SECONDS = 2
    return TextVerified()


def auths(sandbox) -> int:
    return sum(line.endswith("/auth") for line in sandbox.requests())


def test_one_token_serves_many_calls(provider, sandbox):
    for _ in range(3):
        provider.balance()
    assert auths(sandbox) == 1


def test_many_at_once_wait_for_one_token(provider, sandbox):
    sandbox.fault("/auth$", "slow:0.1")
    provider.fetch_many([f"lr_{n}" for n in range(50)], concurrency=50)
    assert auths(sandbox) == 1


def test_a_token_is_renewed_before_it_ends(provider, sandbox, monkeypatch):
    provider.balance()
    client = provider._client
    assert client is not None
    client._renew_at -= 900 - 60  # its life of 15 minutes but for the last one has passed
    provider.balance()
    assert auths(sandbox) == 2
    assert not [entry for entry in sandbox.request_log() if entry["status"] == 401]


def test_a_token_that_the_provider_forgot_is_replaced_once_for_all(provider, sandbox):
    provider.balance()
    sandbox.advance(1000)
    provider.fetch_many([f"lr_{n}" for n in range(20)], concurrency=20)
    assert auths(sandbox) == 2


def test_wrong_credentials_are_unavailable(provider, settings):
    settings.TEXTVERIFIED_API_KEY = "another"
    with pytest.raises(Unavailable):
        provider.balance()


def test_an_auth_that_is_refused_or_unreadable_is_unavailable(provider, settings, sandbox):
    settings.TEXTVERIFIED_BASE_URL = f"{sandbox.base_url}/checkout"  # answers 404, and never with a token
    with pytest.raises(Unavailable):
        provider.balance()


def test_a_throttled_auth_is_not_asked_again_before_its_time(provider, sandbox):
    sandbox.fault("/auth$", "throttle_429")
    found = provider.fetch_many([f"lr_{n}" for n in range(20)], concurrency=5)
    with pytest.raises(Throttled):
        provider.balance()
    assert {type(answer) for answer in found.values()} == {Throttled}
    assert auths(sandbox) == 1


def test_a_failed_auth_is_tried_again_by_the_next_call(provider, sandbox):
    sandbox.fault("/auth$", "error_500")
    with pytest.raises(Unavailable):
        provider.balance()
    assert provider.balance() == Decimal(10000)


def test_the_limit_holds_for_token_order_and_details_together(provider, sandbox, settings):
    settings.PROVIDER_TIMEOUT_SECONDS = 0.5
    sandbox.fault("/auth$", "slow:0.3")
    sandbox.fault(r"GET \S+/verifications/", "slow:0.3")
    with pytest.raises(Exception, match="timed out"):
        provider.purchase(Spec("test_pending"), key="k1")


def test_credentials_are_not_in_any_repr(provider, settings):
    provider.balance()
    client = provider._client
    shown = f"{client!r} {client._credentials!r} {provider._client_key!r}"
    assert settings.TEXTVERIFIED_API_KEY not in shown
    assert client._token not in shown
