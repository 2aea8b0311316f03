"""The database is away: pages and calls say so with 503, and need nothing of it to do that."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import InterfaceError, OperationalError
from django.test import Client

from accounts.tests.factories import make_user
from config.tests.test_pages import assert_well_made

pytestmark = pytest.mark.django_db


@pytest.fixture
def customer() -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(make_user())
    return client


def cut(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """From now on each query fails, the session's too, each with an error of its own."""

    def fail(*_args: Any, **_kwargs: Any) -> None:
        raise type(error)(*error.args)

    monkeypatch.setattr("django.db.backends.utils.CursorWrapper.execute", fail)


@pytest.mark.parametrize("debug", [True, False])
@pytest.mark.parametrize("error", [OperationalError("gone: secret-host"), InterfaceError("connection already closed")])
@pytest.mark.parametrize("path", ["/", "/wallet?type=credit", "/settings/profile", "/account/email/"])
def test_a_page_without_a_database_is_a_designed_503(
    customer: Client, monkeypatch: pytest.MonkeyPatch, settings: Any, path: str, error: Exception, debug: bool
) -> None:
    settings.DEBUG = debug
    cut(monkeypatch, error)
    answer = customer.get(path)
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert_well_made(answer, path)
    page = answer.content.decode()
    assert "Your money is safe" in page
    assert f'<a class="button" href="{path}">Try again</a>' in page
    assert "secret-host" not in page


def test_a_form_without_a_database_leads_back_to_its_page(customer: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    cut(monkeypatch, OperationalError("gone"))
    for referer, leads in (
        ("http://testserver/settings/keys?x=1", '<a class="button" href="/settings/keys">Try again</a>'),
        ("http://evil.test/settings/keys", '<a class="button" href="/">Go to the start page</a>'),
        ("http://testserver//evil.test/", '<a class="button" href="/%2Fevil.test/">Try again</a>'),
        ("http://[", '<a class="button" href="/">Go to the start page</a>'),
        ("", '<a class="button" href="/">Go to the start page</a>'),
    ):
        answer = customer.post("/settings/keys", {"name": "x"}, headers={"Referer": referer, "Host": "testserver"})
        assert (answer.status_code, leads in answer.content.decode()) == (503, True), referer


def test_a_call_whose_session_cannot_be_read_is_a_problem(customer: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    cut(monkeypatch, OperationalError("gone"))
    answer = customer.get("/api/wallet/balance")
    assert (answer.status_code, answer["Retry-After"], answer.json()["code"]) == (503, "5", "unavailable")
    assert answer["Content-Type"] == "application/problem+json"


def test_any_other_fault_stays_a_500(customer: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: Any, **_kwargs: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("config.views.wallets.balance_of", fail)
    answer = customer.get("/")
    assert answer.status_code == 500
    assert_well_made(answer, "/")
    assert "Something went wrong on our side" in answer.content.decode()
