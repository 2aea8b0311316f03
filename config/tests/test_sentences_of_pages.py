"""The sentences of the pages: those that were odd are gone, and what a stranger expects stands in their place."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
APPS = (
    "accounts", "activity", "config", "notifications", "payments", "refunds", "verifications", "wallet",
    "dev/management",
)  # fmt: skip

INSTEAD = {
    "Accept and continue": "I accept, go on",
    "Continue your purchase": "Go on with your purchase",
    "Total paid": "In the end you paid",
    "Charged when you got the number": "Charged: the number is yours",
    "Goodwill credit": "Goodwill of support",
    "Success rate, last 7 days": "Got a code this week",
    "You cancelled this number.": "You cancelled it.",
    "Buy another": "Another number",
    "Choose another service": '"Another service"',
    "All times are shown in this zone.": "Used for every time we show you.",
    "Enter an e-mail address like ada@example.com.": "That is no e-mail address.",
    "Enter an amount, such as 20.00.": "Write the amount in dollars and cents",
    "You don't have access to this page": "This isn't yours to open",
    "Too many attempts": "Too many tries",
    "We couldn't read that request": "The request makes no sense to us",
    "We're having trouble right now": "We are not at our best for a moment",
    "Not you? You can close this page.": "Not yours? Close this page",
    "This can't be undone.": "They do not come back.",
    "You asked to reset your password.": "Somebody, we hope you,",
    "Active now": "Running now",
    "No active numbers": "Nothing is running.",
    "in the United States": "from the United States",
}


@pytest.fixture(scope="module")
def sentences() -> str:
    """All that customers may read: templates, and the code of the apps without their tests."""
    files = [*ROOT.glob("templates/**/*.html"), *ROOT.glob("templates/**/*.txt")]
    for app in APPS:
        files += [path for path in (ROOT / app).glob("**/*.py") if "tests" not in path.parts]
    return "\n".join(path.read_text() for path in files)


@pytest.mark.parametrize(("said", "before"), INSTEAD.items())
def test_a_page_says_what_a_stranger_expects(sentences: str, said: str, before: str) -> None:
    assert (said in sentences, before in sentences) == (True, False)
