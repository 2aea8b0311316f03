"""What is told on the news of the apps to the left: an inbox row for each event, and hints for the sockets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.dispatch import receiver
from django.utils import timezone

from accounts import signals as accounts_signals
from accounts.models import User
from activity import selectors as activity_selectors
from activity import signals as activity_signals
from activity.models import Activity, Alert
from notifications.inbox import services
from notifications.realtime import frames, hints
from payments import signals as payments_signals
from payments.models import Payment
from verifications import selectors as verifications_selectors
from verifications import signals as verifications_signals
from verifications.models import Verification
from wallet import signals as wallet_signals
from wallet.models import Transaction, Wallet


@receiver(activity_signals.activities_recorded, dispatch_uid="notifications.activities_recorded")
def notify_customers(activities: Sequence[Activity], **_kwargs: Any) -> None:
    services.notify(activities=activities)

    def build() -> Iterator[tuple[int, frames.Activity]]:
        for activity in activities:
            yield activity.user_id, frames.activity(activity_selectors.render(activity))

    hints.push_many(build=build)


@receiver(accounts_signals.signed_out, dispatch_uid="notifications.signed_out")
@receiver(accounts_signals.api_key_revoked, dispatch_uid="notifications.api_key_revoked")
@receiver(accounts_signals.settings_changed, dispatch_uid="notifications.settings_changed")
def check_sockets(user: User, **_kwargs: Any) -> None:
    """A change of the password or the account ends sessions too."""
    hints.access_ended(user_id=user.pk)


@receiver(wallet_signals.balance_changed, dispatch_uid="notifications.balance_changed")
def push_balance(wallet: Wallet, transaction: Transaction | None = None, **_kwargs: Any) -> None:
    frame = frames.balance_update(
        balance=wallet.balance,
        held=wallet.held,
        version=wallet.version,
        now=timezone.now(),
        transaction=transaction,
    )
    hints.push(user_id=wallet.user_id, build=lambda: frame)


@receiver(wallet_signals.transaction_posted, dispatch_uid="notifications.transaction_posted")
def push_transaction(transaction: Transaction, **_kwargs: Any) -> None:
    """For the console, which follows every customer's money."""
    frame = frames.transaction(transaction)
    hints.push_staff(build=lambda: frame)


@receiver(verifications_signals.verification_requested, dispatch_uid="notifications.verification_requested")
@receiver(verifications_signals.number_purchased, dispatch_uid="notifications.number_purchased")
@receiver(verifications_signals.verification_refused, dispatch_uid="notifications.verification_refused")
@receiver(verifications_signals.verification_progressed, dispatch_uid="notifications.verification_progressed")
@receiver(verifications_signals.verification_completed, dispatch_uid="notifications.verification_completed")
@receiver(verifications_signals.verification_ended, dispatch_uid="notifications.verification_ended")
@receiver(verifications_signals.verification_updated, dispatch_uid="notifications.verification_updated")
def push_verification(verification: Verification, **_kwargs: Any) -> None:
    """As it stands after the commit: read again, since the service may go on with the instance."""
    hints.push(
        user_id=verification.user_id,
        build=lambda: frames.verification(verifications_selectors.frame_now(verification)),
    )


@receiver(payments_signals.payment_initiated, dispatch_uid="notifications.payment_initiated")
@receiver(payments_signals.payment_completed, dispatch_uid="notifications.payment_completed")
@receiver(payments_signals.payment_failed, dispatch_uid="notifications.payment_failed")
@receiver(payments_signals.payment_expired, dispatch_uid="notifications.payment_expired")
@receiver(payments_signals.payment_mismatched, dispatch_uid="notifications.payment_mismatched")
def push_payment(payment: Payment, **_kwargs: Any) -> None:
    frame = frames.payment(payment)
    hints.push(user_id=payment.user_id, build=lambda: frame)


@receiver(activity_signals.alert_raised, dispatch_uid="notifications.alert_raised")
def push_alert(alert: Alert, **_kwargs: Any) -> None:
    frame = frames.alert(alert)
    hints.push_staff(build=lambda: frame)
