"""An encryption key is removed: what it sealed shows as dots, nothing breaks, and a number in flight completes."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts.models import User
from config.lib.secrets import rotation
from config.lib.secrets.encryption import DOTS
from dev.sandbox.testing import RunningSandbox
from tests.operations import client_of
from tests.people import PASSWORD, customer
from verifications import services
from verifications.models import Message, Status, Verification
from verifications.services import poll
from verifications.tests.factories import make_offer

pytestmark = pytest.mark.django_db
OLD, NEW = (Fernet.generate_key().decode() for _ in range(2))


@pytest.fixture
def shop(sandbox: RunningSandbox, settings: Any) -> RunningSandbox:
    settings.FIELD_ENCRYPTION_KEYS = [OLD]
    settings.TEXTVERIFIED_BASE_URL = f"{sandbox.textverified_url}/{uuid4().hex}/.."
    poll._paused_until.clear()
    make_offer("test_pending")
    return sandbox


@pytest.fixture
def somebody(shop: RunningSandbox) -> User:
    return customer(cents=10_00)


def number_of(user: User) -> Verification:
    return services.buy(user=user, service_name="test_pending").verification


def receive(shop: RunningSandbox, verification: Verification, text: str) -> None:
    shop.sms(verification.phone_number, text)
    services.poll_due(now=timezone.now() + timedelta(seconds=30))
    verification.refresh_from_db()


def tokens() -> list[tuple[bytes, bytes]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT text, code FROM verifications_message ORDER BY id")
        return [(bytes(text), bytes(code)) for text, code in cursor.fetchall()]


def test_no_page_call_or_export_breaks_and_each_shows_dots(shop: RunningSandbox, somebody: User, settings: Any) -> None:
    completed = number_of(somebody)
    receive(shop, completed, "482913 is your code")
    settings.FIELD_ENCRYPTION_KEYS = [NEW]
    somebody.is_staff = somebody.is_superuser = True
    somebody.save()
    browser, program = Client(), client_of(somebody)
    browser.force_login(somebody)

    pages = [
        "/", "/history", f"/verify/{completed.pk}", "/notifications", "/activity",
        f"/admin/verifications/verification/{completed.pk}/change/", "/admin/verifications/verification/",
    ]  # fmt: skip
    calls = [
        "/api/v1/verify", f"/api/v1/verify/{completed.pk}", "/api/notifications", "/api/notifications/center",
        "/api/notifications/export?format=csv", "/api/notifications/export?format=json", "/api/activities",
    ]  # fmt: skip
    answers = {path: browser.get(path) for path in pages} | {path: program.get(path) for path in calls}

    assert {path: answer.status_code for path, answer in answers.items() if answer.status_code != 200} == {}
    shown = {path: answer.getvalue().decode() for path, answer in answers.items()}
    assert [path for path, text in shown.items() if "482913" in text] == []
    dotted = [path for path, text in shown.items() if DOTS in text or json.dumps(DOTS)[1:-1] in text]
    expected = {f"/verify/{completed.pk}", "/notifications", *calls[:6]}
    assert expected <= set(dotted), expected - set(dotted)
    body = answers[f"/api/v1/verify/{completed.pk}"].json()
    assert (body["status"], body["code"], body["sms_text"]) == ("completed", DOTS, DOTS)


def test_a_number_in_flight_completes(shop: RunningSandbox, somebody: User, settings: Any) -> None:
    running = number_of(somebody)
    Message.objects.create(verification=running, digest="x", text="sealed before", received_at=timezone.now())
    settings.FIELD_ENCRYPTION_KEYS = [NEW]

    receive(shop, running, "482913 is your code")

    assert running.status == Status.COMPLETED
    assert sorted(message.text for message in running.messages.all()) == ["482913 is your code", DOTS]


def test_saving_what_can_not_be_read_keeps_it(shop: RunningSandbox, somebody: User, settings: Any) -> None:
    completed = number_of(somebody)
    receive(shop, completed, "482913 is your code")
    before = tokens()
    settings.FIELD_ENCRYPTION_KEYS = [NEW]
    Message.objects.get().save()
    assert tokens() == before
    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]
    assert Message.objects.get().code == "482913"


def test_a_second_factor_that_can_not_be_read_is_a_refusal(shop: RunningSandbox, somebody: User, settings: Any) -> None:
    TOTP.activate(somebody, generate_totp_secret())
    RecoveryCodes.activate(somebody)
    settings.FIELD_ENCRYPTION_KEYS = [NEW]
    browser = Client()
    browser.post("/account/login/", {"login": somebody.email, "password": PASSWORD})
    answer = browser.post("/account/2fa/authenticate/", {"code": "123456"})
    assert answer.status_code == 200
    assert "code" in answer.context["form"].errors


# --- rotation


def rotate(*arguments: str) -> tuple[int, dict[str, dict[str, int]]]:
    out = io.StringIO()
    code = 0
    try:
        call_command("rotate_encryption", "--json", *arguments, stdout=out)
    except CommandError as failed:
        code = failed.returncode
    columns = json.loads(out.getvalue())["columns"]
    return code, {one.pop("column"): one for one in columns}


def counts(checked: int, sealed: int, unreadable: int = 0) -> dict[str, int]:
    return {"checked": checked, "sealed": sealed, "unreadable": unreadable}


@pytest.fixture
def sealed(shop: RunningSandbox, somebody: User, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Five messages and two second factors under the old key; the secrets of the factors."""
    monkeypatch.setattr(rotation, "_BATCH", 2)
    verification = number_of(somebody)
    for number in range(5):
        Message.objects.create(
            verification=verification, digest=str(number), text=f"text {number}", code="", received_at=timezone.now()
        )
    secret = generate_totp_secret()
    TOTP.activate(somebody, secret)
    codes = RecoveryCodes.activate(somebody).get_unused_codes()
    return [secret, *codes]


