"""The settings pages, the policy, and who is seen where."""

from __future__ import annotations

import re
from typing import Any

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.test import Client

from accounts import services
from accounts.models import ApiKey, PolicyAcceptance
from accounts.tests.factories import confirm, make_user

pytestmark = pytest.mark.django_db


def browser(**fields: Any) -> Client:
    client = Client()
    client.force_login(make_user(**fields))
    return client


def confirmed() -> Client:
    """A browser in which the password was typed again just now."""
    client, user = Client(), make_user()
    client.force_login(user)
    return confirm(client, user)


def test_the_profile_is_saved_and_said_so(client: Client) -> None:
    user = make_user()
    client.force_login(user)
    answer = client.post("/settings/profile", {"name": "Ada <b>", "time_zone": "Europe/Paris"}, follow=True)
    user.refresh_from_db()
    assert (user.name, user.time_zone) == ("Ada <b>", "Europe/Paris")
    assert "Your profile is saved." in answer.content.decode()
    assert "Ada &lt;b&gt;" in answer.content.decode()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "Ada", "time_zone": "Mars/Olympus"}, "time_zone"),
        ({"name": "x" * 121, "time_zone": "UTC"}, "name"),
        ({"name": "a\nb", "time_zone": "UTC"}, "name"),
        ({"name": "a\x00b", "time_zone": "UTC"}, "name"),
    ],
)
def test_a_bad_profile_is_refused_beside_the_field(body: dict[str, str], field: str) -> None:
    answer = browser().post("/settings/profile", body)
    assert (answer.status_code, list(answer.context["form"].errors)) == (200, [field])


def test_pages_show_times_in_the_readers_zone(client: Client) -> None:
    user = make_user(time_zone="Asia/Tokyo")
    key, _secret = services.create_api_key(user=user, name="CI")
    ApiKey.objects.filter(pk=key.pk).update(expires_at="2027-01-31T20:00:00Z")
    client.force_login(user)
    assert "Expires 1 Feb 2027" in client.get("/settings/keys").content.decode()


def test_a_new_key_is_shown_once_and_a_reload_makes_no_second_one() -> None:
    client = confirmed()
    answer = client.post("/settings/keys", {"name": "shop", "scopes": ["read"], "days": "90"})
    assert (answer.status_code, answer["Location"]) == (302, "/settings/keys")
    shown = client.get(answer["Location"])
    found = re.search(r"rf_[\w-]{43}", shown.content.decode())
    assert found is not None
    key = services.authenticate_key(secret=found[0])
    assert key is not None
    assert (key.name, key.scopes) == ("shop", ["read"])
    assert "no-store" in shown["Cache-Control"]
    again = client.get("/settings/keys").content.decode()
    assert found[0] not in again
    assert key.prefix in again
    assert ApiKey.objects.count() == 1


def test_between_the_form_and_its_page_the_database_has_no_secret() -> None:
    client = confirmed()
    client.post("/settings/keys", {"name": "shop", "scopes": ["read"], "days": "90"})
    stored = Session.objects.get(pk=client.session.session_key).get_decoded()
    assert "rf_" not in str(stored)
    assert client.session["new_api_key"]


@pytest.mark.parametrize("body", [{}, {"name": "a", "days": "90"}, {"name": "a", "scopes": ["root"], "days": "7"}])
def test_a_bad_key_is_not_made(body: dict[str, Any]) -> None:
    assert browser().post("/settings/keys", body).status_code == 200
    assert ApiKey.objects.count() == 0


def test_a_key_is_revoked_from_the_page(client: Client) -> None:
    user = make_user()
    key, secret = services.create_api_key(user=user, name="old")
    client.force_login(user)
    answer = client.post(f"/settings/keys/{key.pk}/revoke", follow=True)
    assert "The key “old” no longer works." in answer.content.decode()
    assert services.authenticate_key(secret=secret) is None


def test_anothers_key_stays_and_its_name_is_not_told() -> None:
    key, secret = services.create_api_key(user=make_user(), name="their secret project")
    answer = browser().post(f"/settings/keys/{key.pk}/revoke", follow=True)
    assert "You have no such API key." in answer.content.decode()
    assert "their secret project" not in answer.content.decode()
    assert services.authenticate_key(secret=secret) == key


@pytest.mark.parametrize("path", ["/settings/profile", "/settings/security", "/settings/keys"])
def test_the_settings_ask_strangers_to_sign_in(client: Client, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer["Location"]) == (302, f"/account/login/?next={path}")


def test_the_policy_is_open_to_read_and_asks_strangers_to_sign_in_before_they_accept(client: Client) -> None:
    assert "Accept and continue" not in client.get("/policy").content.decode()
    answer = client.post("/policy")
    assert (answer.status_code, answer["Location"]) == (302, "/account/login/?next=/policy")


def test_accepting_is_recorded_with_the_address_and_leads_on(client: Client) -> None:
    user = make_user(accepted=False)
    client.force_login(user)
    answer = client.post("/policy", {"next": "/buy/whatsapp?country=US"}, REMOTE_ADDR="192.0.2.7")
    assert (answer.status_code, answer["Location"]) == (302, "/buy/whatsapp?country=US")
    assert PolicyAcceptance.objects.values_list("user", "version", "ip_address").get() == (
        user.pk,
        "2026-11",
        "192.0.2.7",
    )
    assert "You have accepted this version." in client.get("/policy").content.decode()


@pytest.mark.parametrize(
    "target",
    ["", "https://evil.test/", "//evil.test", "///evil.test", "/\\evil.test", "javascript:alert(1)", "http:evil.test",
     "buy", "/x\r\nSet-Cookie: a=b", "\x00/buy"],
)  # fmt: skip
def test_accepting_leads_nowhere_else(target: str) -> None:
    answer = browser(accepted=False).post("/policy", {"next": target})
    assert (answer.status_code, answer["Location"]) == (302, "/buy")


@pytest.mark.parametrize("path", ["/settings/profile", "/settings/keys", "/policy", "/account/logout/"])
def test_a_form_from_elsewhere_does_nothing(path: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(make_user(accepted=False))
    answer = client.post(path, {"name": "x", "scopes": ["read"], "days": "0", "time_zone": "UTC"})
    assert answer.status_code == 403
    assert "This page expired" in answer.content.decode()
    assert (ApiKey.objects.count(), PolicyAcceptance.objects.count()) == (0, 0)


def test_where_one_is_signed_in_is_noted_once_a_minute(client: Client, django_assert_num_queries: Any) -> None:
    user = make_user()
    client.force_login(user)
    client.get("/settings/security", headers={"User-Agent": "Firefox"})
    assert UserSession.objects.values_list("user", "user_agent").get() == (user.pk, "Firefox")
    with django_assert_num_queries(2):  # session, user
        client.get("/api/v1/nothing")


def test_other_sessions_are_ended_from_the_page(client: Client) -> None:
    user = make_user()
    other = Client()
    for each in (client, other):
        each.force_login(user)
        each.get("/settings/security")
    client.post("/account/sessions/")
    assert other.get("/settings/security").status_code == 302
    assert client.get("/settings/security").status_code == 200
