"""How keys begin and end: by somebody who has just confirmed who they are, and with the key that made them."""

from __future__ import annotations

import re
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.db import transaction
from django.test import Client

from accounts import services
from accounts.models import ApiKey, User
from accounts.tests.factories import confirm, make_user
from config.lib.errors.base import Forbidden
from config.lib.unit_of_work import unit_of_work
from dev.testing.fixtures import InThreads

pytestmark = pytest.mark.django_db

PASSWORD = "correct-horse-battery"
FORM = {"name": "shop", "scopes": ["read"], "days": "90"}
BODY = {"name": "shop", "scopes": ["read"]}
HOURS = 7200


def ada() -> User:
    user = make_user("ada@example.test", password=PASSWORD)
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    return user


def inside(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def family(user: User) -> tuple[ApiKey, ApiKey, ApiKey, ApiKey]:
    """A key, its child and its grandchild, and one that has nothing to do with them."""
    mother, _secret = services.create_api_key(user=user, name="mother")
    child, _secret = services.create_api_key(user=user, name="child", by=mother)
    grandchild, _secret = services.create_api_key(user=user, name="grandchild", by=child)
    other, _secret = services.create_api_key(user=user, name="other")
    return mother, child, grandchild, other


def live(user: User) -> list[str]:
    return sorted(ApiKey.objects.filter(user=user, revoked_at=None).values_list("name", flat=True))


@pytest.mark.parametrize("seconds_ago", [None, HOURS])
def test_a_page_asks_for_the_password_before_it_makes_a_key(seconds_ago: int | None) -> None:
    user = ada()
    client = inside(user)
    if seconds_ago:
        confirm(client, user, seconds_ago=seconds_ago)
    answer = client.post("/settings/keys", FORM)
    assert answer["Location"] == "/account/reauthenticate/?next=%2Fsettings%2Fkeys"
    assert live(user) == []
    answer = client.post(answer["Location"], {"password": PASSWORD})
    assert answer["Location"] == "/settings/keys"
    assert re.search(r"rf_[\w-]{43}", client.get("/settings/keys").content.decode()), "and goes on by itself"
    assert live(user) == ["shop"]


@pytest.mark.parametrize("seconds_ago", [None, HOURS])
def test_a_session_makes_no_key_by_api_without_the_password(seconds_ago: int | None) -> None:
    user = ada()
    client = inside(user)
    if seconds_ago:
        confirm(client, user, seconds_ago=seconds_ago)
    answer = client.post("/api/keys", BODY, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (403, "reauthentication_required")
    assert live(user) == []
    assert confirm(client, user).post("/api/keys", BODY, content_type="application/json").status_code == 201


def test_the_keys_that_a_key_made_end_with_it() -> None:
    user = make_user()
    mother, child, _grandchild, _other = family(user)
    assert child.made_by == mother
    services.revoke_api_key(user=user, key_id=mother.pk)
    assert live(user) == ["other"]


def test_a_key_outlives_those_that_it_made() -> None:
    user = make_user()
    _mother, child, _grandchild, _other = family(user)
    services.revoke_api_key(user=user, key_id=child.pk)
    assert live(user) == ["mother", "other"]


def test_a_key_that_was_revoked_meanwhile_makes_no_other() -> None:
    user = make_user()
    key, _secret = services.create_api_key(user=user, name="mother")
    services.revoke_api_key(user=user, key_id=key.pk)
    with pytest.raises(Forbidden):
        services.create_api_key(user=user, name="child", by=key)
    assert live(user) == []


@pytest.mark.django_db(transaction=True)
def test_a_key_made_while_its_maker_is_revoked_never_stays(in_threads: InThreads) -> None:
    user = make_user()
    for _round in range(5):
        key, _secret = services.create_api_key(user=user, name="mother")

        def make(key: ApiKey = key) -> Any:
            return services.create_api_key(user=user, name="child", by=key)

        def revoke(key: ApiKey = key) -> Any:
            return services.revoke_api_key(user=user, key_id=key.pk)

        in_threads([make, revoke, make, make])
        assert live(user) == []


def test_a_new_password_leaves_the_keys_unless_it_is_asked_to_revoke_them() -> None:
    user = ada()
    family(user)
    client = inside(user)
    page = client.get("/account/password/change/").content.decode()
    assert "Revoke my 4 API keys" in page
    assert not re.search(r'name="revoke_keys"[^>]*checked', page)
    new = "another-correct-horse"
    client.post("/account/password/change/", {"oldpassword": PASSWORD, "password1": new})
    assert live(user) == ["child", "grandchild", "mother", "other"]
    client.post("/account/password/change/", {"oldpassword": new, "password1": PASSWORD, "revoke_keys": "on"})
    assert live(user) == []
    assert "revoke_keys" not in client.get("/account/password/change/").content.decode()


@pytest.mark.parametrize(("ticked", "left"), [(True, []), (False, ["child", "grandchild", "mother", "other"])])
def test_a_reset_password_revokes_the_keys_unless_it_is_asked_not_to(
    client: Client, mailoutbox: list[Any], ticked: bool, left: list[str]
) -> None:
    user = ada()
    family(user)
    client.post("/account/password/reset/", {"email": user.email})
    found = re.search(r"http://testserver(/account/\S+)", mailoutbox[0].body)
    assert found
    form = client.get(found[1])["Location"]
    assert form.endswith("-set-password/"), "the link's key is out of the address before a page is shown"
    page = client.get(form).content.decode()
    assert re.search(r'name="revoke_keys"[^>]*checked', page)
    client.post(form, {"password1": "another-correct-horse", **({"revoke_keys": "on"} if ticked else {})})
    user.refresh_from_db()
    assert user.check_password("another-correct-horse")
    assert live(user) == left


def test_a_password_that_is_not_changed_revokes_nothing() -> None:
    user = ada()
    family(user)
    body = {"oldpassword": "wrong", "password1": "another-correct-horse", "revoke_keys": "on"}
    assert inside(user).post("/account/password/change/", body).status_code == 200
    assert len(live(user)) == 4


def test_all_keys_end_in_one_transaction() -> None:
    user = make_user()
    family(user)
    with unit_of_work():
        assert services.revoke_all_api_keys(user=user) == 4
        assert live(user) == []
        transaction.set_rollback(True)
    assert len(live(user)) == 4
