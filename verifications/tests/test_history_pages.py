"""The pages of the history, and the way back."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.utils import timezone

from accounts.tests.factories import make_user
from verifications.models import Status, Verification
from verifications.tests.factories import make_offer

pytestmark = pytest.mark.django_db


def test_an_older_page_has_a_way_back_that_keeps_the_filters(client: Client) -> None:
    user, service = make_user(), make_offer("whatsapp").service
    client.force_login(user)
    Verification.objects.bulk_create(
        Verification(user=user, service=service, country="US", price=50, status=Status.FAILED, ended_at=timezone.now())
        for _number in range(26)
    )
    first = client.get("/history?status=failed&q=what").content.decode()
    assert "Newest" not in first
    older = re.search(r'href="(\?[^"]+)" rel="next"', first)
    assert older is not None
    second = client.get(f"/history{older[1].replace('&amp;', '&')}").content.decode()
    assert second.count("data-verification-row") == 1
    assert '<a class="button button-plain" href="/history?status=failed&amp;q=what">' in second
    assert 'rel="next"' not in second
