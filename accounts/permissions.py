"""What a key may do. A session may do all that its user may."""

from __future__ import annotations

from typing import Any

from rest_framework import permissions
from rest_framework.request import Request

from accounts.models import ApiKey


class HasScope(permissions.IsAuthenticated):
    """Reading needs `read`; a view says with `scope = "buy"` (or "pay", "manage") what its other methods need."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if not super().has_permission(request, view):
            return False
        if not isinstance(request.auth, ApiKey):
            return True
        needed = "read" if request.method in permissions.SAFE_METHODS else getattr(view, "scope", "manage")
        self.message = f"This API key lacks the scope {needed!r}."
        return needed in request.auth.scopes
