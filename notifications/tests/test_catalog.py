"""How events read in the inbox: the catalogue against the vocabulary."""

import string

import pytest

from accounts.tests.factories import make_user
from activity.events import VOCABULARY
from activity.tests.factories import happened
from notifications import catalog
from notifications.catalog import CATALOG

EVENTS = sorted(CATALOG)


def braces(template: object) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(str(template)) if name}


@pytest.mark.parametrize("event", EVENTS)
def test_a_notice_is_of_an_event_and_says_only_what_it_declares(event: str) -> None:
    notice = CATALOG[event]
    declared = VOCABULARY[event].fields.keys() | catalog.READ_WHEN_SHOWN.get(event, frozenset())

    assert notice.event.name == event
    assert (braces(notice.title) | braces(notice.message)) <= declared
    assert notice.category in catalog.CATEGORIES
    assert notice.priority in catalog.PRIORITIES
    assert notice.link in catalog.LINKS
    assert notice.icon


def test_events_for_the_feed_alone_are_not_in_the_catalogue() -> None:
    assert VOCABULARY.keys() - CATALOG.keys() == {
        "signin_failed",
        "settings_updated",
        "policy_accepted",
        "code_viewed",
        "notification_resent",
    }


@pytest.mark.parametrize(
    ("event", "resource", "link"),
    [
        ("verification_complete", ("verification", "0b6c"), "/verify/0b6c"),
        ("verification_failed", ("verification", "0b6c"), "/buy"),
        ("credit_deducted", ("verification", "0b6c"), "/verify/0b6c"),
        ("credit_deducted", ("transaction", "fee:1"), "/wallet"),
        ("instant_refund", ("verification", "0b6c"), "/wallet"),
        ("refund_failed", ("refund", "ref_1"), "/refunds/ref_1"),
        ("refund_completed", ("transaction", "x"), "/refunds"),
        ("payment_initiated", ("payment", "pay_1"), "/payments/pay_1"),
        ("payment_completed", ("payment", "pay_1"), "/wallet"),
        ("low_balance", ("wallet", "1"), "/wallet/top-up"),
        ("security_signin", ("user", "1"), "/settings/security"),
        ("api_key_created", ("api_key", "1"), "/settings/keys"),
        ("webhook_disabled", ("webhook", "1"), "/settings/webhooks"),
    ],
)
@pytest.mark.django_db
def test_a_link_leads_to_what_the_event_is_about(event: str, resource: tuple[str, str], link: str) -> None:
    assert catalog.link_of(happened(make_user(), event, resource=resource)) == link


@pytest.mark.parametrize(
    ("given", "link"),
    [
        ("/help", "/help"),
        ("https://status.example.test/x", "https://status.example.test/x"),
        ("javascript:alert(1)", "/notifications"),
        ("//evil.example", "/notifications"),
        ("/\\evil.example", "/notifications"),
        ("", "/notifications"),
    ],
)
@pytest.mark.django_db
def test_an_announcement_leads_nowhere_dangerous(given: str, link: str) -> None:
    assert catalog.link_of(happened(make_user(), "announcement", link=given)) == link
