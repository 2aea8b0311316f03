"""Sockets whose session or key may have ended are checked."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from accounts import signals
from accounts.models import User
from notifications.realtime import hints


@receiver(signals.signed_out, dispatch_uid="notifications.signed_out")
@receiver(signals.api_key_revoked, dispatch_uid="notifications.api_key_revoked")
@receiver(signals.settings_changed, dispatch_uid="notifications.settings_changed")
def check_sockets(user: User, **_kwargs: Any) -> None:
    """Have the user's sockets checked: a change of the password or the account ends sessions too."""
    hints.access_ended(user_id=user.pk)
