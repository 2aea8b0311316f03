"""What the log and the metrics say of a movement, and when."""

from __future__ import annotations

from typing import Any

import pytest
import structlog
from prometheus_client import REGISTRY

from accounts.tests.factories import make_user
from wallet import services

pytestmark = pytest.mark.django_db


def count(kind: str) -> float:
    return REGISTRY.get_sample_value("transactions_total", {"type": kind, "status": "completed"}) or 0


def test_a_movement_is_logged_and_counted_once_it_is_committed(
    django_capture_on_commit_callbacks: Any, caplog: pytest.LogCaptureFixture
) -> None:
    structlog.contextvars.clear_contextvars()  # a request before this test left its id
    caplog.set_level("INFO", logger="wallet.log")
    user = make_user()
    before = count("bonus"), count("sms_purchase")
    with django_capture_on_commit_callbacks(execute=True):
        services.credit(user=user, amount=500, type="bonus", counterparty="promotions", reference="b", description="x")
        hold = services.hold(
            user=user,
            amount=250,
            reference="v",
            description="x",
            service="whatsapp",
            resource=("verification", "0b6c"),
        )
        charged = services.capture(hold=hold.reference, user=user, type="sms_purchase")
        services.capture(hold=hold.reference, user=user, type="sms_purchase")
        assert caplog.records == []
        assert (count("bonus"), count("sms_purchase")) == before

    assert (count("bonus"), count("sms_purchase")) == (before[0] + 1, before[1] + 1)
    lines = [{k: v for k, v in record.msg.items() if k not in ("timestamp", "logger")} for record in caplog.records]
    assert [line["event"] for line in lines] == [
        f"Credits added: User={user.pk}, Amount=5.00",
        f"Balance: User={user.pk}, 0.00 → 5.00",
        f"Transaction created: Type=bonus, User={user.pk}, Amount=5.00",
        f"Credits deducted: User={user.pk}, Amount=2.50, Service=whatsapp",
        f"Balance: User={user.pk}, 5.00 → 2.50",
        f"Transaction created: Type=sms_purchase, User={user.pk}, Amount=-2.50",
    ]
    facts = {
        "user": user.pk,
        "amount": "-2.50",
        "type": "sms_purchase",
        "service": "whatsapp",
        "reference": "v:capture",
        "verification": "0b6c",
        "level": "info",
    }
    assert lines[3] == {"event": lines[3]["event"], **facts}
    assert lines[4] == {
        "event": lines[4]["event"],
        "level": "info",
        "user": user.pk,
        "old": "5.00",
        "new": "2.50",
    }
    assert lines[5] == {"event": lines[5]["event"], "transaction": charged.pk, "sequence": 2, **facts}
