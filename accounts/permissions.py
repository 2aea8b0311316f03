"""Permissions of the API: scopes of keys, and what staff need. A session may do all that its user may."""

from __future__ import annotations

from typing import Any, cast

from django.utils.translation import gettext as _
from rest_framework import permissions
from rest_framework.request import Request

from accounts import staff
from accounts.models import ApiKey, User


class HasScope(permissions.IsAuthenticated):
    """Require the scope `read` for reading, and the view's `scope` ("buy", "pay" or "manage") for its other methods."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if not super().has_permission(request, view):
            return False
        if not isinstance(request.auth, ApiKey):
            return True
        needed = "read" if request.method in permissions.SAFE_METHODS else getattr(view, "scope", "manage")
        self.message = f"This API key lacks the scope {needed!r}."
        return needed in request.auth.scopes


class HasStaffPermissions(HasScope):
    """Require staff with all of the view's `staff_permissions` and a second factor, for their keys too."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if not super().has_permission(request, view):
            return False
        user = cast(User, request.user)
        if staff.has_access(user, view.staff_permissions):
            return True
        if user.is_staff and staff.lacks_second_factor(user):
            self.message = _("Staff need two-factor authentication for this. Turn it on in Settings, Security.")
        else:
            self.message = _("This is for staff who have the permission: %(permissions)s.") % {
                "permissions": ", ".join(view.staff_permissions)
            }
        return False
