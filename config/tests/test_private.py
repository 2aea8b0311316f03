"""What is somebody's own is stored nowhere; what everybody gets alike may be."""

from __future__ import annotations

import uuid

import pytest
from django.test import Client

from accounts.models import User
from accounts.services import create_api_key
from config.tests.routes import routes

pytestmark = pytest.mark.django_db

PROBES = ("/health/", "/metrics")  # alike for everybody, and answered before anybody asks who it is
PLAIN = [route for route in routes() if not route.parameters]


def person() -> User:
    return User.objects.create(email=f"{uuid.uuid4()}@example.test", password="!")


def test_no_page_or_answer_for_somebody_signed_in_is_stored() -> None:
    client, stored = Client(raise_request_exception=False), []
    client.force_login(person())
    for route in PLAIN:
        if route.name in ("schema", "docs", "account_logout") or route.path.startswith(("/webhooks/", *PROBES)):
            continue
        answer = client.get(route.path)
        if "no-store" not in answer.get("Cache-Control", ""):
            stored.append((route.path, answer.status_code))
    assert stored == []


def test_no_answer_to_a_key_is_stored_and_no_refusal() -> None:
    _key, secret = create_api_key(user=person(), name="program")
    with_key, without = Client(headers={"Authorization": f"Bearer {secret}"}), Client()
    for client in (with_key, without):
        answer = client.get("/api/wallet/balance")
        assert answer["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/help", "/policy", "/api/docs", "/health/live"])
def test_what_everybody_gets_may_be_stored(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert "no-store" not in answer.get("Cache-Control", "")
