"""Headers, cookies, the content policy, and what production refuses to start without."""

import base64
import sys

from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from .base import DEBUG, SECRET_KEY
from .env import env
from .product import (
    CHECKOUT_ORIGINS,
    FIELD_ENCRYPTION_KEYS,
    STRIPE_SECRET_KEY,
    STRIPE_WEBHOOK_SECRET,
    TEXTVERIFIED_API_KEY,
    TEXTVERIFIED_USERNAME,
    TEXTVERIFIED_WEBHOOK_SECRET,
)

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "connect-src": [SELF],
        "object-src": [NONE],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        # A form that leads to the hosted checkout is redirected there, and browsers hold redirects to this list.
        "form-action": [SELF, *CHECKOUT_ORIGINS],
    }
}

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = not DEBUG
CSRF_COOKIE_SECURE = not DEBUG
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=not DEBUG)
SECURE_REDIRECT_EXEMPT = [r"^health/", r"^metrics$"]
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=0 if DEBUG else 31_536_000)
SECURE_HSTS_INCLUDE_SUBDOMAINS = not DEBUG
SECURE_HSTS_PRELOAD = not DEBUG
BEHIND_PROXY = env.bool("BEHIND_PROXY", default=False)
if BEHIND_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# How many proxies of ours append to X-Forwarded-For: what stands further left in it, the caller wrote.
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", default=1 if BEHIND_PROXY else 0)
CSRF_FAILURE_VIEW = "config.error_pages.csrf_failure"
# Staff without a second factor are led to set one up before the console opens.
CONSOLE_REQUIRES_MFA = env.bool("CONSOLE_REQUIRES_MFA", default=not DEBUG)

REQUIRED_SECRETS = {
    "SECRET_KEY": SECRET_KEY,
    "FIELD_ENCRYPTION_KEYS": ",".join(FIELD_ENCRYPTION_KEYS),
    "TEXTVERIFIED_API_KEY": TEXTVERIFIED_API_KEY,
    "TEXTVERIFIED_USERNAME": TEXTVERIFIED_USERNAME,
    "TEXTVERIFIED_WEBHOOK_SECRET": TEXTVERIFIED_WEBHOOK_SECRET,
    "STRIPE_SECRET_KEY": STRIPE_SECRET_KEY,
    "STRIPE_WEBHOOK_SECRET": STRIPE_WEBHOOK_SECRET,
}
# Values that this repository or its launcher shows to everyone.
_KNOWN_TO_ALL = ("changeme", "sandbox", "insecure", "example")


def refuse_weak_secrets(secrets: dict[str, str]) -> None:
    """Raise ImproperlyConfigured, naming every secret that is missing or a published default."""
    missing = [name for name, value in secrets.items() if not value]
    weak = [name for name, value in secrets.items() if any(word in value.lower() for word in _KNOWN_TO_ALL)]
    wrong = [key for key in filter(None, secrets.get("FIELD_ENCRYPTION_KEYS", "").split(",")) if not _is_key(key)]
    complaints = [f"{name} is not set." for name in missing] + [f"{name} is a default." for name in weak]
    if wrong and "FIELD_ENCRYPTION_KEYS" not in weak:
        complaints.append("FIELD_ENCRYPTION_KEYS holds what is no Fernet key (32 bytes in URL-safe base64).")
    secret_key = secrets.get("SECRET_KEY", "")
    if secret_key and "SECRET_KEY" not in weak and (len(secret_key) < 50 or len(set(secret_key)) < 5):
        complaints.append("SECRET_KEY is too easy to guess: it takes 50 characters or more, such as 64 random ones.")
    if complaints:
        raise ImproperlyConfigured("Ringfence does not start without its secrets: " + " ".join(complaints))


def _is_key(text: str) -> bool:
    try:
        return len(base64.urlsafe_b64decode(text)) == 32
    except ValueError:
        return False


if not DEBUG and "collectstatic" not in sys.argv:
    refuse_weak_secrets(REQUIRED_SECRETS)
