"""Texts and errors of the sign-in library's forms: each names the field and what would be right."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.totp.internal.auth import TOTP
from django.test import Client

from accounts.tests.factories import make_user

pytestmark = pytest.mark.django_db

PASSWORD = "correct-horse-battery"
THEIRS = re.compile(r"\b(Email|Deactivate|Authenticator App|Two-Factor|This field is required|Re-send|Sign In)\b")


@pytest.fixture
def ada(client: Client) -> Client:
    """Signed in with her password just now, so that nothing asks for it again."""
    user = make_user("ada@example.test", password=PASSWORD)
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    client.post("/account/login/", {"login": user.email, "password": PASSWORD})
    client.post("/account/reauthenticate/", {"password": PASSWORD})
    return client


def said(answer: Any) -> str:
    return unescape(answer.content.decode())


@pytest.mark.parametrize(
    ("path", "body", "sentence"),
    [
        ("/account/signup/", {}, "Enter your e-mail address, such as ada@example.com."),
        ("/account/signup/", {}, "Choose a password."),
        ("/account/signup/", {"email": "nowhere"}, "Enter an e-mail address like ada@example.com."),
        ("/account/login/", {}, "Enter the e-mail address that you signed up with."),
        ("/account/login/", {}, "Enter your password."),
        ("/account/login/", {"login": "a@b.test", "password": "x"}, "Wrong e-mail address or password."),
        ("/account/password/reset/", {"email": "x"}, "Enter an e-mail address like ada@example.com."),
    ],
)
def test_a_stranger_is_told_what_would_be_right(client: Client, path: str, body: dict[str, str], sentence: str) -> None:
    answer = client.post(path, body)
    assert answer.status_code == 200
    assert sentence in said(answer)
    assert not THEIRS.search(said(answer))


@pytest.mark.parametrize(
    ("path", "body", "sentence"),
    [
        ("/account/password/change/", {}, "Enter your current password."),
        ("/account/password/change/", {}, "Enter a new password."),
        ("/account/password/change/", {"oldpassword": "no", "password1": "x" * 12}, "That is not your current"),
        ("/account/reauthenticate/", {"password": "no"}, "That is not your password. Enter it again."),
        ("/account/email/", {"action_add": "", "email": "x"}, "Enter an e-mail address like ada@example.com."),
        ("/account/email/", {"action_add": "", "email": "ada@example.test"}, "on your account already"),
        ("/account/2fa/totp/activate/", {"code": "000000"}, "This code is wrong"),
        ("/account/2fa/totp/activate/", {}, "Enter the six digits that the app shows now."),
        ("/settings/keys", {"days": "90"}, "Give the key a name."),
        ("/settings/keys", {"days": "90", "name": "x"}, "Choose at least one thing that the key may do."),
        ("/settings/profile", {"time_zone": "UTC", "name": "x" * 121}, "A name has at most 120 characters."),
        ("/settings/profile", {"time_zone": "Mars/Olympus"}, "We don't know this time zone."),
    ],
)
def test_a_customer_is_told_what_would_be_right(ada: Client, path: str, body: dict[str, str], sentence: str) -> None:
    answer = ada.post(path, body)
    assert answer.status_code == 200
    assert sentence in said(answer)
    assert not THEIRS.search(said(answer))


@pytest.mark.django_db(transaction=True)  # its messages come when the transaction is through
def test_the_second_factor_is_set_up_used_and_turned_off_in_our_words(ada: Client, monkeypatch: Any) -> None:
    assert "Off" in said(ada.get("/settings/security"))
    monkeypatch.setattr(TOTP, "validate_code", lambda self, code: code == "123456")
    monkeypatch.setattr("allauth.mfa.totp.internal.auth.validate_totp_code", lambda secret, code: code == "123456")
    pages = [ada.get("/account/2fa/"), ada.get("/account/2fa/totp/activate/")]
    pages.append(ada.post("/account/2fa/totp/activate/", {"code": "123456"}, follow=True))
    assert "Two-factor authentication is on. Save these codes now." in said(pages[-1])
    assert said(pages[-1]).count('class="note ') == 1
    assert "10 of 10 left." in said(pages[-1])
    assert len(re.findall(r"<li><code>\d{8}</code>", said(pages[-1]))) == 10
    pages += [ada.get(f"/account/2fa/{path}") for path in ("", "recovery-codes/", "recovery-codes/generate/")]
    assert "10 left" in said(pages[3])
    assert '<span class="pill pill-good">On</span>' in said(ada.get("/settings/security"))

    other = Client()
    other.post("/account/login/", {"login": "ada@example.test", "password": PASSWORD})
    pages += [other.get("/account/2fa/authenticate/"), other.post("/account/2fa/authenticate/", {"code": "nothing"})]
    assert "This code is wrong" in said(pages[-1])
    assert other.post("/account/2fa/authenticate/", {"code": "123456"})["Location"] == "/"

    pages += [ada.get("/account/2fa/totp/deactivate/"), ada.get("/account/2fa/reauthenticate/")]
    pages.append(ada.post("/account/2fa/totp/deactivate/", follow=True))
    assert "Two-factor authentication is off." in said(pages[-1])
    assert [said(page) for page in pages if THEIRS.search(said(page))] == []


def test_the_key_of_an_app_is_shown_in_fours_and_copied_whole(ada: Client) -> None:
    page = said(ada.get("/account/2fa/totp/activate/"))
    found = re.search(r'data-value="([A-Z2-7]+)">([A-Z2-7 ]+)<', page)
    assert found is not None
    assert found[2].replace(" ", "") == found[1]
    assert {len(group) for group in found[2].split()} == {4}
    assert 'href="otpauth://totp/' in page
    assert f"secret={found[1]}" in page


def test_who_is_asked_again_sees_whose_account_it_is(client: Client) -> None:
    client.force_login(make_user("ada@example.test", password=PASSWORD))
    page = said(client.get("/account/reauthenticate/"))
    assert 'Signed in as <span class="address">ada@example.test</span>' in page
    assert 'class="back" href="/settings/security"' in page


def test_addresses_are_made_main_and_removed_each_by_its_own_button(ada: Client, mailoutbox: list[Any]) -> None:
    page = said(ada.post("/account/email/", {"action_add": "", "email": "second@example.test"}, follow=True))
    assert "Not confirmed" in page
    assert "Make main" not in page
    EmailAddress.objects.filter(email="second@example.test").update(verified=True)
    assert "Make main" in said(ada.get("/account/email/"))
    page = said(ada.post("/account/email/", {"action_primary": "", "email": "second@example.test"}, follow=True))
    assert "Your main address is changed." in page
    page = said(ada.post("/account/email/", {"action_remove": "", "email": "ada@example.test"}, follow=True))
    assert "ada@example.test is no longer on your account." in page
    assert not THEIRS.search(page)
