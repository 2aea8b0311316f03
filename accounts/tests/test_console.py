"""Who gets into the console, and what of people can be changed there."""

from __future__ import annotations

from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.utils import timezone

from accounts import signals
from accounts.models import User
from accounts.tests.factories import make_user
from accounts.tests.test_services import heard

pytestmark = pytest.mark.django_db

PASSWORD = "correct-horse-battery"


def staff(email: str = "staff@example.test", **fields: Any) -> User:
    user = make_user(email, password=PASSWORD, is_staff=True, **{"is_superuser": True, **fields})
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    return user


def inside(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.mark.parametrize("path", ["/admin/", "/admin/accounts/user/", "/admin/login/"])
def test_the_console_is_entered_through_the_products_own_sign_in(client: Client, path: str) -> None:
    answer = client.get(path, follow=True)
    assert answer.redirect_chain[-1][0].startswith("/account/login/?next=%2Fadmin%2F")


def test_the_consoles_own_sign_in_takes_no_password(client: Client) -> None:
    staff()
    answer = client.post("/admin/login/", {"username": "staff@example.test", "password": PASSWORD})
    assert answer["Location"].startswith("/account/login/")
    assert client.get("/admin/").status_code == 302


def test_a_second_factor_can_not_be_walked_around(client: Client) -> None:
    user = staff()
    Authenticator.objects.create(user=user, type="totp", data={"secret": "sealed"})
    body = {"login": user.email, "password": PASSWORD, "next": "/admin/"}
    assert client.post("/account/login/", body)["Location"].startswith("/account/2fa/authenticate/")
    assert client.get("/admin/").status_code == 302


def test_in_production_staff_set_up_a_second_factor_first(settings: Any) -> None:
    settings.CONSOLE_REQUIRES_MFA = True
    user = staff()
    client = inside(user)
    answer = client.get("/admin/", follow=True)
    assert [path for path, _status in answer.redirect_chain][:2] == [
        "/admin/login/?next=/admin/",
        "/account/2fa/totp/activate/",
    ]
    assert client.get("/admin/accounts/user/").status_code == 302
    Authenticator.objects.create(user=user, type="totp", data={"secret": "sealed"})
    assert client.get("/admin/").status_code == 200


def test_customers_are_told_that_it_is_not_theirs() -> None:
    answer = inside(make_user()).get("/admin/", follow=True)
    assert answer.status_code == 403
    assert "You don&#x27;t have access to this page" in answer.content.decode()


def test_superusers_change_people_and_it_is_written_down() -> None:
    client, customer = inside(staff()), make_user("ada@example.test")
    page = f"/admin/accounts/user/{customer.pk}/change/"
    assert client.get(page).status_code == 200
    body = {"email": "stolen@evil.test", "name": "Ada", "time_zone": "UTC", "is_active": "", "password": "x"}
    assert client.post(page, body).status_code == 302
    customer.refresh_from_db()
    assert (customer.email, customer.name, customer.is_active) == ("ada@example.test", "Ada", False)
    assert customer.check_password(PASSWORD)


def test_staff_can_not_make_themselves_superusers() -> None:
    clerk = staff("clerk@example.test", is_superuser=False)
    clerk.user_permissions.set(Permission.objects.filter(codename__in=("view_user", "change_user")))
    client = inside(clerk)
    customer = make_user()
    for user in (clerk, customer):
        page = f"/admin/accounts/user/{user.pk}/change/"
        client.post(page, {"name": "x", "time_zone": "UTC", "is_active": "on", "is_staff": "on", "is_superuser": "on"})
        user.refresh_from_db()
    assert [(user.is_staff, user.is_superuser, user.name) for user in (clerk, customer)] == [
        (True, False, ""),
        (False, False, "x"),
    ]


def freeze(client: Client, action: str, user: User, **given: str) -> Any:
    body = {"action": action, "_selected_action": [user.pk], **given}
    return client.post("/admin/accounts/user/", body, follow=True)


@pytest.mark.parametrize(("action", "paused"), [("pause_purchases", True), ("resume_purchases", False)])
def test_purchases_are_paused_and_resumed_for_a_reason(action: str, paused: bool) -> None:
    customer = make_user(purchases_frozen_at=None if paused else timezone.now())
    client = inside(staff())
    with heard(signals.purchases_frozen) as news:
        asked = freeze(client, action, customer)
        without = freeze(client, action, customer, confirmed="yes", reason=" ")
        assert (customer.email in asked.content.decode(), "Enter a reason." in without.content.decode()) == (True, True)
        assert news == []
        for _again in range(2):
            freeze(client, action, customer, confirmed="yes", reason="A disputed payment")
    customer.refresh_from_db()
    assert (customer.purchases_frozen_at is not None) == paused
    assert [(one["user"], one["frozen"], one["reason"]) for one in news] == [(customer, paused, "A disputed payment")]


def test_a_superusers_purchases_are_not_paused() -> None:
    boss = staff("boss@example.test")
    answer = freeze(inside(staff()), "pause_purchases", boss, confirmed="yes", reason="Because")
    boss.refresh_from_db()
    assert boss.purchases_frozen_at is None
    assert "Purchases of a superuser can&#x27;t be paused." in answer.content.decode()


@pytest.mark.parametrize("path", ["user", "apikey", "policyacceptance"])
def test_lists_open_and_nothing_is_added_or_removed_there(path: str) -> None:
    client = inside(staff())
    assert client.get(f"/admin/accounts/{path}/?q=ada").status_code == 200
    assert client.get(f"/admin/accounts/{path}/add/").status_code == 403


def test_sessions_are_found_by_address_and_show_no_session_key() -> None:
    user = make_user("ada@example.test")
    row = UserSession.objects.create(user=user, ip="203.0.113.9", user_agent="Firefox", session_key="k" * 32)
    client = inside(staff())
    assert "203.0.113.9" in client.get("/admin/usersessions/usersession/?q=ada").content.decode()
    page = client.get(f"/admin/usersessions/usersession/{row.pk}/change/")
    assert (page.status_code, row.session_key in page.content.decode()) == (200, False)
    assert client.get("/admin/usersessions/usersession/add/").status_code == 403


def test_addresses_second_factors_and_groups_can_not_be_written_by_staff() -> None:
    customer, clerk = staff("ada@example.test", is_superuser=False), staff("clerk@example.test", is_superuser=False)
    factor = Authenticator.objects.create(user=customer, type="totp", data={"secret": "sealed"})
    group = Group.objects.create(name="support")
    clerk.groups.add(group)
    clerk.user_permissions.set(Permission.objects.filter(content_type__app_label__in=("account", "mfa", "auth")))
    client, address = inside(clerk), EmailAddress.objects.get(user=customer)
    new = {"user": customer.pk, "email": "clerk+1@example.test", "verified": "on", "primary": "on"}
    answers = [
        client.post("/admin/account/emailaddress/add/", new),
        client.post(f"/admin/account/emailaddress/{address.pk}/change/", new),
        client.post(f"/admin/account/emailaddress/{address.pk}/delete/", {"post": "yes"}),
        client.post(f"/admin/mfa/authenticator/{factor.pk}/delete/", {"post": "yes"}),
        client.post(f"/admin/auth/group/{group.pk}/change/", {"name": "support", "permissions": [1, 2, 3]}),
    ]
    assert [answer.status_code for answer in answers] == [403] * 5
    assert list(customer.emailaddress_set.values_list("email", "verified")) == [("ada@example.test", True)]
    assert "sealed" not in client.get(f"/admin/mfa/authenticator/{factor.pk}/change/").content.decode()
    assert group.permissions.count() == 0


def test_the_consoles_own_change_of_password_leads_to_the_products() -> None:
    answer = inside(staff()).get("/admin/password_change/")
    assert (answer.status_code, answer["Location"]) == (302, "/account/password/change/")


def test_every_list_of_the_console_can_be_searched() -> None:
    client = inside(staff())
    answers = {
        model._meta.label_lower: client.get(f"/admin/{model._meta.app_label}/{model._meta.model_name}/?q=x").status_code
        for model in admin.site._registry
    }
    assert {label: status for label, status in answers.items() if status not in (200, 403)} == {}


@pytest.mark.parametrize("extended", ["", "1"])
def test_the_search_for_pages_finds_them_each_time(extended: str) -> None:
    client = inside(staff())
    for _ in range(2):  # the second time it comes from the cache
        found = client.get("/admin/search/", {"s": "wallet", "extended": extended})
        assert found.status_code == 200
        assert "/admin/wallet/wallet/" in found.content.decode()


def test_a_keys_hash_is_not_shown() -> None:
    from accounts import services

    user = staff()
    key, secret = services.create_api_key(user=user, name="CI")
    page = inside(user).get(f"/admin/accounts/apikey/{key.pk}/change/").content.decode()
    assert key.prefix in page
    assert key.digest not in page
    assert secret not in page
