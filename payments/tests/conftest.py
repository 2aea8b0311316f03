from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.dispatch import Signal
from django.test import Client
from django.utils import timezone

from accounts.models import User
from accounts.tests.factories import make_user
from dev.sandbox.testing import RunningSandbox
from payments import services, signals
from payments.models import Payment
from payments.tests.factories import CENTS
from wallet import signals as wallet_signals

Deliver = Callable[..., list[int]]


@pytest.fixture
def customer(db: None) -> User:
    return make_user()


@pytest.fixture(autouse=True)
def _impatient(settings: Any) -> None:
    settings.GATEWAY_TIMEOUT_SECONDS = 0.4


@pytest.fixture(autouse=True)
def _nobody_else_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Payments and the wallet by themselves: the apps to the right listen to the news in their own tests."""
    ours = [value for name, value in vars(signals).items() if name.startswith(("payment_", "gateway_"))]
    for signal in (*ours, wallet_signals.transaction_posted, wallet_signals.balance_changed):
        monkeypatch.setattr(signal, "receivers", [])


@pytest.fixture
def begun(customer: User, sandbox: RunningSandbox, news: list[str]) -> Payment:
    """A top-up of $20.00 whose checkout is open at the gateway."""
    return services.initiate(user=customer, amount=CENTS, now=timezone.now()).payment


@pytest.fixture
def deliver(sandbox: RunningSandbox) -> Deliver:
    """Bring the webhooks that the sandbox wrote down to our door; the statuses that it got."""

    def bring(client: Client | None = None, *, only: str = "") -> list[int]:
        hooks = [hook for hook in sandbox.webhooks() if only in hook["event"]]
        return [
            (client or Client())
            .post("/webhooks/stripe", data=hook["body"], content_type="application/json", headers=hook["headers"])
            .status_code
            for hook in hooks
        ]

    return bring


@pytest.fixture
def news(_nobody_else_listens: None) -> Iterator[list[str]]:
    """The names of this app's signals, in the order they were sent."""
    heard: list[str] = []
    names = {signal: name for name, signal in vars(signals).items() if name.startswith("payment_")}

    def hear(signal: Signal, **_: Any) -> None:
        heard.append(names[signal])

    for signal in names:
        signal.connect(hear)
    yield heard
    for signal in names:
        signal.disconnect(hear)
