"""The shipped table of names, titles and kinds."""

from collections import Counter

import pytest

from dev.sandbox.catalogue import OFFERS
from verifications import catalogue_data
from verifications.catalogue_data import CATEGORIES, SERVICES, Known, known


def test_every_kind_is_a_shipped_category():
    assert {service.category for service in SERVICES.values()} <= {kind.slug for kind in CATEGORIES}


def test_no_service_is_listed_twice():
    names = [
        entry.split("=")[0].strip()
        for text in catalogue_data._TABLE.values()
        for line in text.splitlines()
        for entry in line.split(";")
        if entry.strip()
    ]
    assert [name for name, times in Counter(names).items() if times > 1] == []


def test_what_the_sandbox_sells_is_known():
    assert [name for name in OFFERS if name not in SERVICES] == []


def test_titles_and_names_fit_their_columns():
    assert [name for name, found in SERVICES.items() if not (0 < len(found.title) <= 80 and len(name) <= 80)] == []


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("whatsapp", Known("WhatsApp", "messaging")),
        ("WhatsApp", Known("WhatsApp", "messaging")),
        ("new_york_times", Known("New York Times", "unclassified")),
        ("myOwnApp", Known("myOwnApp", "unclassified")),
        ("_", Known("_", "unclassified")),
        ("servicenotlisted", Known("Service not listed", "other", blocked=True)),
        ("AllServices", Known("All services", "other", blocked=True)),
        ("test_something_new", Known("Test: something new", "testing")),
    ],
)
def test_a_service_has_a_title_and_a_kind(name, found):
    assert known(name) == found


@pytest.mark.parametrize("name", catalogue_data.TEST_SERVICES)
def test_the_vendor_s_test_services_are_for_testing(name):
    assert known(name).category == "testing"
    assert known(name).title.startswith("Test")
