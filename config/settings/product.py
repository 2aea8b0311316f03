"""The product's intervals, limits and outside addresses. Seconds unless the name says otherwise."""

from urllib.parse import urlsplit

from .base import DEBUG
from .env import env

CURRENCY = env.currency("CURRENCY", default="USD")
MARKUP = env.decimal("MARKUP", default="2.0", low=1)  # below 1 every sale is a loss

# The customer's limits
MAX_PENDING = env.int("MAX_PENDING", default=20)
MAX_BUYS_PER_HOUR = env.int("MAX_BUYS_PER_HOUR", default=100)
MAX_CANCELS_PER_HOUR = env.int("MAX_CANCELS_PER_HOUR", default=60)
MAX_API_KEYS = env.int("MAX_API_KEYS", default=25, low=1)
MAX_TOP_UPS_PER_HOUR = env.int("MAX_TOP_UPS_PER_HOUR", default=60)
MAX_PRICE_CENTS = env.int("MAX_PRICE_CENTS", default=100_00)
POLICY_VERSION = env.str("POLICY_VERSION", default="2026-11")
LOW_BALANCE_CENTS = env.int("LOW_BALANCE_CENTS", default=200)

# What staff are alerted to
LARGE_DEDUCTION_CENTS = env.int("LARGE_DEDUCTION_CENTS", default=50_00)
RAPID_TRANSACTIONS = env.int("RAPID_TRANSACTIONS", default=10)
RAPID_TRANSACTIONS_SECONDS = env.int("RAPID_TRANSACTIONS_SECONDS", default=300)
FAILED_SIGNINS = env.int("FAILED_SIGNINS", default=5)
FAILED_SIGNINS_SECONDS = env.int("FAILED_SIGNINS_SECONDS", default=900)

# The life of a verification
PROVIDER = env.str("PROVIDER", default="textverified")
# Whether the account at the provider is ours alone: then the nightly comparison cancels by itself the numbers that no
# verification has; otherwise it only reports them.
PROVIDER_ACCOUNT_EXCLUSIVE = env.bool("PROVIDER_ACCOUNT_EXCLUSIVE", default=False)
PROVIDER_TIMEOUT_SECONDS = env.float("PROVIDER_TIMEOUT_SECONDS", default=10)
# How long a customer's request waits for a vendor; what takes longer goes on in the background.
VENDOR_PATIENCE_SECONDS = env.float("VENDOR_PATIENCE_SECONDS", default=3)
# How many threads of a process may wait for a vendor, by operation (for the gateway's as many again queue for half
# a second). All together stay below three quarters of gunicorn's --threads, and a test compares them.
VENDOR_PLACES = {
    "purchase": env.int("VENDOR_PURCHASES_AT_ONCE", default=12, low=1),
    "cancel": env.int("VENDOR_CANCELS_AT_ONCE", default=6, low=1),
    "quote": env.int("VENDOR_QUOTES_AT_ONCE", default=4, low=1),
    "checkout": env.int("GATEWAY_CHECKOUTS_AT_ONCE", default=3, low=1),
    "payment": env.int("GATEWAY_CHECKS_AT_ONCE", default=3, low=1),
}
POLL_INTERVAL_SECONDS = env.float("POLL_INTERVAL_SECONDS", default=3)
POLL_FAST_FOR_SECONDS = env.int("POLL_FAST_FOR_SECONDS", default=60)
POLL_MAX_INTERVAL_SECONDS = env.float("POLL_MAX_INTERVAL_SECONDS", default=15)
POLL_BATCH = env.int("POLL_BATCH", default=500)
POLL_CONCURRENCY = env.int("POLL_CONCURRENCY", default=200)
PROGRESS_AFTER_SECONDS = env.int("PROGRESS_AFTER_SECONDS", default=120)
EXPIRY_GRACE_SECONDS = env.int("EXPIRY_GRACE_SECONDS", default=10)
EXPIRY_GIVE_UP_SECONDS = env.int("EXPIRY_GIVE_UP_SECONDS", default=120)
# A row that another transaction keeps locked is tried again after so long, then after twice that, up to the maximum.
PUT_ASIDE_SECONDS = env.float("PUT_ASIDE_SECONDS", default=2)
PUT_ASIDE_MAX_SECONDS = env.float("PUT_ASIDE_MAX_SECONDS", default=60)
RECOVER_AFTER_SECONDS = env.int("RECOVER_AFTER_SECONDS", default=15)
RECOVER_GIVE_UP_SECONDS = env.int("RECOVER_GIVE_UP_SECONDS", default=600)
IN_PROGRESS_SECONDS = env.int("IN_PROGRESS_SECONDS", default=10)
CODE_AT_HAND_SECONDS = env.int("CODE_AT_HAND_SECONDS", default=600)
PURGE_AFTER_HOURS = env.int("PURGE_AFTER_HOURS", default=72)
BREAKER_FAILURES = env.int("BREAKER_FAILURES", default=5)
BREAKER_SUBJECTS = env.int("BREAKER_SUBJECTS", default=3, low=1)
BREAKER_RESET_SECONDS = env.int("BREAKER_RESET_SECONDS", default=60)
CATALOGUE_SYNC_SECONDS = env.int("CATALOGUE_SYNC_SECONDS", default=3600)
CATALOGUE_PRICES_PER_SYNC = env.int("CATALOGUE_PRICES_PER_SYNC", default=100)
QUOTE_MAX_AGE_SECONDS = env.int("QUOTE_MAX_AGE_SECONDS", default=3600)
SELL_TEST_SERVICES = env.bool("SELL_TEST_SERVICES", default=DEBUG)
PROVIDER_FLOAT_THRESHOLDS = env.decimals("PROVIDER_FLOAT_THRESHOLDS", default=(50, 25, 10))

