"""The wallet by itself: the apps to its right listen to its news in their own tests."""

from typing import Any

import pytest

from accounts.models import User
from accounts.tests.factories import make_user
from wallet import signals
from wallet.models import Transaction, Wallet


@pytest.fixture(autouse=True)
def _nobody_else_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    for signal in (signals.transaction_posted, signals.balance_changed):
        monkeypatch.setattr(signal, "receivers", [])


@pytest.fixture
def user() -> User:
    return make_user()


@pytest.fixture
def news() -> Any:
    """What the wallet announced, in order."""
    heard: list[tuple[Any, ...]] = []

    def posted(sender: Any, transaction: Transaction, metadata: dict[str, Any], **_: Any) -> None:
        heard.append(("posted", transaction.reference, metadata))

    def changed(sender: Any, wallet: Wallet, transaction: Transaction | None, **_: Any) -> None:
        reference = transaction.reference if transaction else None
        heard.append(("changed", wallet.balance, wallet.held, wallet.version, reference))

    signals.transaction_posted.connect(posted)
    signals.balance_changed.connect(changed)
    yield heard
    signals.transaction_posted.disconnect(posted)
    signals.balance_changed.disconnect(changed)
