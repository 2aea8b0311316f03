"""What the feed can be filtered by."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

TYPES = (
    ("verification", _("Verifications")),
    ("payment", _("Payments")),
    ("wallet", _("Wallet")),
    ("refund", _("Refunds")),
    ("access", _("Sign-ins and security")),
    ("login", _("Sign-ins")),
    ("settings", _("Settings")),
    ("api_key", _("API keys")),
    ("security", _("Security")),
)


# What one choice of the filter means: more than one type of the vocabulary.
GROUPS = {"access": ("login", "security", "api_key")}


class FeedFilter(forms.Form):
    type = forms.ChoiceField(choices=TYPES, required=False)
    start = forms.DateField(required=False)
    end = forms.DateField(required=False)
    q = forms.CharField(max_length=100, required=False)

    def bounds(self) -> dict[str, Any]:
        """Return the selector's arguments; the days are the reader's, the end day is inside."""
        data = self.cleaned_data
        chosen, end = data.get("type") or "", data.get("end")
        return {
            "activity_types": GROUPS.get(chosen, (chosen,)) if chosen else (),
            "start": _midnight(data.get("start")),
            "end": _midnight(end + timedelta(days=1)) if end and end.year < 9999 else None,
            "q": data.get("q") or "",
        }


def _midnight(day: Any) -> datetime | None:
    return timezone.make_aware(datetime.combine(day, time.min)) if day else None
