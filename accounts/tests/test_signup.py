"""From the sign-up form to being signed in, and back in again."""

from __future__ import annotations

import re
import smtplib
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth import get_user
from django.test import Client
from django.utils.html import escape

from accounts.models import User
from accounts.tests.factories import make_user

pytestmark = pytest.mark.django_db

PASSWORD = "correct-horse-battery"


def sign_up(client: Client, email: str = "ada@example.test", **fields: str) -> Any:
    body = {"email": email, "password1": PASSWORD, **fields}
    return client.post("/account/signup/", body)


def sign_in(client: Client, email: str, password: str = PASSWORD) -> Any:
    return client.post("/account/login/", {"login": email, "password": password})


def verified(email: str = "ada@example.test", **fields: Any) -> User:
    user = make_user(email, password=PASSWORD, **fields)
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    return user


def link(mail: Any) -> str:
    found = re.search(r"http://testserver(/account/\S+)", mail.body)
    assert found is not None, mail.body
    return found[1]


def who(client: Client) -> Any:
    return get_user(client)  # type: ignore[arg-type]


def test_confirming_in_the_same_browser_ends_signed_in(client: Client, mailoutbox: list[Any]) -> None:
    answer = sign_up(client, "Ada@Example.TEST", time_zone="Asia/Calcutta")
    assert (answer.status_code, answer["Location"]) == (302, "/account/confirm-email/")
    assert b"Check your e-mail" in client.get(answer["Location"]).content
    assert not who(client).is_authenticated
    page = link(mailoutbox[0])
    assert b"ada@example.test" in client.get(page).content
    assert not EmailAddress.objects.get().verified, "opening the page alone, as mail scanners do, confirms nothing"
    answer = client.post(page)
    assert (answer.status_code, answer["Location"]) == (302, "/")
    user = who(client)
    assert (user.email, user.time_zone) == ("ada@example.test", "Asia/Calcutta")
    assert EmailAddress.objects.get().verified


def test_the_link_works_in_another_browser_and_leads_to_the_sign_in(client: Client, mailoutbox: list[Any]) -> None:
    sign_up(client)
    phone = Client()
    answer = phone.post(link(mailoutbox[0]))
    assert (answer.status_code, answer["Location"]) == (302, "/account/login/")
    assert not who(phone).is_authenticated
    assert sign_in(phone, "ada@example.test")["Location"] == "/"
    assert who(phone).email == "ada@example.test"


def test_a_link_that_was_tampered_with_confirms_nothing(client: Client, mailoutbox: list[Any]) -> None:
    sign_up(client)
    path = link(mailoutbox[0]).rstrip("/")
    answer = client.get(path[:-1] + ("A" if path[-1] != "A" else "B") + "/")
    assert answer.status_code == 200
    assert b"expired or was used already" in answer.content
    assert not EmailAddress.objects.get().verified


def test_nobody_signs_in_before_the_address_is_confirmed(client: Client, mailoutbox: list[Any]) -> None:
    sign_up(client)
    other = Client()
    assert sign_in(other, "ada@example.test")["Location"] == "/account/confirm-email/"
    assert not who(other).is_authenticated


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "x" * 5000, "../../etc/passwd"])
def test_a_time_zone_that_we_do_not_know_turns_nobody_away(client: Client, zone: str, mailoutbox: list[Any]) -> None:
    assert sign_up(client, time_zone=zone).status_code == 302
    assert User.objects.get().time_zone == "UTC"


def test_the_form_asks_the_browser_for_its_time_zone(client: Client) -> None:
    page = client.get("/account/signup/").content.decode()
    assert '<input type="hidden" name="time_zone" data-time-zone="" id="id_time_zone">' in page


