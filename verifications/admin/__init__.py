"""The console's pages of this app."""

from verifications.admin import catalogue, verifications

__all__ = ["catalogue", "verifications"]
