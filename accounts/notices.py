"""E-mails to the owner of an account about its keys, and about what staff changed.

allauth sends those about passwords, addresses and second factors. A worker sends these, after the commit: a slow mail
server delays no page and no call.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import structlog
from celery import current_app
from django.db import transaction
from django.dispatch import receiver
from django.utils import timezone
from kombu.exceptions import OperationalError

from accounts import signals
from accounts.models import ApiKey, User
from config.lib.request_context import client_of

log = structlog.get_logger(__name__)
SEND = "accounts.tasks.send_notice"


def _send(user: User, notice: str, **context: Any) -> None:
    """Have a worker e-mail `accounts/email/NOTICE` once the transaction is committed. `context` is JSON, no secrets."""
    address, user_agent = client_of(user.pk)
    message = {
        "user_id": user.pk,
        "notice": notice,
        "context": {"ip": address or "", "user_agent": user_agent, **context},
        "at": timezone.now().isoformat(),
    }

    def publish() -> None:
        try:
            current_app.send_task(SEND, kwargs=message, retry=False)
        except OperationalError:  # no broker: what happened stands in the activity and in the inbox
            log.exception("account_notice_unsent", notice=notice, user_id=user.pk)

    transaction.on_commit(publish, robust=True)


@receiver(signals.api_key_created, dispatch_uid="accounts.notices.api_key_created")
def send_key_created(user: User, api_key: ApiKey, **_: Any) -> None:
    _send(
        user,
        "api_key_created",
        name=api_key.name,
        prefix=api_key.prefix,
        scopes=api_key.scopes,
        expires_at=api_key.expires_at.isoformat() if api_key.expires_at else "",
        made_by=api_key.made_by.name if api_key.made_by else "",
    )


@receiver(signals.api_keys_revoked, dispatch_uid="accounts.notices.api_keys_revoked")
def send_keys_revoked(user: User, api_keys: Sequence[ApiKey], **_: Any) -> None:
    _send(user, "api_keys_revoked", keys=[{"name": key.name, "prefix": key.prefix} for key in api_keys])


@receiver(signals.changed_by_staff, dispatch_uid="accounts.notices.changed_by_staff")
def send_changed_by_staff(user: User, what: Sequence[str], **_: Any) -> None:
    _send(user, "changed_by_staff", what=list(what))


@receiver(signals.purchases_frozen, dispatch_uid="accounts.notices.purchases_frozen")
def send_purchases_frozen(user: User, frozen: bool, reason: str, **_: Any) -> None:
    _send(user, "purchases_paused" if frozen else "purchases_resumed", reason=str(reason))
