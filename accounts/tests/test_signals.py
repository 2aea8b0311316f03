"""What the sign-in libraries report becomes our news."""

from __future__ import annotations

import re
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp
from django.test import Client

from accounts import services, signals
from accounts.adapters import MFAAdapter
from accounts.models import User
from accounts.tests.factories import make_user
from accounts.tests.test_services import heard

pytestmark = pytest.mark.django_db

PASSWORD = "correct-horse-battery"
CALLER = {"ip_address": "192.0.2.9", "user_agent": "Firefox"}


@pytest.fixture
def ada() -> User:
    user = make_user("ada@example.test", password=PASSWORD)
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    return user


def sign_in(password: str = PASSWORD, email: str = "ada@example.test") -> Client:
    client = Client(REMOTE_ADDR="192.0.2.9", headers={"User-Agent": "Firefox"})
    client.post("/account/login/", {"login": email, "password": password})
    return client


def test_a_sign_in_is_announced_with_where_it_came_from(ada: User) -> None:
    with heard(signals.signed_in) as news, heard(signals.sign_in_failed) as failures:
        sign_in()
    assert news == [{"user": ada, **CALLER}]
    assert failures == []


def test_a_failed_sign_in_is_announced_for_the_account_it_was_tried_on(ada: User) -> None:
    with heard(signals.sign_in_failed) as news:
        sign_in("wrong", "ADA@example.test")
    assert news == [{"user": ada, **CALLER}]


def test_a_failed_sign_in_of_nobody_is_no_news(ada: User) -> None:
    with heard(signals.sign_in_failed) as news:
        sign_in("wrong", "eve@example.test")
    assert news == []


def test_the_sixth_wrong_password_in_a_row_is_not_even_tried(ada: User) -> None:
    with heard(signals.sign_in_failed) as news:
        for _ in range(7):
            sign_in("wrong")
        client = sign_in()
    assert len(news) == 5
    assert client.get("/settings/security").status_code == 302, "nor is the right one, for five minutes"


def test_a_changed_password_is_announced(ada: User) -> None:
    client = sign_in()
    with heard(signals.settings_changed) as news:
        body = {"oldpassword": PASSWORD, "password1": "another-good-one"}
        client.post("/account/password/change/", body)
    assert news == [{"user": ada, "what": "Password"}]


def test_a_second_factor_is_announced_and_then_asked_for(ada: User, django_capture_on_commit_callbacks: Any) -> None:
    client = sign_in()
    client.post("/account/reauthenticate/", {"password": PASSWORD})
    client.get("/account/2fa/totp/activate/")
    secret = client.session["mfa.totp.secret"]
    code = totp.format_hotp_value(totp.hotp_value(secret, next(iter(totp.yield_hotp_counters_from_time()))))
    with heard(signals.settings_changed) as news, django_capture_on_commit_callbacks(execute=True):
        client.post("/account/2fa/totp/activate/", {"code": code})
    assert news == [{"user": ada, "what": "Two-factor authentication"}, {"user": ada, "what": "Recovery codes"}]
    with heard(signals.signed_in) as signed_in:
        second = sign_in()
    assert signed_in == []
    assert second.get("/settings/security").status_code == 302
    assert secret not in str(Authenticator.objects.get(user=ada, type="totp").data), "it is kept encrypted"


def test_a_broken_client_header_is_cut_not_refused(ada: User) -> None:
    client = Client(REMOTE_ADDR="", headers={"User-Agent": "x" * 5000})
    with heard(signals.signed_in) as news:
        client.post("/account/login/", {"login": "ada@example.test", "password": PASSWORD})
    assert news == [{"user": ada, "ip_address": None, "user_agent": "x" * 300}]


def test_what_staff_change_is_announced_as_theirs(ada: User) -> None:
    with heard(signals.settings_changed) as news:
        services.save_by_staff(user=ada, changed=["is_active"])
    assert news == [{"user": ada, "what": "active", "actor": "staff"}]


def test_the_square_for_the_camera_stands_on_white() -> None:
    svg = MFAAdapter().build_totp_svg("otpauth://totp/Ringfence:ada?secret=ABC")
    assert re.search(r"<svg [^>]*><rect width=\"100%\" height=\"100%\" fill=\"#fff\"/><path ", svg)
