"""The wallet's page."""

from __future__ import annotations

import re
from html import unescape

import pytest
from django.test import Client

from accounts.tests.factories import make_user
from wallet.tests.factories import funded

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("query", "lines"), [("", 1), ("?type=bonus", 1), ("?type=credit", 0), ("?start=2000-01-01", 1)]
)
def test_the_export_has_what_the_page_shows(query: str, lines: int) -> None:
    user = make_user()
    funded(user, 5_00)
    browser = Client()
    browser.force_login(user)
    page = browser.get(f"/wallet{query}").content.decode()
    links = [unescape(link) for link in re.findall(r'href="(/api/wallet/transactions/export[^"]+)"', page)]
    assert len(links) == (2 if lines else 0), "nothing to export where nothing is shown"
    for link in links[:1]:
        answer = browser.get(link)
        body = b"".join(answer).decode()  # type: ignore[arg-type]
        assert (answer.status_code, len(body.strip().splitlines())) == (200, lines + 1)