def test_an_address_that_is_taken_gets_a_mail_and_the_page_does_not_tell(client: Client, mailoutbox: list[Any]) -> None:
    verified()
    free, taken = sign_up(Client(), "new@example.test"), sign_up(client, "ADA@example.test")
    assert (taken.status_code, taken["Location"]) == (free.status_code, free["Location"])
    assert [(mail.to, mail.subject) for mail in mailoutbox] == [
        (["new@example.test"], "Confirm your e-mail address"),
        (["ada@example.test"], "You have an account already"),
    ]
    assert User.objects.count() == 2


def test_a_wrong_password_and_an_unknown_address_look_the_same(client: Client) -> None:
    verified()
    wrong, unknown = sign_in(client, "ada@example.test", "no"), sign_in(client, "eve@example.test", "no")

    def text(answer: Any) -> str:
        return re.sub(r'value="[^"]*"', "", answer.content.decode())

    assert (wrong.status_code, text(wrong)) == (unknown.status_code, text(unknown))
    assert "Wrong e-mail address or password" in text(wrong)


@pytest.mark.parametrize(
    "email",
    ["", "no-at", "a@b", "a b@example.test", "a@example.test\r\nBcc: b@example.test", "a\x00@example.test",
     "a" * 250 + "@example.test", "@example.test"],
)  # fmt: skip
def test_what_is_no_address_is_refused_beside_the_field(client: Client, email: str, mailoutbox: list[Any]) -> None:
    answer = sign_up(client, email)
    assert answer.status_code == 200
    assert list(answer.context["form"].errors) == ["email"]
    assert (User.objects.count(), mailoutbox) == (0, [])


@pytest.mark.parametrize("email", ["a+b@example.test", "o'neil@example.test", "a.b_c-d@sub.example.test", "a&b@x.test"])
def test_unusual_addresses_are_addresses(client: Client, email: str, mailoutbox: list[Any]) -> None:
    assert sign_up(client, email).status_code == 302
    client.post(link(mailoutbox[0]))
    assert who(client).email == email


@pytest.mark.parametrize("password", ["short", "password12345"[:8], "ada@example.test"])
def test_a_weak_password_is_refused(client: Client, password: str) -> None:
    answer = sign_up(client, password1=password)
    assert list(answer.context["form"].errors) == ["password1"]
    assert User.objects.count() == 0


@pytest.mark.django_db(transaction=True)
@pytest.mark.races
def test_two_sign_ups_with_one_address_at_once_make_one_account(in_threads: Any, mailoutbox: list[Any]) -> None:
    answers = in_threads(lambda: sign_up(Client()), times=4)
    assert [answer.status_code for answer in answers] == [302] * 4
    assert {answer["Location"] for answer in answers} == {"/account/confirm-email/"}
    assert User.objects.count() == 1


def test_a_mail_server_that_is_away_breaks_no_page(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: Any, **_kwargs: Any) -> None:
        raise smtplib.SMTPServerDisconnected("gone")

    monkeypatch.setattr("django.core.mail.message.EmailMessage.send", refuse)
    answer = client.get(sign_up(client)["Location"])
    assert "We couldn’t send the e-mail" in answer.content.decode().replace("&#x27;", "’")
    assert User.objects.count() == 1


def test_the_mails_are_plain_and_ours(client: Client, mailoutbox: list[Any]) -> None:
    sign_up(client)
    sign_up(Client())
    client.post("/account/password/reset/", {"email": "ada@example.test"})
    client.post("/account/password/reset/", {"email": "nobody@example.test"})
    for mail in mailoutbox:
        assert mail.from_email == "Ringfence <no-reply@ringfence.test>"
        assert "Ringfence" in mail.body
        assert not re.search(r"example\.com|Hello from|testserver\b(?!/)|None|[<{]", mail.body), mail.body
        assert mail.alternatives == []
    assert [mail.subject for mail in mailoutbox] == [
        "Confirm your e-mail address",
        "Set a new password",
        "No account with this address",
    ]