# Payments
GATEWAY = env.str("GATEWAY", default="stripe")
GATEWAY_TIMEOUT_SECONDS = env.float("GATEWAY_TIMEOUT_SECONDS", default=10)
TOP_UP_MIN_CENTS = env.int("TOP_UP_MIN_CENTS", default=5_00)
TOP_UP_MAX_CENTS = env.int("TOP_UP_MAX_CENTS", default=500_00)
PAYMENT_CHECK_AFTER_SECONDS = env.int("PAYMENT_CHECK_AFTER_SECONDS", default=600)
PAYMENT_EXPIRES_AFTER_SECONDS = env.int("PAYMENT_EXPIRES_AFTER_SECONDS", default=7200)
PURGE_EVENTS_DAYS = env.int("PURGE_EVENTS_DAYS", default=90, low=1, high=36_500)
WEBHOOK_TOLERANCE_SECONDS = env.int("WEBHOOK_TOLERANCE_SECONDS", default=300)

# Realtime
HEARTBEAT_SECONDS = env.int("HEARTBEAT_SECONDS", default=25)
ACCESS_CHECK_SECONDS = env.float("ACCESS_CHECK_SECONDS", default=4)
TICKET_SECONDS = env.int("TICKET_SECONDS", default=60)
RESUME_LIMIT = env.int("RESUME_LIMIT", default=300)
AUTH_FRAME_SECONDS = env.int("AUTH_FRAME_SECONDS", default=10)
SOCKETS_PER_USER = env.int("SOCKETS_PER_USER", default=50)  # in one process
SOCKET_BUFFER_BYTES = env.int("SOCKET_BUFFER_BYTES", default=1_048_576)  # that a client has not read
REALTIME_THREADS = env.int("REALTIME_THREADS", default=8)
PUBLISH_TIMEOUT_SECONDS = env.float("PUBLISH_TIMEOUT_SECONDS", default=0.25)
SWEEP_WINDOW_SECONDS = env.int("SWEEP_WINDOW_SECONDS", default=3600)
ACTIVITIES_KEPT_DAYS = env.int("ACTIVITIES_KEPT_DAYS", default=730, low=1, high=36_500)  # money's are kept for good
SWEEP_GRACE_SECONDS = env.int("SWEEP_GRACE_SECONDS", default=60)

# The outside world. Empty secrets are refused at a production start (security.py).
TEXTVERIFIED_BASE_URL = env.address("TEXTVERIFIED_BASE_URL", "https://www.textverified.com").rstrip("/")
TEXTVERIFIED_API_KEY = env.str("TEXTVERIFIED_API_KEY", default="")
TEXTVERIFIED_USERNAME = env.str("TEXTVERIFIED_USERNAME", default="")
TEXTVERIFIED_WEBHOOK_SECRET = env.str("TEXTVERIFIED_WEBHOOK_SECRET", default="")
STRIPE_API_BASE = env.address("STRIPE_API_BASE", "https://api.stripe.com").rstrip("/")
# Where the hosted checkout lives: Stripe's own, or the server that stands in for it.
_stripe = urlsplit(STRIPE_API_BASE)
CHECKOUT_ORIGINS = env.list(
    "CHECKOUT_ORIGINS",
    default=["https://checkout.stripe.com"]
    if _stripe.hostname == "api.stripe.com"
    else [f"{_stripe.scheme}://{host}:{_stripe.port or 80}" for host in ("localhost", "127.0.0.1", _stripe.hostname)],
)
STRIPE_SECRET_KEY = env.str("STRIPE_SECRET_KEY", default="")
STRIPE_WEBHOOK_SECRET = env.str("STRIPE_WEBHOOK_SECRET", default="")
FIELD_ENCRYPTION_KEYS = env.list("FIELD_ENCRYPTION_KEYS", default=[])
