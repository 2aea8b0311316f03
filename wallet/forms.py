"""The filters of the wallet's page."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

from django import forms
from django.utils import timezone

from wallet.models import TransactionType


class TransactionFilter(forms.Form):
    type = forms.ChoiceField(choices=TransactionType.choices, required=False)
    start = forms.DateField(required=False)
    end = forms.DateField(required=False)

    def bounds(self) -> dict[str, Any]:
        """Return `type`, `start` and `end` for the selector; days are the reader's, the end day is included."""
        data = self.cleaned_data
        end = data.get("end")
        return {
            "type": data.get("type") or None,
            "start": _midnight(data.get("start")),
            "end": _midnight(end + timedelta(days=1)) if end and end.year < 9999 else None,
        }


def _midnight(day: Any) -> datetime | None:
    return timezone.make_aware(datetime.combine(day, time.min)) if day else None
