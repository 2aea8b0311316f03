"""`manage.py seed_demo`: the demo accounts, with a history that really happened.

Everything goes through the services and, over HTTP, through the sandbox, so that the books and the sandbox's ledger
agree from the first minute. Run again, it changes nothing.
"""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from allauth.account.models import EmailAddress
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts import services as accounts
from accounts.models import User
from accounts.signals import settings_changed, sign_in_failed, signed_in
from config.lib.errors.base import DomainError
from config.lib.unit_of_work import unit_of_work
from notifications.announcements.services import announce_to
from payments import services as payments
from payments.models import Payment
from verifications import providers
from verifications import services as verifications
from verifications.models import Verification
from wallet import services as wallet
from wallet.models import Counterparty, TransactionType

DEMO = ("demo@ringfence.test", "demo-password", "Demo Customer")
STAFF = ("staff@ringfence.test", "staff-password", "Demo Staff")
END_BALANCE = 25_00
_BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36"


class Command(BaseCommand):
    help = "Makes the demo accounts and their history, once."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError("Demo accounts have published passwords: they are made only while DEBUG is on.")
        demo = _account(*DEMO)
        _account(*STAFF, is_staff=True, is_superuser=True)
        if Payment.objects.filter(user=demo).exists():
            self.stdout.write("The demo accounts are there already.")
        else:
            sandbox = Sandbox()
            sandbox.wait()
            verifications.sync_catalogue(now=timezone.now())
            _live_through_it(demo, sandbox)
            self.stdout.write("The demo accounts are ready.")
        self._key(demo)

    def _key(self, demo: User) -> None:
        """Return the key that the launcher prints, a new one if its file or its row is gone."""
        file = settings.VAR_DIR / "demo-api-key"
        if file.exists() and accounts.authenticate_key(secret=file.read_text().strip()):
            return
        _row, secret = accounts.create_api_key(user=demo, name="Demo key")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(secret + "\n")


