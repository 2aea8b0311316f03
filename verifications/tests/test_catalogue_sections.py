"""What the shop shows first."""

from __future__ import annotations

from typing import Any

import pytest

from verifications import selectors
from verifications.selectors import CatalogueSection
from verifications.tests.factories import make_offer

pytestmark = pytest.mark.django_db


def titles(sections: list[CatalogueSection]) -> list[list[str]]:
    return [[offer.service.title for offer, _note in section.rows] for section in sections]


def test_popular_services_come_first_then_test_services_then_the_rest_by_title() -> None:
    for name, title in (("zoom", "Zoom"), ("ebay", "eBay"), ("airbnb", "Airbnb"), ("telegram", "Telegram")):
        make_offer(name, title=title)
    make_offer("whatsapp", title="WhatsApp")
    make_offer("test_pending", title="Test Pending")
    make_offer("test_success", title="Test Success")
    sections, more = selectors.catalogue_sections()
    assert titles(sections) == [["WhatsApp", "Telegram"], ["Test Success", "Test Pending"], ["Airbnb", "eBay", "Zoom"]]
    assert not more


def test_what_is_searched_stands_on_one_shelf_the_wanted_first() -> None:
    make_offer("googlevoice", title="A Google Voice")
    make_offer("google", title="Google")
    assert titles(selectors.catalogue_sections(query="goog")[0]) == [["Google", "A Google Voice"]]


def test_nothing_found_is_no_shelf() -> None:
    assert selectors.catalogue_sections(query="nothing") == ([], False)


def test_it_says_when_there_is_more() -> None:
    for number in range(3):
        make_offer(f"other{number}", title=f"Other {number}")
    sections, more = selectors.catalogue_sections(most=2)
    assert titles(sections) == [["Other 0", "Other 1"]]
    assert more


def test_test_services_say_what_they_do() -> None:
    make_offer("test_success")
    ((_offer, note),) = selectors.catalogue_sections()[0][0].rows
    assert str(note) == "A code arrives after 3 seconds"


def test_the_shop_asks_the_same_however_much_it_sells(django_assert_num_queries) -> None:
    for number in range(3):
        make_offer(f"other{number}")
    make_offer("whatsapp")
    with django_assert_num_queries(2):
        titles(selectors.catalogue_sections()[0])


def test_who_is_new_sees_what_is_asked_for_most_with_its_price(django_assert_num_queries: Any) -> None:
    for name, fields in (
        ("telegram", {"price": 210}),
        ("whatsapp", {"price": 220}),
        ("google", {"price": None}),
        ("discord", {"blocked": True}),
        ("zoom", {}),
        ("test_success", {}),
    ):
        make_offer(name, **fields)
    with django_assert_num_queries(2):
        offers, others = selectors.popular_offers()
    assert [(offer.service.name, offer.price) for offer in offers] == [("whatsapp", 220), ("telegram", 210)]
    assert others == 2
