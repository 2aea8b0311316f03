"""The console's pages of this app."""

from accounts.admin import accounts, credentials

__all__ = ["accounts", "credentials"]
