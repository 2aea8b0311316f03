"""The code of a verification in templates: `{{ row|code_of }}`. For pages of its owner alone."""

from __future__ import annotations

from django import template

from verifications import selectors
from verifications.models import Verification

register = template.Library()


@register.filter
def code_of(verification: Verification) -> str:
    """Return the newest code, "" while there is none."""
    return selectors.code_of(verification)
