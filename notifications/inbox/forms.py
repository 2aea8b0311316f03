"""What the centre can be filtered by."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from notifications import catalog

UNREAD, READ, ARCHIVED = "unread", "read", "archived"
STATES = ((UNREAD, _("Unread")), (READ, _("Read")), (ARCHIVED, _("Archived")))
SORTS = (("newest", _("Newest first")), ("oldest", _("Oldest first")), ("unread", _("Unread first")))
_IS_READ = {UNREAD: False, READ: True}


class CentreFilter(forms.Form):
    """A field that makes no sense filters nothing."""

    category = forms.ChoiceField(choices=tuple(catalog.CATEGORIES.items()), required=False)
    state = forms.ChoiceField(choices=STATES, required=False)
    start = forms.DateField(required=False)
    end = forms.DateField(required=False)
    q = forms.CharField(max_length=100, required=False)
    sort = forms.ChoiceField(choices=SORTS, required=False)

    @property
    def chosen(self) -> dict[str, Any]:
        """Return what was given and makes sense, by name."""
        self.is_valid()
        return {name: value for name, value in self.cleaned_data.items() if value}

    @property
    def narrows(self) -> bool:
        """Return whether it leaves anything out of the inbox."""
        return bool(self.chosen.keys() - {"sort"})

    @property
    def order(self) -> str:
        return self.chosen.get("sort", "newest")

    def bounds(self) -> dict[str, Any]:
        """Return the selector's arguments; the days are the reader's, the end day is inside."""
        given = self.chosen
        end = given.get("end")
        return {
            "category": given.get("category", ""),
            "is_read": _IS_READ.get(given.get("state", "")),
            "is_archived": given.get("state") == ARCHIVED,
            "start": _midnight(given.get("start")),
            "end": _midnight(end + timedelta(days=1)) if end and end.year < 9999 else None,
            "query": given.get("q", ""),
            "sort": self.order,
        }

    def query_string(self, **more: Any) -> str:
        """Return the same filters as an address has them."""
        return urlencode({name: str(value) for name, value in {**self.chosen, **more}.items()})


def _midnight(day: Any) -> datetime | None:
    return timezone.make_aware(datetime.combine(day, time.min)) if day else None
