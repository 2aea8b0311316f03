"""Who has never been here buys a number in the steps that docs/journey.md counts, and sees where each cent went."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings
from django.utils import timezone

from tests.test_journey import books_are_right, confirmation_link
from verifications import services as verifications

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

    from dev.testing.live import LiveStack

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

STEP = re.compile(
    r"^\| (?P<number>\d*) ?\| [^|]*\| (?:(?P<kind>link|button|field) `(?P<name>[^`]+)`|its link[^|]*) \|$", re.MULTILINE
)
TYPED = {"E-mail address": "ada@example.test", "Password": "a-long-enough-password"}


def steps(journey: Path) -> list[dict[str, str]]:
    return [step.groupdict() for step in STEP.finditer(journey.read_text())]


def test_the_steps_are_as_many_as_journey_says(live: LiveStack, page: Page) -> None:
    from playwright.sync_api import expect

    verifications.sync_catalogue(now=timezone.now())
    table = steps(settings.BASE_DIR / "docs" / "journey.md")
    clicks = [int(step["number"]) for step in table if step["kind"] != "field"]
    assert clicks == list(range(1, 12))
    page.goto("/")
    for step in table:
        take(page, live, step)
    page.wait_for_url(re.compile("/verify/"))
    expect(page.locator("#number")).to_have_text(re.compile(r"\d{10}"))
    expect(page.locator("#code")).to_have_text("123456", timeout=60_000)

    trail = page.get_by_role("region", name="Where the money went")
    for line in ("Set aside", "−$0.50", "Balance after: $19.50", "Total paid"):
        expect(trail.get_by_text(line).first).to_be_visible()
    page.goto("/wallet")
    rows = page.locator("tbody tr")
    expect(rows).to_contain_text(["Number for Test Success", "Top-up"])
    expect(rows.locator("td.number")).to_contain_text(["−$0.50", "$19.50", "+$20.00", "$20.00"])
    books_are_right()


def take(page: Page, live: LiveStack, step: dict[str, Any]) -> None:
    """One line of the table; on the way nothing else is clicked, and no field is left that must be filled in."""
    if step["kind"] is None:
        page.goto(confirmation_link(live, TYPED["E-mail address"]))
    elif step["kind"] == "field":
        page.get_by_label(step["name"], exact=True).fill(TYPED[step["name"]])
    else:
        page.locator("main, section").get_by_role(step["kind"], name=re.compile(re.escape(step["name"]))).first.click()
