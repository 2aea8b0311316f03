"""What the tests of verifications lean on: a sandbox that sells, a customer with money, offers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from uuid import uuid4

import pytest

from accounts.models import User
from accounts.tests.factories import make_user
from dev.sandbox.testing import RunningSandbox
from verifications import services
from verifications.models import Verification
from verifications.services import poll
from verifications.tests.factories import make_offer
from wallet.tests.factories import funded


class Crash(BaseException):
    """The process dies here."""


MOCKS = ("test_success", "test_pending", "test_timeout", "test_no_numbers", "test_insufficient_balance")


@pytest.fixture(autouse=True)
def _no_pause_left_over() -> None:
    poll._paused_until.clear()


@pytest.fixture
def shop(db: None, sandbox: RunningSandbox, settings: Any) -> RunningSandbox:
    """The sandbox, and offers of its test services at $0.50. Slow answers are given up after a second."""
    settings.PROVIDER_TIMEOUT_SECONDS = 1
    for name in MOCKS:
        make_offer(name)
    # Another address of the same place makes the adapter begin anew: no token and no pause of the test before.
    settings.TEXTVERIFIED_BASE_URL = f"{sandbox.textverified_url}/{uuid4().hex}/.."
    return sandbox


@pytest.fixture
def customer(db: None) -> User:
    """Somebody with $10.00 who accepted the policy."""
    user = make_user()
    funded(user, 1000)
    return user


@pytest.fixture
def waiting(shop: RunningSandbox, customer: User) -> Verification:
    """A number that gets no message by itself, bought and charged."""
    return services.buy(user=customer, service_name="test_pending").verification


@pytest.fixture
def crash_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], AbstractContextManager[None]]:
    """`with crash_at("verifications.services.purchase_outcome.fulfil"):` the call of that name kills who makes it."""

    def die(*_: Any, **__: Any) -> None:
        raise Crash

    @contextmanager
    def crashing(point: str) -> Iterator[None]:
        with monkeypatch.context() as patch:
            patch.setattr(point, die)
            with pytest.raises(Crash):
                yield

    return crashing
