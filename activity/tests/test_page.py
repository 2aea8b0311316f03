"""The page of the feed."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from accounts.tests.factories import make_user
from activity.tests.factories import happened

pytestmark = pytest.mark.django_db


def test_the_link_of_the_security_page_shows_what_it_speaks_of_sign_ins_too(client: Client) -> None:
    user = make_user()
    client.force_login(user)
    for event in ("signin_failed", "security_settings", "api_key_created", "settings_updated"):
        happened(user, event)
    found = re.search(r'href="(/activity\?[^"]+)"', client.get("/settings/security").content.decode())
    assert found is not None
    page = client.get(found[1])
    events = [row.event for row in page.context["page"].rows]  # the first is how this test signed in
    assert events == ["api_key_created", "security_settings", "signin_failed", "security_signin"]
    assert '<option value="access" selected>Sign-ins and security</option>' in page.content.decode()


def test_the_way_back_to_the_newest_keeps_the_filters(client: Client) -> None:
    user = make_user()
    client.force_login(user)
    for _number in range(26):
        happened(user, "settings_updated")
    first = client.get("/activity?type=settings&q=words")
    older = client.get(f"/activity?{first.context['page'].older}")
    assert len(older.context["page"].rows) == 1
    assert '<a class="button button-plain" href="/activity?type=settings&amp;q=words">' in older.content.decode()
