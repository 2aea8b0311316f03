"""Composed reads of verifications and of the catalogue."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Case, Q, QuerySet, Value, When, prefetch_related_objects
from django.db.models.functions import Lower
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from config.lib import money
from config.lib.errors.base import NotFound
from config.lib.postgres.rows import columns, one
from verifications.catalogue_data import POPULAR, TEST_NOTES, TEST_SERVICES
from verifications.models import OPEN, Message, Offer, Service, Status, Verification

# Names of the countries that the provider sells in; it lists their codes alone.
COUNTRY_NAMES = {"US": _("United States")}


def verification_of(*, user: User, verification_id: uuid.UUID | str) -> Verification:
    """Return a verification of the user's, with service, messages and refunds. Raises NotFound, for another's too."""
    try:
        found = verifications_of(user=user).filter(pk=uuid.UUID(str(verification_id))).first()
    except ValueError:
        found = None
    if found is None:
        raise NotFound(_("You have no such verification."))
    return found


def verifications_of(*, user: User, status: str | None = None) -> QuerySet[Verification]:
    """Return the user's verifications, newest first, each with its service, messages and refunds."""
    rows = (
        Verification.objects.filter(user=user)
        .select_related("service")
        .prefetch_related("messages", "refunds")
        .order_by("-created_at", "-id")
    )
    return rows.filter(status=status) if status else rows


def place_of(*, user: User, verification_id: uuid.UUID) -> Any:
    """Return a row with `created_at` and `id` of the user's verification, its place in the list. Raises NotFound."""
    rows = Verification.objects.filter(user=user, pk=verification_id)
    place = rows.values_list("created_at", "id", named=True).first()
    if place is None:
        raise NotFound(_("You have no such verification."))
    return place


def open_verifications(*, user: User) -> QuerySet[Verification]:
    """Return the user's open verifications, newest first."""
    return verifications_of(user=user).filter(status__in=OPEN)


def open_or_just_completed(*, user: User, now: datetime) -> QuerySet[Verification]:
    """Return what the start page shows: open ones, and those completed in the last CODE_AT_HAND_SECONDS."""
    since = now - timedelta(seconds=settings.CODE_AT_HAND_SECONDS)
    # No verification stays open for a day: bounding `created_at` lets the index on it find the few.
    just_completed = Q(status=Status.COMPLETED, created_at__gt=since - timedelta(days=1), ended_at__gt=since)
    return verifications_of(user=user).filter(Q(status__in=OPEN) | just_completed)


def matching(rows: QuerySet[Verification], query: str) -> QuerySet[Verification]:
    """Return those whose service is called so, or whose phone number has these digits, however they are typed."""
    found = Q(service__title__icontains=query) | Q(service__name__icontains=query)
    if re.fullmatch(r"[0-9+(). /–‑-]+", query, re.ASCII):  # a part of a phone number
        digits = re.sub(r"[^0-9]", "", query)
        if query.strip().startswith("+") or len(digits) == 11:  # with the country's code, which is not stored
            digits = digits.removeprefix("1")
        if digits:
            found |= Q(phone_number__contains=digits)
    return rows.filter(found)


def services_for_sale(*, country: str = "US", query: str = "") -> QuerySet[Offer]:
    """Return the offers that may be bought in a country, by title, each with its service and category."""
    offers = (
        Offer.objects.filter(
            country=country,
            provider=settings.PROVIDER,
            active=True,
            service__blocked=False,
            service__category__blocked=False,
        )
        .select_related("service__category")
        .order_by("service__title", "capability", "pk")
    )
    words = query.strip()
    if words:
        offers = offers.filter(Q(service__title__icontains=words) | Q(service__name__icontains=words))
    return offers


def blocked_services(*, query: str, most: int = 3) -> list[Service]:
    """Return services that the query names and that may not be bought, each with its category."""
    words = query.strip()
    if not words:
        return []
    rows = Service.objects.select_related("category").filter(
        Q(blocked=True) | Q(category__blocked=True), Q(title__icontains=words) | Q(name__icontains=words)
    )
    return list(rows.order_by(Lower("title"), "pk")[:most])


@dataclass(frozen=True)
class CatalogueSection:
    """A part of the catalogue under one heading, '' where it is all that was found."""

    title: str | Promise
    rows: list[tuple[Offer, str | Promise]]  # each with a note on what it does, '' for most


def catalogue_sections(*, country: str = "US", query: str = "", most: int = 60) -> tuple[list[CatalogueSection], bool]:
    """Return what the shop shows, and whether there is more: popular services, then test services, then the rest."""
    offers = services_for_sale(country=country, query=query)
    if query.strip():
        found = list(offers.order_by(_WANTED_FIRST, Lower("service__title"), "pk")[: most + 1])
        return [CatalogueSection("", _with_notes(found[:most]))] if found else [], len(found) > most
    wanted = sorted(
        offers.filter(service__name__in=[*TEST_SERVICES, *POPULAR]), key=lambda offer: _rank(offer.service.name)
    )
    tests = [offer for offer in wanted if offer.service.name in TEST_SERVICES]
    popular = [offer for offer in wanted if offer.service.name not in TEST_SERVICES]
    others = offers.exclude(service__name__in=[*TEST_SERVICES, *POPULAR]).order_by(Lower("service__title"), "pk")
    rest = list(others[: most + 1])
    sections = [
        CatalogueSection(_("Most popular"), _with_notes(popular)),
        CatalogueSection(_("Try it out: test services"), _with_notes(tests)),
        CatalogueSection(_("All other services, A to Z"), _with_notes(rest[:most])),
    ]
    return [section for section in sections if section.rows], len(rest) > most


