"""What the owner of an account gets a mail about, and that an answer doesn't tell who has an account."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp
from celery import current_app
from django.contrib.auth.models import Group
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from accounts import services, tasks
from accounts.models import User
from accounts.tests.counting import HASHED
from accounts.tests.factories import confirm, make_user

pytestmark = pytest.mark.django_db

PASSWORD = "correct-horse-battery"
RESET = "http://localhost:8000/account/password/reset/"


@pytest.fixture(autouse=True)
def _a_worker(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    settings.PUBLIC_URL = "http://localhost:8000"

    def run_at_once(name: str, *, kwargs: dict[str, Any], **_options: Any) -> None:
        assert name == tasks.send_notice.name
        tasks.send_notice(**json.loads(json.dumps(kwargs)))

    monkeypatch.setattr(current_app, "send_task", run_at_once)


@pytest.fixture
def sent(django_capture_on_commit_callbacks: Any, mailoutbox: list[Any]) -> Any:
    """Do something, commit, and return the mails of it."""

    def run(work: Any) -> list[Any]:
        before = len(mailoutbox)
        with django_capture_on_commit_callbacks(execute=True):
            work()
        return mailoutbox[before:]

    return run


def ada(**fields: Any) -> User:
    user = make_user("ada@example.test", password=PASSWORD, **fields)
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    return user


def inside(user: User) -> Client:
    client = Client(headers={"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"})
    client.force_login(user)
    return confirm(client, user)


def staff() -> Client:
    return inside(make_user(is_staff=True, is_superuser=True))


def subjects(mails: list[Any]) -> list[tuple[str, list[str]]]:
    return [(mail.subject, mail.to) for mail in mails]


def test_a_changed_password_is_mailed_with_what_to_do_about_it(sent: Any) -> None:
    client = inside(ada())
    body = {"oldpassword": PASSWORD, "password1": "another-correct-horse"}
    [mail] = sent(lambda: client.post("/account/password/change/", body))
    assert (mail.subject, mail.to) == ("Your password was changed", ["ada@example.test"])
    told = re.sub(r"Time: .*\n", "Time: T\n", mail.body)
    assert told == (
        "The password of your account at Ringfence was changed.\n\n"
        "Time: T\nFrom: 127.0.0.1, Firefox on Linux\n\n"
        "If this wasn't you, set a new password now, and leave the box ticked that revokes your API keys:\n\n"
        f"{RESET}\n\n"
        "Then look at where you are signed in:\n\nhttp://localhost:8000/settings/security\n\n"
        "If you can't get in any more, write to support@localhost.\n\n"
        "Ringfence: temporary phone numbers for verification codes"
    )


def test_a_reset_password_is_mailed(client: Client, mailoutbox: list[Any], sent: Any) -> None:
    ada()
    client.post("/account/password/reset/", {"email": "ada@example.test"})
    found = re.search(r"http://testserver(/account/\S+)", mailoutbox[0].body)
    assert found
    form = client.get(found[1])["Location"]
    mails = sent(lambda: client.post(form, {"password1": "another-correct-horse"}))
    assert subjects(mails) == [("Your password was reset", ["ada@example.test"])]


def test_a_changed_address_is_mailed_to_the_old_one(sent: Any) -> None:
    user = ada()
    EmailAddress.objects.create(user=user, email="new@example.test", verified=True)
    client = inside(user)
    body = {"action_primary": "", "email": "new@example.test"}
    [mail] = sent(lambda: client.post("/account/email/", body))
    assert (mail.subject, mail.to) == ("Your e-mail address was changed", ["ada@example.test"])
    assert "from ada@example.test to new@example.test" in mail.body
    assert "write to support@localhost at once" in mail.body
    mails = sent(lambda: client.post("/account/email/", {"action_remove": "", "email": "ada@example.test"}))
    assert subjects(mails) == [("An e-mail address was removed", ["new@example.test"])]


@pytest.mark.django_db(transaction=True)  # allauth sends these after the commit, and needs the request then
def test_a_second_factor_is_mailed_when_it_comes_and_when_it_goes(sent: Any) -> None:
    user = ada()
    client = inside(user)
    client.get("/account/2fa/totp/activate/")
    secret = client.session["mfa.totp.secret"]
    code = totp.format_hotp_value(totp.hotp_value(secret, next(iter(totp.yield_hotp_counters_from_time()))))
    mails = sent(lambda: client.post("/account/2fa/totp/activate/", {"code": code}))
    assert subjects(mails) == [("Two-factor authentication is on", ["ada@example.test"])]
    mails = sent(lambda: client.post("/account/2fa/recovery-codes/generate/"))
    assert subjects(mails) == [("You have new recovery codes", ["ada@example.test"])]
    mails = sent(lambda: client.post("/account/2fa/totp/deactivate/"))
    assert subjects(mails) == [("Two-factor authentication is off", ["ada@example.test"])]
    assert not Authenticator.objects.exists()


def test_a_new_key_is_mailed_without_its_secret(sent: Any) -> None:
    user = ada()
    client = inside(user)
    body = {"name": "Shop <CI> & more", "scopes": ["read", "buy"]}
    made: list[Any] = []
    [mail] = sent(lambda: made.append(client.post("/api/keys", body, content_type="application/json").json()))
    assert (mail.subject, mail.to) == ("A new API key", ["ada@example.test"])
    assert f"Ringfence: Shop <CI> & more ({made[0]['prefix']}…).\n\nIt may: buy, read\nIt doesn't expire." in mail.body
    assert "From: 127.0.0.1, Firefox on Linux" in mail.body
    assert "revoke the key here:\n\nhttp://localhost:8000/settings/keys" in mail.body
    assert RESET in mail.body
    assert made[0]["key"] not in mail.body


def test_a_key_that_a_key_made_is_mailed_with_its_maker_and_its_end(sent: Any) -> None:
    end = timezone.now().replace(year=2031, month=2, day=3, hour=4, minute=5) + timedelta(0)
    mother, _secret = services.create_api_key(user=ada(), name="mother", expires_at=end)
    [mail] = sent(lambda: services.create_api_key(user=mother.user, name="child", by=mother))
    assert "It works until: 3 February 2031, 04:05 UTC\nIt was created by the key: mother" in mail.body


def test_keys_that_end_together_are_mailed_in_one_mail(sent: Any) -> None:
    user = ada()
    mother, _secret = services.create_api_key(user=user, name="mother")
    services.create_api_key(user=user, name="child", by=mother)
    [mail] = sent(lambda: services.revoke_api_key(user=user, key_id=mother.pk))
    assert (mail.subject, mail.to) == ("2 API keys were revoked", ["ada@example.test"])
    assert re.findall(r"\n(\w+) \(rf_", mail.body) == ["mother", "child"]
    assert sent(lambda: services.revoke_api_key(user=user, key_id=mother.pk)) == []


def test_what_staff_change_is_mailed(sent: Any) -> None:
    user, client = ada(), staff()
    group = Group.objects.create(name="support")
    page = f"/admin/accounts/user/{user.pk}/change/"
    body = {"name": "Ada", "time_zone": "UTC", "is_active": "", "groups": [group.pk], "is_staff": "on"}
    [mail] = sent(lambda: client.post(page, body))
    assert (mail.subject, mail.to) == ("Our staff changed your account", ["ada@example.test"])
    assert mail.body.startswith(
        "This was changed on your account at Ringfence:\n\nName\nActive\nStaff\nGroups\n\nTime: "
    )
    assert "From:" not in mail.body, "where staff sit is not the customer's to know"
    assert "Our staff did this. If you have a question, write to support@localhost." in mail.body
    assert sent(lambda: client.post(page, body)) == []


@pytest.mark.parametrize(
    ("action", "frozen_at", "subject"),
    [("pause_purchases", None, "Purchases are paused"), ("resume_purchases", timezone.now(), "Purchases are resumed")],
)
def test_paused_purchases_are_mailed(sent: Any, action: str, frozen_at: Any, subject: str) -> None:
    user = ada(purchases_frozen_at=frozen_at)
    now, frozen = timezone.now(), action == "pause_purchases"
    [mail] = sent(lambda: services.set_purchases_frozen(user=user, frozen=frozen, reason="a dispute", now=now))
    assert (mail.subject, mail.to, "Reason: a dispute" in mail.body) == (subject, ["ada@example.test"], True)


def test_a_mail_for_an_account_that_is_gone_is_not_sent(mailoutbox: list[Any]) -> None:
    tasks.send_notice(user_id=10**9, notice="api_keys_revoked", context={"keys": []}, at=timezone.now().isoformat())
    assert mailoutbox == []


def test_without_a_broker_a_key_is_made_all_the_same(settings: Any, monkeypatch: pytest.MonkeyPatch, sent: Any) -> None:
    from kombu.exceptions import OperationalError

    def unreachable(*_args: Any, **_kwargs: Any) -> None:
        raise OperationalError

    monkeypatch.setattr(current_app, "send_task", unreachable)
    user = ada()
    assert sent(lambda: services.create_api_key(user=user, name="shop")) == []
    assert user.api_keys.count() == 1


# --- the same work, whether there is an account or not


@pytest.fixture
def counting(settings: Any) -> list[str]:
    settings.PASSWORD_HASHERS = ["accounts.tests.counting.CountingHasher"]
    HASHED.clear()
    return HASHED


def test_signing_up_costs_the_same_for_a_known_address(counting: list[str], mailoutbox: list[Any]) -> None:
    def work(email: str) -> tuple[int, int, tuple[int, str]]:
        hashed, mails = len(counting), len(mailoutbox)
        answer = Client().post("/account/signup/", {"email": email, "password1": PASSWORD})
        return len(counting) - hashed, len(mailoutbox) - mails, (answer.status_code, answer["Location"])

    first = work("ada@example.test")
    assert first == (1, 1, (302, "/account/confirm-email/"))
    cache.clear()  # two mails to one address within three minutes are not sent, whoever it belongs to
    assert work("ada@example.test") == first, "unconfirmed so far"
    EmailAddress.objects.update(verified=True)
    cache.clear()
    assert work("ada@example.test") == first
    assert work("eve@example.test") == first


def test_signing_in_costs_the_same_for_an_unknown_address(counting: list[str]) -> None:
    ada()

    def work(email: str) -> int:
        hashed = len(counting)
        Client().post("/account/login/", {"login": email, "password": "wrong-horse-battery"})
        return len(counting) - hashed

    user = User.objects.get()
    user.set_password(PASSWORD)
    user.save()
    counting.clear()
    assert work("nobody@example.test") == work("ada@example.test")
