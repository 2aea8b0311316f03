"""Deployment checks (`manage.py check --deploy`) that Django does not have."""

import os
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register


@register(Tags.security, deploy=True)
def journal_can_not_be_truncated(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """The test switch of the journal's trigger must not reach a real database."""
    if "ringfence.test" in os.environ.get("PGOPTIONS", ""):
        return [
            Error("PGOPTIONS turns on ringfence.test: the journal could be truncated. Unset it.", id="ringfence.E001")
        ]
    return []
