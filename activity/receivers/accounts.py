"""Sign-ins, settings and API keys become events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.dispatch import receiver
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import signals
from accounts.models import ApiKey, User
from activity import events, rules, services
from activity.devices import device
from activity.events import Event
from activity.models import Activity
from activity.signals import activities_recorded

# Not worth a security notice; everything else is.
_HARMLESS = ("name", "time zone")


@receiver(signals.signed_in, dispatch_uid="activity.signed_in")
def record_signed_in(user: User, ip_address: str | None = None, user_agent: str = "", **_kwargs: Any) -> None:
    _record_signin(events.SECURITY_SIGNIN, user, ip_address, user_agent)


@receiver(signals.sign_in_failed, dispatch_uid="activity.sign_in_failed")
def record_sign_in_failed(user: User, ip_address: str | None = None, user_agent: str = "", **_kwargs: Any) -> None:
    _record_signin(events.SIGNIN_FAILED, user, ip_address, user_agent)


@receiver(activities_recorded, dispatch_uid="activity.failed_signins")
def watch_failed_signins(activities: Sequence[Activity], **_kwargs: Any) -> None:
    """Apply the rule once the rows are written, since it counts them."""
    for activity in activities:
        if activity.event == events.SIGNIN_FAILED.name:
            rules.watch_failed_signins(user=activity.user, now=activity.created_at)


def _record_signin(event: Event, user: User, ip_address: str | None, user_agent: str) -> None:
    now = timezone.now()
    services.record(
        event=event,
        user=user,
        data={"device": device(user_agent), "place": ip_address or _("an unknown place"), "time": now.isoformat()},
        resource=("user", str(user.pk)),
        ip_address=ip_address,
        user_agent=user_agent,
        now=now,
    )


@receiver(signals.settings_changed, dispatch_uid="activity.settings_changed")
def record_settings(user: User, what: str, actor: str = "", **_kwargs: Any) -> None:
    event = events.SETTINGS_UPDATED if what in _HARMLESS else events.SECURITY_SETTINGS
    services.record(event=event, user=user, data={"what": str(what)}, resource=("user", str(user.pk)), actor=actor)


@receiver(signals.purchases_frozen, dispatch_uid="activity.purchases_frozen")
def record_frozen(user: User, frozen: bool, reason: str, **_kwargs: Any) -> None:
    event = events.PURCHASES_FROZEN if frozen else events.PURCHASES_UNFROZEN
    services.record(event=event, user=user, data={"reason": reason}, resource=("user", str(user.pk)))


@receiver(signals.policy_accepted, dispatch_uid="activity.policy_accepted")
def record_policy(user: User, version: str, ip_address: str | None = None, **_kwargs: Any) -> None:
    services.record(
        event=events.POLICY_ACCEPTED,
        user=user,
        data={"version": version},
        resource=("policy", version),
        ip_address=ip_address,
    )


@receiver(signals.api_key_created, dispatch_uid="activity.api_key_created")
def record_key_created(user: User, api_key: ApiKey, **_kwargs: Any) -> None:
    _record_key(events.API_KEY_CREATED, user, api_key)


@receiver(signals.api_key_revoked, dispatch_uid="activity.api_key_revoked")
def record_key_revoked(user: User, api_key: ApiKey, **_kwargs: Any) -> None:
    _record_key(events.API_KEY_REVOKED, user, api_key)


def _record_key(event: Event, user: User, api_key: ApiKey) -> None:
    services.record(event=event, user=user, data={"name": api_key.name}, resource=("api_key", str(api_key.pk)))
