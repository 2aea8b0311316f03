"""What a key may do, and what staff may. A session may do all that its user may."""

from __future__ import annotations

from typing import Any, cast

from django.utils.translation import gettext as _
from rest_framework import permissions
from rest_framework.request import Request

from accounts import staff
from accounts.models import ApiKey, User


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


class StaffMay(HasScope):
    """Lets in staff who have all of the view's `staff_permissions` and a second factor; so a key of theirs too."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if not super().has_permission(request, view):
            return False
        user = cast(User, request.user)
        if staff.may(user, view.staff_permissions):
            return True
        if user.is_staff and staff.lacks_second_factor(user):
            self.message = _("Staff need two-factor authentication for this. Turn it on in Settings, Security.")
        else:
            self.message = _("This is for staff who have the permission: %(permissions)s.") % {
                "permissions": ", ".join(view.staff_permissions)
            }
        return False
