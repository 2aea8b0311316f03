"""All writes of this app."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import available_timezones

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import signals
from accounts.models import ApiKey, PolicyAcceptance, User
from config.lib.errors import DomainError, NotFound

KEY_PREFIX = "rf_"
_LAST_USED_EVERY = timedelta(minutes=1)


class InvalidSetting(DomainError):
    code = "validation_error"
    status = 400


def digest(secret: str) -> str:
    """What is kept of a key: it has 256 random bits, so a plain hash is enough."""
    return hashlib.sha256(secret.encode()).hexdigest()


@transaction.atomic
def create_api_key(
    *, user: User, name: str, scopes: Sequence[str] = ApiKey.SCOPES, expires_at: datetime | None = None
) -> tuple[ApiKey, str]:
    """A new key and its secret, which is shown this once."""
    unknown = sorted(set(scopes) - set(ApiKey.SCOPES))
    if unknown or not scopes:
        raise InvalidSetting(
            _("A key's scopes are one or more of read, buy, pay and manage."), errors={"scopes": unknown}
        )
    if expires_at is not None and expires_at <= timezone.now():
        raise InvalidSetting(
            _("A key can't have expired before it is made."), errors={"expires_at": [expires_at.isoformat()]}
        )
    secret = KEY_PREFIX + secrets.token_urlsafe(32)
    key = ApiKey.objects.create(
        user=user,
        name=name,
        prefix=secret[:10],
        digest=digest(secret),
        scopes=sorted(set(scopes)),
        expires_at=expires_at,
    )
    signals.api_key_created.send(sender=ApiKey, user=user, api_key=key)
    return key, secret


@transaction.atomic
def revoke_api_key(*, user: User, key_id: int) -> ApiKey:
    """Ends a key at once. Revoking again changes nothing. Raises NotFound for another's key."""
    key = ApiKey.objects.select_for_update().filter(user=user, pk=key_id).first()
    if key is None:
        raise NotFound(_("You have no such API key."))
    if key.revoked_at is None:
        key.revoked_at = timezone.now()
        key.save(update_fields=["revoked_at"])
        signals.api_key_revoked.send(sender=ApiKey, user=user, api_key=key)
    return key


def authenticate_key(*, secret: str) -> ApiKey | None:
    """The live key of an active user, or None. Notes its use once a minute."""
    now = timezone.now()
    key = (
        ApiKey.objects.select_related("user")
        .filter(
            Q(expires_at=None) | Q(expires_at__gt=now), digest=digest(secret), revoked_at=None, user__is_active=True
        )
        .first()
    )
    if key and (key.last_used_at is None or now - key.last_used_at > _LAST_USED_EVERY):
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=now)
    return key


@transaction.atomic
def accept_policy(*, user: User, ip_address: str | None) -> PolicyAcceptance:
    """Records that the user accepts the current policy. Accepting again changes nothing."""
    acceptance, created = PolicyAcceptance.objects.get_or_create(
        user=user, version=settings.POLICY_VERSION, defaults={"ip_address": ip_address}
    )
    if created:
        signals.policy_accepted.send(sender=User, user=user, version=acceptance.version, ip_address=ip_address)
    return acceptance


@transaction.atomic
def update_profile(*, user: User, name: str, time_zone: str) -> User:
    """Name and time zone. Raises InvalidSetting for a zone that the IANA list does not have."""
    if time_zone not in available_timezones():
        raise InvalidSetting(_("Choose a time zone from the list."), errors={"time_zone": [time_zone]})
    changed = [field for field, value in (("name", name), ("time_zone", time_zone)) if getattr(user, field) != value]
    user.name, user.time_zone = name, time_zone
    user.save(update_fields=["name", "time_zone"])
    for field in changed:
        signals.settings_changed.send(sender=User, user=user, what=str(User._meta.get_field(field).verbose_name))
    return user


@transaction.atomic
def set_purchases_frozen(*, user: User, frozen: bool, now: datetime) -> None:
    """Pauses or resumes a customer's purchases."""
    User.objects.filter(pk=user.pk).update(purchases_frozen_at=now if frozen else None)
