"""TextVerified, API v2."""

from verifications.providers.textverified.adapter import TextVerified

__all__ = ["TextVerified"]
