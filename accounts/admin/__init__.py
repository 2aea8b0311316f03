"""The console's pages of this app."""

from accounts.admin import credentials, users

__all__ = ["credentials", "users"]