def popular_offers(*, country: str = "US", most: int = 8) -> tuple[list[Offer], int]:
    """Return popular offers that have a price, and how many more are for sale, for visitors without an account."""
    offers = services_for_sale(country=country).exclude(service__name__in=TEST_SERVICES)
    wanted = offers.filter(service__name__in=POPULAR, price__isnull=False)
    shown = sorted(wanted, key=lambda offer: _rank(offer.service.name))[:most]
    return shown, offers.count() - len(shown)


def _with_notes(offers: Iterable[Offer]) -> list[tuple[Offer, str | Promise]]:
    return [(offer, TEST_NOTES.get(offer.service.name, "")) for offer in offers]


def _rank(name: str) -> int:
    """Return the place of a service: test services (sold where the product is tried out), popular ones, the rest."""
    return _ORDER.get(name, len(_ORDER))


_ORDER = {name: place for place, name in enumerate([*TEST_SERVICES, *POPULAR])}
_WANTED_FIRST = Case(
    *(When(service__name=name, then=Value(place)) for name, place in _ORDER.items()), default=Value(len(_ORDER))
)


def countries() -> list[dict[str, Any]]:
    """Return where numbers are sold: [{"code", "name", "services"}], by code. `services` counts what may be bought."""
    sold: dict[str, set[int]] = {}
    rows = Offer.objects.filter(
        provider=settings.PROVIDER, active=True, service__blocked=False, service__category__blocked=False
    ).values_list("country", "service_id")
    for country, service in rows.distinct():
        sold.setdefault(country, set()).add(service)
    return [
        {"code": code, "name": str(COUNTRY_NAMES.get(code, code)), "services": len(found)}
        for code, found in sorted(sold.items())
    ]


def code_of(verification: Verification) -> str:
    """Return the newest code, '' while there is none. (A service that sent another no longer accepts the first.)"""
    return _code_in(verification.messages.all())


def text_of(verification: Verification) -> str:
    """Return the text that the code came in, else the newest text; '' while there is none."""
    return _text_in(verification.messages.all())


def completing_message(messages: Iterable[Message]) -> Message | None:
    """Return the message that a completion is announced with: the newest with a code, else the newest."""
    newest_first = [*messages][::-1]
    return next((message for message in newest_first if message.code), newest_first[0] if newest_first else None)


def _code_in(messages: Iterable[Message]) -> str:
    return next((str(message.code) for message in reversed([*messages]) if message.code), "")


def _text_in(messages: Iterable[Message]) -> str:
    best = completing_message(messages)
    return str(best.text) if best else ""


def refund_of(verification: Verification) -> Any:
    """Return the refund that was not undone, None while there is none. (By its related name: refunds imports us.)"""
    refunds = [refund for refund in verification.refunds.all() if refund.status not in ("failed", "cancelled")]
    return max(refunds, key=lambda refund: refund.pk, default=None)


_CURRENT = f"""
SELECT {columns(Verification, "v")},
    EXISTS (SELECT FROM verifications_message m WHERE m.verification_id = v.id)
FROM verifications_verification v WHERE v.id = %s
"""  # noqa: S608


def prefetch_shown(verification: Verification, *, just_bought: bool = False) -> None:
    """Load messages and refunds. A verification that was bought just now and is open has none, and costs no query."""
    if just_bought and verification.is_open:
        verification._prefetched_objects_cache = {"messages": [], "refunds": []}  # type: ignore[attr-defined]
    else:
        prefetch_related_objects([verification], "messages", "refunds")


def current_summary(known: Verification) -> dict[str, Any]:
    """Return `summary_of` the row as it stands in the database now. Messages are read only where there are any.

    `known` gives the id, and the service where it has that loaded.
    """
    row = one(Verification, _CURRENT, [known.pk])
    if row is None:
        raise Verification.DoesNotExist
    current, (has_messages,) = row
    if Verification.service.is_cached(known):
        current.service = known.service
    return _summary(current, list(current.messages.all()) if has_messages else [])


def summary_of(verification: Verification) -> dict[str, Any]:
    """Return what its owner sees of a verification in a frame: strings and primitives.

    `code` and `text` are '' while there are none; times are ISO 8601; `cancelling`: asked for, not confirmed yet.
    """
    return _summary(verification, list(verification.messages.all()))


def _summary(verification: Verification, messages: list[Message]) -> dict[str, Any]:
    return {
        "id": str(verification.pk),
        "status": verification.status,
        "service_name": verification.service.name,
        "service_title": verification.service.title,
        "country": verification.country,
        "phone_number": verification.phone_number or None,
        "price": money.to_text(verification.price),
        "currency": verification.currency,
        "code": _code_in(messages),
        "text": _text_in(messages),
        "messages": len(messages),
        "cancelling": verification.is_cancelling,
        "charged": verification.charged,
        "failure_reason": verification.failure_reason,
        "created_at": verification.created_at.isoformat(),
        "expires_at": _iso(verification.expires_at),
        "ended_at": _iso(verification.ended_at),
    }


def _iso(moment: Any) -> str | None:
    return moment.isoformat() if moment else None
