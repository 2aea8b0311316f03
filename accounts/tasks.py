"""Celery tasks of this app."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from allauth.account.adapter import get_adapter
from anymail.exceptions import AnymailError
from celery import shared_task
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from accounts import sessions
from accounts.adapters import remedy_links
from accounts.models import User

_TIMES = ("expires_at",)


# Six tries in about half an hour: by then a mail is old news, and the inbox has it.
@shared_task(autoretry_for=(OSError, AnymailError), retry_backoff=30, retry_backoff_max=900, max_retries=6)
def send_notice(user_id: int, notice: str, context: dict[str, Any], at: str) -> None:
    """Send the e-mail `accounts/email/NOTICE` to the account's address, unless the account is gone."""
    user = User.objects.filter(pk=user_id).first()
    if user is None:
        return
    times: dict[str, datetime | None] = {name: parse_datetime(context.get(name) or "") for name in _TIMES}
    message = {**remedy_links(), **context, **times, "timestamp": parse_datetime(at)}
    get_adapter().render_mail(f"accounts/email/{notice}", user.email, message).send()


@shared_task
def clear_sessions() -> int:
    """Delete expired sessions, each night."""
    return sessions.clear_sessions(now=timezone.now())
