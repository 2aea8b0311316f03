"""Which user a socket belongs to, and whether their session or key is still good."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, load_backend
from django.contrib.sessions.models import Session
from django.db import connection
from django.db.models import Q
from django.utils.crypto import constant_time_compare

from accounts import services as accounts
from accounts import staff
from accounts.models import ApiKey, User
from notifications.realtime import frames
from notifications.sockets import tickets


@dataclass(frozen=True)
class Identity:
    """A user, and the session or API key that proves it. A ticket stands for the one that it was made with."""

    user_id: int
    watches_console: bool
    session_key: str = ""
    session_hash: str = ""
    password_digest: str = ""
    api_key_id: int | None = None
    scopes: frozenset[str] = frozenset(ApiKey.SCOPES)

    def may(self, scope: str) -> bool:
        return scope in self.scopes


def from_session(session_key: str) -> Identity | None:
    """Return the user signed in with this session, checked as Django's middleware does, but changing nothing."""
    session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    backend = session.get(BACKEND_SESSION_KEY)
    if backend not in settings.AUTHENTICATION_BACKENDS or SESSION_KEY not in session:
        return None
    user = load_backend(backend).get_user(User._meta.pk.to_python(session[SESSION_KEY]))
    if user is None:
        return None
    known = session.get(HASH_SESSION_KEY) or ""
    if not any(constant_time_compare(known, good) for good in _session_hashes(user)):
        return None
    return Identity(
        user.pk,
        staff.has_access(user, staff.CONSOLE_FEED),
        session_key=session_key,
        session_hash=known,
        password_digest=hashlib.sha256(user.password.encode()).hexdigest(),
    )


def from_key(secret: str) -> Identity | None:
    key = accounts.authenticate_key(secret=secret)
    return _identity_of_key(key) if key else None


def from_ticket(secret: str, *, now: datetime) -> Identity | None:
    """Use the ticket up. Return the identity of its key or session, None where that is no longer good."""
    ticket = tickets.redeem(secret=secret, now=now)
    if ticket is None:
        return None
    if ticket.api_key is not None:
        identity: Identity | None = _identity_of_key(ticket.api_key)
    else:
        identity = from_session(ticket.session_key)
    if identity is None or identity.user_id != ticket.user_id:
        return None
    return identity if identity in pongs_of([identity], now=now) else None


def _identity_of_key(key: ApiKey) -> Identity:
    return Identity(
        key.user_id, staff.has_access(key.user, staff.CONSOLE_FEED), api_key_id=key.pk, scopes=frozenset(key.scopes)
    )


def _session_hashes(user: User) -> list[str]:
    return [user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()]


def pongs_of(identities: Collection[Identity], *, now: datetime) -> Mapping[Identity, frames.Pong]:
    """Return the position of each that may stay. Signed out, revoked, expired and deactivated ones are left out.

    It takes three statements, however many they are, and a fourth for those who watch the console. Sessions are in the
    database (the default engine).
    """
    users = {
        row["pk"]: row
        for row in User.objects.filter(pk__in={one.user_id for one in identities}, is_active=True).values(
            "pk", "password", "inbox__seq", "wallet__version"
        )
    }
    asked = {one.session_key for one in identities if one.session_key}
    sessions = set(
        Session.objects.filter(session_key__in=asked, expire_date__gt=now).values_list("session_key", flat=True)
        if asked
        else ()
    )
    key_ids = {one.api_key_id for one in identities if one.api_key_id is not None}
    keys = dict(
        ApiKey.objects.filter(Q(expires_at=None) | Q(expires_at__gt=now), pk__in=key_ids, revoked_at=None).values_list(
            "pk", "user_id"
        )
        if key_ids
        else ()
    )

    watchers = {one.user_id for one in identities if one.watches_console}
    watching = staff.users_with_access(staff.CONSOLE_FEED, among=watchers)

    def stays(one: Identity) -> bool:
        row = users.get(one.user_id)
        if row is None or (one.watches_console and one.user_id not in watching):
            return False
        if one.api_key_id is not None:
            return keys.get(one.api_key_id) == one.user_id
        return one.session_key in sessions and one.session_hash in _session_hashes(User(password=row["password"]))

    return {
        one: frames.pong(seq=users[one.user_id]["inbox__seq"], version=users[one.user_id]["wallet__version"])
        for one in identities
        if stays(one)
    }


# Each selects what has ended, so that a check of ten thousand that stay costs little.
_ENDED_SESSIONS = """
    SELECT given.key FROM unnest(%s::text[]) AS given (key)
    WHERE NOT EXISTS (SELECT FROM django_session kept WHERE kept.session_key = given.key AND kept.expire_date > %s)
"""
_ENDED_KEYS = """
    SELECT given.id FROM unnest(%s::bigint[]) AS given (id)
    WHERE NOT EXISTS (SELECT FROM accounts_apikey kept WHERE kept.id = given.id AND kept.revoked_at IS NULL
                      AND (kept.expires_at IS NULL OR kept.expires_at > %s))
"""
_ENDED_USERS = """
    SELECT given.id, given.digest FROM unnest(%s::bigint[], %s::text[]) AS given (id, digest)
    WHERE NOT EXISTS (SELECT FROM accounts_user kept WHERE kept.id = given.id AND kept.is_active
                      AND given.digest IN ('', encode(sha256(convert_to(kept.password, 'UTF8')), 'hex')))
"""


def find_ended(identities: Sequence[Identity], *, now: datetime) -> list[int]:
    """Return the indexes of those that may not stay: what `pongs_of` leaves out, and nothing else."""
    users = {(one.user_id, one.password_digest) for one in identities}
    sessions = list({one.session_key for one in identities if one.session_key})
    keys = list({one.api_key_id for one in identities if one.api_key_id is not None})
    watching = {one.user_id for one in identities if one.watches_console}
    ended_users = set(_rows(_ENDED_USERS, [[user for user, _digest in users], [digest for _user, digest in users]]))
    ended_sessions = {key for (key,) in _rows(_ENDED_SESSIONS, [sessions, now])}
    ended_keys = {key for (key,) in _rows(_ENDED_KEYS, [keys, now])}
    former_staff = watching - staff.users_with_access(staff.CONSOLE_FEED, among=watching)
    if not (ended_users or ended_sessions or ended_keys or former_staff):
        return []
    return [
        index
        for index, one in enumerate(identities)
        if (one.user_id, one.password_digest) in ended_users
        or one.session_key in ended_sessions
        or one.api_key_id in ended_keys
        or (one.watches_console and one.user_id in former_staff)
    ]


def _rows(statement: str, given: list[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, given)
        return cursor.fetchall()
