"""All writes of this app."""

from __future__ import annotations

import hashlib
import secrets
import unicodedata
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import signals, zones
from accounts.errors import SuperuserNotPaused, TooManyKeys
from accounts.models import ApiKey, PolicyAcceptance, User
from config.lib.errors.base import Forbidden, InvalidField, NotFound
from config.lib.unit_of_work import unit_of_work

KEY_PREFIX = "rf_"
_LAST_USED_EVERY = timedelta(minutes=1)


def digest(secret: str) -> str:
    """Return what is stored of a key. It has 256 random bits, so a plain hash is enough."""
    return hashlib.sha256(secret.encode()).hexdigest()


@unit_of_work()
def create_api_key(
    *,
    user: User,
    name: str,
    scopes: Sequence[str] | None = None,
    expires_at: datetime | None = None,
    by: ApiKey | None = None,
) -> tuple[ApiKey, str]:
    """Create a key. Return it and its secret, which is shown this once.

    `by` is the key of the program that asks, if it is one: the new key has no scope and no later end than that, takes
    over what is left out of these, and ends with it. Raises InvalidField, TooManyKeys, and
    Forbidden for more than `by` has, or where that was revoked meanwhile.
    """
    if scopes is None:
        scopes = by.scopes if by else ApiKey.SCOPES
    if expires_at is None and by:
        expires_at = by.expires_at
    name = _one_line("name", name)
    if not name:
        raise InvalidField("name", _("Give the key a name."))
    if not scopes or not set(scopes) <= set(ApiKey.SCOPES):
        raise InvalidField("scopes", _("A key's scopes are one or more of read, buy, pay and manage."))
    if expires_at is not None and expires_at <= timezone.now():
        raise InvalidField("expires_at", _("Enter an expiry time in the future."))
    if by:
        _check_not_above(by, scopes=scopes, expires_at=expires_at)
    User.objects.select_for_update(no_key=True).get(pk=user.pk)  # so that several at once don't all fit below the limit
    live = ApiKey.objects.filter(user=user, revoked_at=None).exclude(expires_at__lte=timezone.now())
    if live.count() >= settings.MAX_API_KEYS:
        raise TooManyKeys(
            _("You have %(count)s API keys, the most there can be. Revoke one that you no longer need.")
            % {"count": settings.MAX_API_KEYS}
        )
    # Wait for a revocation that is under way: it must find the new key, or there must be none.
    if by and not ApiKey.objects.select_for_update().filter(pk=by.pk, revoked_at=None).exists():
        raise Forbidden(_("This API key was revoked, so it can't make another."))
    secret = KEY_PREFIX + secrets.token_urlsafe(32)
    key = ApiKey.objects.create(
        user=user,
        name=name,
        prefix=secret[:10],
        digest=digest(secret),
        scopes=sorted(set(scopes)),
        expires_at=expires_at,
        made_by=by,
    )
    signals.api_key_created.send(sender=ApiKey, user=user, api_key=key)
    return key, secret


def _check_not_above(by: ApiKey, *, scopes: Sequence[str], expires_at: datetime | None) -> None:
    """Raise Forbidden for a scope that the key lacks, or an end later than its own."""
    lacking = sorted(set(scopes) - set(by.scopes))
    if lacking:
        raise Forbidden(
            _("A key can't create one with more scopes than its own: this one lacks %(scopes)s.")
            % {"scopes": ", ".join(lacking)}
        )
    if by.expires_at is not None and (expires_at is None or expires_at > by.expires_at):
        raise Forbidden(_("A key can't create one that expires later than itself."))


def _one_line(field: str, text: str) -> str:
    """Return the stripped text. Raise InvalidField for control characters: names end up in lists, logs and e-mails."""
    if any(unicodedata.category(character) == "Cc" for character in text):
        raise InvalidField(field, _("Use one line without control characters."))
    return text.strip()