def test_everything_is_sealed_again_and_the_old_key_may_go(sealed: list[str], somebody: User, settings: Any) -> None:
    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]
    columns = {
        "verifications.Message.text": counts(5, 5),
        "verifications.Message.code": counts(0, 0),
        "mfa.Authenticator.data": counts(2, 2),
    }
    assert rotate("--dry-run") == (0, columns)
    assert rotate("--execute") == (0, columns)
    assert rotate("--execute") == (0, {name: one | {"sealed": 0} for name, one in columns.items()})

    settings.FIELD_ENCRYPTION_KEYS = [NEW]
    assert list(Message.objects.order_by("id").values_list("text", flat=True)) == [f"text {n}" for n in range(5)]
    factors = {row.type: row.wrap() for row in Authenticator.objects.all()}
    assert factors["recovery_codes"].get_unused_codes() == sealed[1:]
    assert rotate("--dry-run")[0] == 0


def test_a_run_that_was_broken_off_goes_on(sealed: list[str], settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]
    real, calls = rotation.rotate, []

    def dies(token: bytes) -> bytes | None:
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return real(token)

    with monkeypatch.context() as patch:
        patch.setattr(rotation, "rotate", dies)
        with pytest.raises(KeyboardInterrupt):
            call_command("rotate_encryption", "--execute")
    assert rotate("--execute")[1]["verifications.Message.text"] == counts(5, 3)  # a batch of two was done


def test_what_no_key_opens_is_counted_and_left(sealed: list[str], settings: Any) -> None:
    settings.FIELD_ENCRYPTION_KEYS = [NEW]
    code, columns = rotate("--execute")
    assert (code, columns["verifications.Message.text"], columns["mfa.Authenticator.data"]) == (
        1,
        counts(5, 0, 5),
        counts(2, 0, 2),
    )
    settings.FIELD_ENCRYPTION_KEYS = [OLD]
    assert Message.objects.filter(text__isnull=False).first().text == "text 0"  # type: ignore[union-attr]
