"""Alerts: raised once, acknowledged, resolved."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from accounts.tests.factories import make_user
from activity import services
from activity.models import Alert
from activity.signals import alert_raised
from verifications.signals import catalogue_refused, provider_compared

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def raised(cause: str = "x") -> Alert | None:
    return services.raise_alert(rule="provider_orphan", cause=cause, severity=Alert.Severity.CRITICAL, details={"n": 1})


def test_an_alert_is_raised_once_for_its_rule_and_cause() -> None:
    heard: list[Alert] = []

    def hear(alert: Alert, **_kwargs: Any) -> None:
        heard.append(alert)

    alert_raised.connect(hear)
    try:
        first, again, other = raised(), raised(), raised("y")
    finally:
        alert_raised.disconnect(hear)

    assert again is None
    assert heard == [first, other]
    assert list(Alert.objects.values_list("cause", flat=True)) == ["y", "x"]


def test_an_alert_is_acknowledged_and_resolved_by_somebody() -> None:
    alert, staff = raised(), make_user(is_staff=True)
    assert alert

    services.acknowledge_alert(alert=alert, by=staff, now=NOW)
    assert (alert.state, alert.handled_by, alert.handled_at) == ("acknowledged", staff, NOW)

    services.resolve_alert(alert=alert, by=staff, now=NOW)
    assert alert.state == "resolved"


def test_a_resolved_alert_is_not_acknowledged_again() -> None:
    alert, staff = raised(), make_user(is_staff=True)
    assert alert
    services.resolve_alert(alert=alert, by=staff, now=NOW)

    with pytest.raises(services.AlertIsClosed):
        services.acknowledge_alert(alert=alert, by=staff, now=NOW)


def test_staff_resolve_alerts_in_the_console() -> None:
    alert = raised()
    assert alert
    staff = make_user(is_staff=True, is_superuser=True)
    client = Client()
    client.force_login(staff)

    client.post("/admin/activity/alert/", {"action": "resolve", "_selected_action": [alert.pk]})

    alert.refresh_from_db()
    assert (alert.state, alert.handled_by) == ("resolved", staff)


@pytest.mark.parametrize(
    "path", ["activity/activity", "activity/alert", "notifications/inbox", "notifications/notification"]
)
def test_the_console_shows_what_nobody_may_change(path: str) -> None:
    from activity.tests.factories import happened

    raised()
    happened(make_user())
    client = Client()
    client.force_login(make_user(is_staff=True, is_superuser=True))

    assert client.get(f"/admin/{path}/").status_code == 200
    assert client.get(f"/admin/{path}/add/").status_code == 403


def test_staff_are_alerted_once_a_day_to_what_the_nightly_comparison_found() -> None:
    rows = [{"provider_id": f"lr_{n}", "problem": "orphan"} for n in range(30)]
    report = {"found": 30, "mended": 0, "amount": "7.50", "rows": rows}
    for _ in range(2):
        provider_compared.send(sender=None, provider="textverified", report=report, error="")
    alert = Alert.objects.get(rule="provider_reconcile")
    assert (alert.severity, alert.details["problems"], alert.details["amount"]) == ("critical", {"orphan": 30}, "7.50")
    assert alert.details["rows"] == rows[:20]


def test_staff_are_alerted_to_a_night_without_a_comparison() -> None:
    provider_compared.send(sender=None, provider="textverified", report={}, error="Unavailable")
    alert = Alert.objects.get(rule="provider_reconcile")
    assert (alert.severity, alert.details["error"], alert.details["rows"]) == ("warning", "Unavailable", [])


def test_staff_are_alerted_to_a_list_of_services_that_was_refused() -> None:
    catalogue_refused.send(sender=None, provider="textverified", listed=1, lacking=57, for_sale=58)
    alert = Alert.objects.get(rule="catalogue_refused")
    assert (alert.severity, alert.details) == (
        "critical",
        {"provider": "textverified", "listed": 1, "lacking": 57, "for_sale": 58},
    )
