"""How an event's data reads, in the reader's language and time zone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils import formats, timezone
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from activity.events import VOCABULARY, Event, Kind
from config.lib import money, phones
from verifications.selectors import COUNTRY_NAMES

REASONS: dict[str, str | Promise] = {
    "timeout": _("no code came in time"),
    "cancelled": _("cancelled"),
    "failed": _("ended by the provider"),
}

# As a sentence has them: "in the United States".
COUNTRIES_IN_SENTENCES: dict[str, str | Promise] = {"US": _("the United States")}

_AMOUNT = re.compile(r"^-?\d+\.\d\d$")


class BadEventData(Exception):
    """An event's data isn't what its row of the vocabulary declares: a mistake in the program."""


class _Values(dict[str, str]):
    """An old row may lack a field that was declared after it was written: it still reads."""

    def __missing__(self, key: str) -> str:
        return "…"


def validate(event: Event, data: Mapping[str, Any]) -> None:
    """Raise BadEventData unless `data` has exactly the declared fields, each of its kind."""
    if data.keys() != event.fields.keys():
        missing, undeclared = sorted(event.fields.keys() - data.keys()), sorted(data.keys() - event.fields.keys())
        raise BadEventData(f"{event.name}: missing {missing}, undeclared {undeclared}")
    wrong = sorted(name for name, kind in event.fields.items() if not _fits(kind, data[name]))
    if wrong:
        raise BadEventData(f"{event.name}: {wrong} aren't what {event.name} declares them to be")


def _fits(kind: Kind, value: Any) -> bool:
    if type(value) is not str:
        return False
    if kind is Kind.MONEY:
        return bool(_AMOUNT.match(value))
    if kind is Kind.TIME:
        return _time(value) is not None
    return True


def _time(value: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def present(kind: Kind, value: str) -> str:
    """Return one value as people read it: "2.50" -> "$2.50", "timeout" -> "no code came in time"."""
    if kind is Kind.MONEY:
        return money.display(money.to_cents(value))
    if kind is Kind.REASON:
        return str(REASONS.get(value, value))
    if kind is Kind.COUNTRY:
        return str(COUNTRIES_IN_SENTENCES.get(value, COUNTRY_NAMES.get(value, value)))
    if kind is Kind.PHONE:
        return phones.display(value)
    if kind is Kind.TIME and (moment := _time(value)):
        return formats.date_format(timezone.localtime(moment), "j M Y, H:i")
    return value


def values(event_name: str, data: Mapping[str, str]) -> dict[str, str]:
    """Return the event's fields as people read them. Fields that are no longer declared are left as they are."""
    fields = VOCABULARY[event_name].fields if event_name in VOCABULARY else {}
    return _Values({name: present(fields.get(name, Kind.TEXT), value) for name, value in data.items()})


def fill(template: str | Promise, shown: Mapping[str, str]) -> str:
    """Return the template with its braces filled in."""
    return str(template).format_map(shown)


def without_full_stop(sentence: object) -> str:
    """Return a reason as the templates take it: they bring the full stop."""
    return str(sentence).strip().rstrip(".") or gettext("No reason was given")
