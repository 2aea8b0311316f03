"""Every page, call and socket for staff needs its permission and the second factor: walked from the routes."""

from __future__ import annotations

import asyncio
import logging
import uuid
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from asgiref.sync import async_to_sync
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.test import Client, RequestFactory
from django.urls import URLPattern

from accounts import staff
from accounts.models import User
from accounts.services import create_api_key
from config.tests.routes import PUBLIC, Route, console_routes, routes
from notifications.routing import websocket_urlpatterns
from notifications.tests.sockets import in_thread, opened, sign_in

DATABASE = pytest.mark.django_db
ADMINS = sorted(admin.site._registry.values(), key=lambda one: one.model._meta.label)
# What the console shows to staff who may do nothing: its front page and its search, which name only models that they
# may see, and the words of its scripts.
BARE_CONSOLE = {"admin:index", "admin:search", "admin:jsi18n", "admin:logout", "admin:login", "admin:password_change",
                "admin:password_change_done"}  # fmt: skip


@pytest.fixture(autouse=True)
def _as_in_production(settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    settings.CONSOLE_REQUIRES_MFA = True
    caplog.set_level(logging.CRITICAL, "django.request")  # a traceback for each refusal costs more than the refusal


def person(*permissions: str, factor: bool = True, **fields: Any) -> User:
    """Somebody without a password, whose hashing would cost most of this file's time."""
    user = User.objects.create(email=f"{uuid.uuid4()}@example.test", password="!", **{"is_staff": True, **fields})
    for permission in permissions:
        app, codename = permission.split(".")
        user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    if factor:
        Authenticator.objects.create(user=user, type="totp", data={"secret": "sealed"})
    return user


def inside(user: User) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(user)
    return client


def by_key(user: User) -> Client:
    _key, secret = create_api_key(user=user, name="staff")
    return Client(headers={"Authorization": f"Bearer {secret}"})


def customer() -> User:
    return person(is_staff=False)


def without_permission() -> User:
    return person()


def without_factor() -> User:
    return person(factor=False, is_superuser=True)


@DATABASE
@pytest.mark.parametrize("factor", [True, False])
def test_outside_the_console_staff_without_rights_are_customers(factor: bool) -> None:
    """Status and media type at every address, of a GET, and for the API of a POST too."""
    somebody, clerk = person(is_staff=False, factor=factor), person(factor=factor, is_superuser=not factor)
    clients, different = (inside(somebody), inside(clerk)), []
    for route in [one for one in routes() if one.name != "account_logout"]:
        known = {**PUBLIC, "verification_id": str(uuid.UUID(int=7)), "reference": "none"}
        path = route.at(**{name: known.get(name, "4000000000") for name in route.parameters})
        theirs, seen = (_answers(client, path) for client in clients)
        if theirs != seen:
            different.append((path, theirs, seen))
    assert different == []


def _answers(client: Client, path: str) -> list[tuple[int, str]]:
    answers = [client.get(path)]
    if path.startswith("/api/"):
        answers.append(client.post(path, {}, content_type="application/json"))
    return [(answer.status_code, answer.get("Content-Type", "")) for answer in answers]


@DATABASE
def test_nothing_of_the_console_opens_without_a_second_factor() -> None:
    client, left_open = inside(without_factor()), []
    for route in [one for one in console_routes() if one.name != "admin:logout"]:
        statuses = [client.get(_at(route)).status_code, client.post(_at(route)).status_code]
        if statuses != [302, 302]:
            left_open.append((route.path, statuses))
    assert left_open == []


@DATABASE
def test_nothing_of_the_console_opens_without_permission() -> None:
    client, left_open = inside(without_permission()), []
    for route in [one for one in console_routes() if one.name not in BARE_CONSOLE]:
        for answer in (client.get(_at(route)), client.post(_at(route))):
            elsewhere = answer.status_code == 302 and answer["Location"] in ("/admin/", f"{_at(route)}change/")
            if answer.status_code not in (403, 404, 405) and not elsewhere:
                left_open.append((route.path, answer.status_code))
    assert left_open == []


def _at(route: Route) -> str:
    return route.at(**dict.fromkeys(route.parameters, "1"))


def test_the_walk_finds_the_console() -> None:
    assert len(console_routes()) > 80
    assert {route.name for route in console_routes()} >= {*BARE_CONSOLE, "admin:payments_payment_changelist"}


@DATABASE
@pytest.mark.parametrize("model_admin", ADMINS, ids=lambda one: one.model._meta.label)
def test_who_may_only_look_has_no_action(model_admin: Any) -> None:
    meta = model_admin.model._meta
    request = RequestFactory().get("/admin/")
    request.user = person(f"{meta.app_label}.view_{meta.model_name}")
    assert model_admin.has_view_permission(request) or not meta.managed
    assert list(model_admin.get_actions(request)) == []


@DATABASE
@pytest.mark.parametrize("model_admin", [one for one in ADMINS if one.model.__module__.split(".")[0] in (
    "accounts", "wallet", "payments", "verifications", "refunds", "activity", "notifications")],
    ids=lambda one: one.model._meta.label)  # fmt: skip
def test_every_action_of_ours_says_which_permission_it_needs(model_admin: Any) -> None:
    undeclared = [
        name
        for name in model_admin.actions
        if not set(getattr(getattr(model_admin, name), "allowed_permissions", ())) - {"view"}
    ]
    assert undeclared == []


@DATABASE
@pytest.mark.parametrize(
    ("method", "path", "permission", "expected"),
    [
        ("get", "/api/admin/transactions/monitor", "wallet.view_transaction", 200),
        ("post", "/api/websocket/broadcast", "notifications.announce", 400),  # in, and told what is missing
    ],
)
def test_a_key_opens_a_staff_door_where_its_owner_has_permission_and_factor(
    method: str, path: str, permission: str, expected: int
) -> None:
    def answer(user: User) -> Any:
        return getattr(by_key(user), method)(path, content_type="application/json")

    assert answer(person(permission)).status_code == expected
    refused = answer(person())
    assert (refused.status_code, refused.json()["detail"]) == (
        403,
        f"This is for staff who have the permission: {permission}.",
    )
    refused = answer(person(permission, factor=False))
    assert (refused.status_code, refused.json()["detail"]) == (
        403,
        "Staff need two-factor authentication for this. Turn it on in Settings, Security.",
    )


SOCKETS = [str(one.pattern) for one in websocket_urlpatterns if isinstance(one, URLPattern) and str(one.pattern)]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", SOCKETS)
def test_a_socket_opens_to_staff_without_rights_as_to_customers(path: str) -> None:
    """The first thing that each gets: hello, or the code of its end."""

    async def first(user: User) -> Any:
        address = "/" + path.replace("<int:user_id>", str(user.pk + 1))
        async with opened(address, session=await in_thread(sign_in)(user)) as socket:
            output = await socket.wire.receive_output(timeout=30)
            return output.get("code", output["type"])

    people = [customer(), without_permission(), without_factor(), person(staff.CONSOLE_FEED[0])]
    assert len({async_to_sync(first)(user) for user in people}) == 1


@pytest.mark.django_db(transaction=True)
def test_the_console_socket_ends_with_the_permission_or_the_factor(settings: Any) -> None:
    settings.HEARTBEAT_SECONDS = 1
    clerk, chief = person(*staff.CONSOLE_FEED), person(*staff.CONSOLE_FEED)

    async def ends(user: User, change: Any) -> int:
        async with opened("/ws/console", session=await in_thread(sign_in)(user)) as socket:
            assert (await socket.next())["type"] == "hello"
            await in_thread(change)()
            while (output := await socket.wire.receive_output(timeout=30))["type"] != "websocket.close":
                await asyncio.sleep(0)
            return int(output["code"])

    assert async_to_sync(ends)(clerk, clerk.user_permissions.clear) == 4401
    assert async_to_sync(ends)(chief, Authenticator.objects.filter(user=chief).delete) == 4401


@DATABASE
def test_staff_are_asked_for_in_one_statement(django_assert_num_queries: Any) -> None:
    people = [person(*staff.CONSOLE_FEED), person(), person(is_superuser=True), without_factor(), customer()]
    with django_assert_num_queries(1):
        found = staff.users_with_access(staff.CONSOLE_FEED, among={one.pk for one in people})
    assert found == {people[0].pk, people[2].pk}
    assert [staff.has_access(User.objects.get(pk=one.pk), staff.CONSOLE_FEED) for one in people] == [
        one.pk in found for one in people
    ]
