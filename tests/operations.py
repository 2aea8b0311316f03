"""Every operation of the API, out of its description."""

from __future__ import annotations

import re
from typing import Any

from drf_spectacular.generators import SchemaGenerator
from rest_framework.test import APIClient

from accounts import services as accounts
from accounts.models import User

SCHEMA = SchemaGenerator().get_schema(request=None, public=True)
OPERATIONS: dict[str, dict[str, Any]] = {
    f"{method.upper()} {path}": operation
    for path, methods in SCHEMA["paths"].items()
    for method, operation in methods.items()
}


def client_of(user: User, *scopes: str) -> APIClient:
    _key, secret = accounts.create_api_key(user=user, name="conventions", scopes=scopes or None)
    return APIClient(HTTP_AUTHORIZATION=f"Bearer {secret}")


def filled(path: str) -> str:
    """The path with parameters of the right shape; nobody has such rows."""
    path = path.replace("{verification_id}", "0b6c7f7e-3c5e-4a53-9a55-0d8f3a0f2d11")
    return re.sub(r"{\w+}", "1", path.replace("{resource_type}", "verification"))
