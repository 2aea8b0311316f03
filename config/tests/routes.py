"""Every address of the product, with parameters filled in."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

from accounts import services as accounts
from accounts.models import User
from activity.models import Activity
from config.lib.unit_of_work import unit_of_work
from notifications.models import Notification
from payments.tests.factories import make_payment
from refunds import services as refunds
from refunds.tests.factories import bought, end
from wallet.tests.factories import funded


@dataclass(frozen=True)
class Route:
    """`path` with its parameters as `{name}`."""

    path: str
    name: str
    parameters: tuple[str, ...]

    def at(self, **values: Any) -> str:
        return self.path.format(**values)


def routes() -> list[Route]:
    """All but the console's (which Django's own permissions guard) and the catch-all of /api/."""
    found = [route for route in _walk(get_resolver(), "/") if not route.path.startswith("/admin/")]
    return [route for route in found if route.path != "/api/.*"]


def console_routes() -> list[Route]:
    """The console's, named with their namespace; without its catch-all."""
    found = [route for route in _walk(get_resolver(), "/") if route.path.startswith("/admin/")]
    return [
        Route(route.path, f"admin:{route.name}", route.parameters) for route in found if "(?P<url>" not in route.path
    ]


def _walk(resolver: Any, prefix: str) -> Iterator[Route]:
    for pattern in resolver.url_patterns:
        path = prefix + _braced(str(pattern.pattern))
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern, path)
        elif isinstance(pattern, URLPattern):
            yield Route(path, pattern.name or path, tuple(re.findall(r"{(\w+)}", path)))


def _braced(pattern: str) -> str:
    """Both ways of writing: `keys/<int:key_id>` and `^keys/(?P<key_id>[0-9]+)$`."""
    if "(?P<" in pattern:
        return re.sub(r"\(\?P<(\w+)>[^)]*\)", r"{\1}", pattern).strip("^$")
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", pattern).strip("^$")


def belongings(user: User) -> dict[str, str]:
    """Rows of the user, as the parameters of addresses name them."""
    funded(user, 20_00)
    key, _secret = accounts.create_api_key(user=user, name="theirs")
    verification = end(bought(user))
    with unit_of_work():
        refund = refunds.refund_verification(verification=verification, reason="timeout")
    activity = Activity.objects.filter(user=user).latest("pk")
    notification = Notification.objects.filter(activity__user=user).latest("pk")
    return {
        "key_id": str(key.pk),
        "verification_id": str(verification.pk),
        "reference": make_payment(user).reference,
        "refund_reference": refund.reference,
        "activity_id": str(activity.pk),
        "notification_id": str(notification.pk),
    }


# Parameters that name nobody's property.
PUBLIC = {
    "name": "whatsapp",
    "key": "MQ:abc:def",
    "uidb36": "1",
    "resource_type": "verification",
    "resource_id": str(uuid.UUID(int=1)),
}
