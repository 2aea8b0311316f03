"""The wallet by itself: the apps to its right listen to its news in their own tests."""

import pytest

from wallet import signals


@pytest.fixture(autouse=True)
def _nobody_else_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    for signal in (signals.transaction_posted, signals.balance_changed):
        monkeypatch.setattr(signal, "receivers", [])