class Sandbox:
    """The sandbox's control API."""

    def __init__(self) -> None:
        address = urlsplit(settings.STRIPE_API_BASE)
        self._base = f"{address.scheme}://{address.netloc}/__ctl"

    def wait(self, seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(f"{self._base}/health", timeout=2).close()  # noqa: S310  our own address
            except OSError:
                time.sleep(0.1)
            else:
                return
        raise CommandError("The demo's history is made through the sandbox, and it isn't running: start `make run`.")

    def call(self, path: str, **body: Any) -> None:
        request = urllib.request.Request(  # noqa: S310  our own address
            f"{self._base}/{path}", data=json.dumps(body).encode(), headers={"Content-Type": "application/json"}
        )
        urllib.request.urlopen(request, timeout=10).close()  # noqa: S310


@unit_of_work()
def _account(email: str, password: str, name: str, **fields: Any) -> User:
    user = User.objects.filter(email=email).first()
    if user is None:
        user = User.objects.create_user(email, password, name=name, **fields)
        EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
        accounts.accept_policy(user=user, ip_address="127.0.0.1")
    return user


def _live_through_it(demo: User, sandbox: Sandbox) -> None:
    with unit_of_work():
        sign_in_failed.send(sender=User, user=demo, ip_address="127.0.0.1", user_agent=_BROWSER)
        signed_in.send(sender=User, user=demo, ip_address="127.0.0.1", user_agent=_BROWSER)
    announce_to(
        user_id=demo.pk,
        title="Welcome to Ringfence",
        text="This is a demo: numbers, codes and cards come from a sandbox, and the money is play money.",
        link="/help",
        now=timezone.now(),
    )
    accounts.update_profile(user=demo, name=demo.name, time_zone="Europe/Lisbon")
    key, _secret = accounts.create_api_key(user=demo, name="Old laptop")
    accounts.revoke_api_key(user=demo, key_id=key.pk)
    with unit_of_work():
        demo.set_password(DEMO[1])
        demo.save(update_fields=["password"])
        settings_changed.send(sender=User, user=demo, what="Password")
    for frozen, reason in ((True, "a look at an unusual purchase"), (False, "the purchase was fine")):
        accounts.set_purchases_frozen(user=demo, frozen=frozen, reason=reason, now=timezone.now())
    _give(demo, 2_00, TransactionType.BONUS, Counterparty.PROMOTIONS, "Welcome bonus")
    _code(demo, sandbox)  # takes the balance below the threshold of the low-balance notice
    _top_up(demo, sandbox, 50_00, "failed")
    _expired_top_up(demo)
    _top_up(demo, sandbox, 20_00, "paid")
    _refused(demo)
    _unclear(demo, sandbox)
    _cancelled(demo)
    _timed_out(demo)
    _ended_by_provider(demo)
    _message(demo, sandbox, "Your parcel is on its way.")
    _code(demo, sandbox)
    current = wallet.wallet_of(user=demo).balance
    if current != END_BALANCE:
        _give(demo, END_BALANCE - current, TransactionType.ADJUSTMENT, Counterparty.CORRECTIONS, "Goodwill credit")


def _give(demo: User, amount: int, kind: str, counterparty: str, description: str) -> None:
    move: Callable[..., Any] = wallet.credit if amount > 0 else wallet.debit
    with unit_of_work():
        move(
            user=demo,
            amount=abs(amount),
            type=kind,
            counterparty=counterparty,
            reference=f"demo:{kind}:{demo.pk}",
            description=description,
            metadata={"reason": description},
        )


def _buy(demo: User, service: str) -> Verification:
    return verifications.buy(user=demo, service_name=service).verification


def _code(demo: User, sandbox: Sandbox) -> None:
    _message(demo, sandbox, "Your verification code is 123456")


def _message(demo: User, sandbox: Sandbox, text: str) -> None:
    bought = _buy(demo, "test_success")
    sandbox.call("sms", number=bought.phone_number, text=text)
    verifications.poll_due(now=_past(bought.next_poll_at))


def _refused(demo: User) -> None:
    try:
        _buy(demo, "test_no_numbers")
    except DomainError:
        return  # this is what it is bought for


def _unclear(demo: User, sandbox: Sandbox) -> None:
    """Buy where the answer to the order is lost: recovery asks again and gets the number."""
    sandbox.call("faults", match=r"POST .*/v2/verifications$", fault="drop_after")
    bought = _buy(demo, "test_pending")
    verifications.recover_due(now=_past(bought.next_recovery_at))
    bought.refresh_from_db()
    verifications.cancel(user=demo, verification_id=bought.pk)


def _cancelled(demo: User) -> None:
    bought = _buy(demo, "test_pending")
    verifications.notify_progress(now=timezone.now() + timedelta(seconds=settings.PROGRESS_AFTER_SECONDS + 1))
    verifications.cancel(user=demo, verification_id=bought.pk)


def _timed_out(demo: User) -> None:
    bought = _buy(demo, "test_timeout")
    verifications.expire_due(now=_past(bought.expires_at) + timedelta(seconds=settings.EXPIRY_GRACE_SECONDS))


def _ended_by_provider(demo: User) -> None:
    bought = _buy(demo, "test_pending")
    providers.by_name(bought.provider).cancel(bought.provider_id)
    verifications.poll_due(now=_past(bought.next_poll_at))


def _past(moment: datetime | None) -> datetime:
    return max(moment or timezone.now(), timezone.now()) + timedelta(seconds=1)


def _top_up(demo: User, sandbox: Sandbox, cents: int, outcome: str) -> None:
    now = timezone.now()
    payment = payments.initiate(user=demo, amount=cents, now=now).payment
    sandbox.call("pay", reference=payment.reference, outcome=outcome)
    payments.settle(payment=payment, now=timezone.now())


def _expired_top_up(demo: User) -> None:
    payment = payments.initiate(user=demo, amount=10_00, now=timezone.now()).payment
    payments.check_due(now=payment.expires_at + timedelta(seconds=1))