def test_a_forgotten_password_is_set_anew_by_mail(client: Client, mailoutbox: list[Any]) -> None:
    user = verified()
    assert client.post("/account/password/reset/", {"email": user.email})["Location"] == "/account/password/reset/done/"
    page = client.get(link(mailoutbox[0]), follow=True)
    form = page.redirect_chain[-1][0]
    client.post(form, {"password1": "another-good-one"})
    assert sign_in(Client(), user.email).status_code == 200
    assert sign_in(client, user.email, "another-good-one").status_code == 302
    assert who(client) == user
    again = Client().get(link(mailoutbox[0]), follow=True)
    assert "token_fail" in again.context
    assert again.context["token_fail"] is True


def test_changing_the_password_keeps_this_session_and_ends_the_others(client: Client) -> None:
    user = verified()
    other = Client()
    for browser in (client, other):
        sign_in(browser, user.email)
    body = {"oldpassword": PASSWORD, "password1": "another-good-one"}
    assert client.post("/account/password/change/", body).status_code == 302
    assert client.get("/settings/security").status_code == 200
    assert other.get("/settings/security").status_code == 302


def test_signing_in_gives_the_session_another_id(client: Client) -> None:
    user = verified()
    client.get("/account/login/")
    session = client.session
    session["left"] = "behind"
    session.save()
    before = session.session_key
    sign_in(client, user.email)
    assert client.session.session_key != before


@pytest.mark.parametrize("target", ["https://evil.test/", "//evil.test", "javascript:alert(1)", "/\\evil.test"])
def test_signing_in_leads_nowhere_else(client: Client, target: str) -> None:
    user = verified()
    answer = client.post("/account/login/", {"login": user.email, "password": PASSWORD, "next": target})
    assert (answer.status_code, answer["Location"]) == (302, "/")


def test_somebody_who_was_switched_off_stays_out(client: Client) -> None:
    user = verified(is_active=False)
    assert sign_in(client, user.email)["Location"] == "/account/inactive/"
    assert not who(client).is_authenticated


def test_an_address_is_added_only_with_the_password_at_hand(client: Client) -> None:
    client.force_login(verified())
    answer = client.post("/account/email/", {"action_add": "", "email": "mine@evil.test"})
    assert answer["Location"].startswith("/account/reauthenticate/")
    assert EmailAddress.objects.count() == 1


def test_the_page_after_signing_up_says_where_we_wrote_to(client: Client, mailoutbox: list[Any]) -> None:
    verified("taken@example.test")
    for browser, email in ((client, "new+one@example.test"), (Client(), "taken@example.test")):
        page = browser.get(sign_up(browser, email)["Location"]).content.decode()
        assert f'We sent a link to <strong class="anywhere">{email}</strong>.' in page
        assert page.count(email) == 1


def test_who_signs_in_before_confirming_is_told_where_we_wrote_to(client: Client, mailoutbox: list[Any]) -> None:
    sign_up(client)
    other = Client()
    page = other.get(sign_in(other, "ada@example.test")["Location"]).content.decode()
    assert 'We sent a link to <strong class="anywhere">ada@example.test</strong>.' in page


@pytest.mark.parametrize("email", ["ada@example.test", "nobody@example.test", "a&b@example.test"])
def test_a_forgotten_password_says_where_we_wrote_to(client: Client, email: str, mailoutbox: list[Any]) -> None:
    verified()
    page = client.get(client.post("/account/password/reset/", {"email": email})["Location"]).content.decode()
    assert f'We sent a link to <strong class="anywhere">{escape(email)}</strong>.' in page


@pytest.mark.parametrize("path", ["/account/confirm-email/", "/account/password/reset/done/"])
def test_without_an_address_the_pages_name_none(client: Client, path: str) -> None:
    assert "We sent a link to" not in client.get(path).content.decode()


def test_addresses_are_forgotten_on_signing_in(client: Client, mailoutbox: list[Any]) -> None:
    user = verified()
    client.post("/account/password/reset/", {"email": user.email})
    assert client.session["reset_address"] == user.email
    sign_in(client, user.email)
    assert "reset_address" not in client.session