@unit_of_work()
def revoke_api_key(*, user: User, key_id: int) -> ApiKey:
    """Revoke a key, and those that it made. Idempotent. Raises NotFound for another user's key."""
    key = ApiKey.objects.select_for_update().filter(user=user, pk=key_id).first()
    if key is None:
        raise NotFound(_("You have no such API key."))
    if key.revoked_at is None:
        _revoke(user, [key, *_descendants(key)])
    return key


@unit_of_work()
def revoke_all_api_keys(*, user: User) -> int:
    """Revoke all keys of a user. Return how many."""
    keys = list(ApiKey.objects.select_for_update().filter(user=user, revoked_at=None).order_by("pk"))
    if keys:
        _revoke(user, keys)
    return len(keys)


def _descendants(key: ApiKey) -> list[ApiKey]:
    """Lock and return the live keys that this one made, and those that they made."""
    found: list[ApiKey] = []
    makers = [key.pk]
    while children := list(
        ApiKey.objects.select_for_update().filter(made_by__in=makers, revoked_at=None).order_by("pk")
    ):
        found += children
        makers = [child.pk for child in children]
    return found


def _revoke(user: User, keys: Sequence[ApiKey]) -> None:
    now = timezone.now()
    for key in keys:
        key.revoked_at = now
        key.save(update_fields=["revoked_at"])
        signals.api_key_revoked.send(sender=ApiKey, user=user, api_key=key)
    signals.api_keys_revoked.send(sender=ApiKey, user=user, api_keys=keys)


def authenticate_key(*, secret: str) -> ApiKey | None:
    """Return the live key of an active user, or None. Record its use, once a minute at most."""
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


@unit_of_work()
def accept_policy(*, user: User, ip_address: str | None) -> PolicyAcceptance:
    """Record that the user accepts the current policy. Idempotent."""
    acceptance, created = PolicyAcceptance.objects.get_or_create(
        user=user, version=settings.POLICY_VERSION, defaults={"ip_address": ip_address}
    )
    if created:
        signals.policy_accepted.send(sender=User, user=user, version=acceptance.version, ip_address=ip_address)
    return acceptance


@unit_of_work()
def update_profile(*, user: User, name: str, time_zone: str) -> User:
    """Change the name and the time zone. Raises InvalidField for a zone that the IANA list does not have."""
    if not zones.is_known(time_zone):
        raise InvalidField("time_zone", _("Choose a time zone from the list."))
    name = _one_line("name", name)
    changed = [field for field, value in (("name", name), ("time_zone", time_zone)) if getattr(user, field) != value]
    user.name, user.time_zone = name, time_zone
    user.save(update_fields=["name", "time_zone"])
    for field in changed:
        signals.settings_changed.send(sender=User, user=user, what=_label(field))
    return user


@unit_of_work()
def set_purchases_frozen(*, user: User, frozen: bool, reason: str, now: datetime) -> None:
    """Pause or resume a customer's purchases. Idempotent: what is so already is not announced again.

    Raises SuperuserNotPaused: staff who may pause customers can't hold up a superuser.
    """
    if frozen and user.is_superuser:
        raise SuperuserNotPaused
    others = User.objects.filter(pk=user.pk, purchases_frozen_at__isnull=frozen)
    if others.update(purchases_frozen_at=now if frozen else None):
        signals.purchases_frozen.send(sender=User, user=user, frozen=frozen, reason=reason)


@unit_of_work()
def save_by_staff(*, user: User, changed: Sequence[str]) -> User:
    """Save the fields that staff changed in the console. The customer sees each in the activity.

    `changed` names permissions and groups too; the console's form saves those by itself.
    """
    own = {field.name for field in User._meta.concrete_fields}
    user.save(update_fields=[field for field in changed if field in own])
    for field in changed:
        signals.settings_changed.send(sender=User, user=user, what=_label(field), actor="staff")
    if changed:
        signals.changed_by_staff.send(sender=User, user=user, what=[_label(field) for field in changed])
    return user


def _label(field: str) -> str:
    return str(getattr(User._meta.get_field(field), "verbose_name", field))
