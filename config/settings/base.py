"""What Django and its libraries need."""

from datetime import timedelta
from importlib.util import find_spec
from urllib.parse import urlsplit

import environ

from config.lib.postgres import limits

from .env import BASE_DIR, VAR_DIR, env

DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY", default="")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["*"] if DEBUG else [])
PORT = env.int("PORT", default=8000, low=1, high=65535)
SANDBOX_PORT = env.int("SANDBOX_PORT", default=8001, low=1, high=65535)
PUBLIC_URL = env.address("PUBLIC_URL", f"http://localhost:{PORT}").rstrip("/")
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]

INSTALLED_APPS = [
    "daphne",
    "config",
    "unfold.apps.BasicAppConfig",  # which leaves the site to ConsoleConfig
    "unfold.contrib.filters",
    "config.apps.ConsoleConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "anymail",
    "channels",
    "csp",
    "django_celery_beat",
    "django_htmx",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "rest_framework",
    "waffle",
    "accounts",
    "wallet",
    "payments",
    "verifications",
    "refunds",
    "activity",
    "notifications",
    *(["dev"] if find_spec("dev") else []),  # the production image is built without it
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.middleware.RequestIdMiddleware",
    "config.lib.request_context.RequestContextMiddleware",
    "config.middleware.AdminContentPolicyMiddleware",
    "csp.middleware.CSPMiddleware",
    "config.middleware.BodyLimitMiddleware",
    "config.middleware.NulCharacterMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "config.middleware.ProbesMiddleware",
    "config.database_outage.DatabaseOutageMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.middleware.PrivateMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "accounts.middleware.SessionsMiddleware",
    "accounts.middleware.TimezoneMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "config.middleware.HtmxVaryMiddleware",
    "waffle.middleware.WaffleMiddleware",
    "config.error_pages.ErrorPagesMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
ASGI_APPLICATION = "config.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "config.context_processors.site",
            ],
        },
    }
]

# A new connection each time costs most, a persistent one a thread is worse under ASGI: the pool.
DATABASE_URL = env.address(
    "DATABASE_URL",
    "postgres://localhost/ringfence",
    schemes=("postgres", "postgresql", "pgsql", "psql"),
    example="postgres://user:password@host:5432/name",
)
DATABASES = {"default": {**environ.Env.db_url_config(DATABASE_URL), "ENGINE": "config.lib.postgres"}}
DATABASES["default"]["CONN_MAX_AGE"] = 0
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True  # the pool hands no connection out that died with a restart
# Seconds, 0 for no limit. A process is "web" until it says that it is something else (limits.use).
DATABASE_LIMITS = {
    "web": {
        "lock_timeout": env.float("DATABASE_LOCK_TIMEOUT_SECONDS", default=5),
        "statement_timeout": env.float("DATABASE_STATEMENT_TIMEOUT_SECONDS", default=30),
        "idle_in_transaction_session_timeout": env.float("DATABASE_IDLE_IN_TRANSACTION_SECONDS", default=10),
    },
    # A worker has more to do than to wait for one customer's row: it comes back to it.
    "background": {
        "lock_timeout": env.float("BACKGROUND_LOCK_TIMEOUT_SECONDS", default=1),
        "statement_timeout": env.float("BACKGROUND_STATEMENT_TIMEOUT_SECONDS", default=60),
        "idle_in_transaction_session_timeout": env.float("BACKGROUND_IDLE_IN_TRANSACTION_SECONDS", default=10),
    },
    # Commands of an operator, migrations and benches: they may take their time, not block others for ever.
    "command": {
        "lock_timeout": env.float("COMMAND_LOCK_TIMEOUT_SECONDS", default=30),
        "statement_timeout": env.float("COMMAND_STATEMENT_TIMEOUT_SECONDS", default=0),
        "idle_in_transaction_session_timeout": env.float("COMMAND_IDLE_IN_TRANSACTION_SECONDS", default=300),
    },
}
# How long a peer may be silent before it is asked whether it lives; twice that, and the connection is dead.
DATABASE_KEEPALIVE_SECONDS = env.int("DATABASE_KEEPALIVE_SECONDS", default=10, low=1)
DATABASES["default"].setdefault("OPTIONS", {}).update(
    options=limits.options(DATABASE_LIMITS["web"], keepalive=DATABASE_KEEPALIVE_SECONDS),
    **limits.keepalives(DATABASE_KEEPALIVE_SECONDS),
    pool={
        "min_size": env.int("DATABASE_POOL_MIN", default=1),
        "max_size": env.int("DATABASE_POOL_MAX", default=20),
        "timeout": env.int("DATABASE_POOL_TIMEOUT_SECONDS", default=10),
    },
)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.address("REDIS_URL", "redis://127.0.0.1:6379/0", schemes=("redis", "rediss", "unix"))
CACHES = {
    "default": {
        "BACKEND": "config.lib.redis.cache.SharedCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": env.str("CACHE_PREFIX", default="ringfence"),
        "VERSION": 2,  # 1 was pickled
        "OPTIONS": {
            # Reading a pickle runs what stands in it: who could write to Redis could run code here.
            "SERIALIZER": "config.lib.redis.cache.CacheSerializer",
            # A dead Redis makes a cache miss, not an error page; rate limits then count in each process.
            "IGNORE_EXCEPTIONS": True,
            "SOCKET_CONNECT_TIMEOUT": 0.25,
            "SOCKET_TIMEOUT": 0.25,
        },
    },
    # waffle keeps model instances, which are no JSON: in the process's own memory, and not for long.
    "flags": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "flags", "TIMEOUT": 10},
}
WAFFLE_CACHE_NAME = "flags"
DJANGO_REDIS_LOG_IGNORED_EXCEPTIONS = True

CHANNEL_PREFIX = env.str("CHANNEL_PREFIX", default="ringfence")
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [{"address": REDIS_URL, "socket_timeout": None}], "prefix": CHANNEL_PREFIX},
    }
}

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English")]  # no more than ours: with Django's own, half of an answer would be in another
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

# Bytes of a request's body: forms and JSON, no files. A gateway's events stay below a quarter of it.
DATA_UPLOAD_MAX_MEMORY_SIZE = env.int("MAX_BODY_BYTES", default=1_048_576, low=1024)

EMAIL_TIMEOUT = env.int("EMAIL_TIMEOUT_SECONDS", default=10)
# E-mail: a folder while DEBUG is on and nothing is configured (the sandbox shows it), else EMAIL_URL or anymail's.
MAIL_DIR = env.str("MAIL_DIR", default=str(VAR_DIR / "mail"))
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="Ringfence <no-reply@ringfence.test>")
SUPPORT_EMAIL = env.str("SUPPORT_EMAIL", default=f"support@{urlsplit(PUBLIC_URL).hostname}")  # where help sends people
if env.address("EMAIL_URL", "", schemes=env.EMAIL_SCHEMES, example="smtp://user:password@host:587"):
    vars().update(env.email_url("EMAIL_URL"))
elif DEBUG:
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = MAIL_DIR
else:
    EMAIL_BACKEND = env.str("EMAIL_BACKEND", default="django.core.mail.backends.smtp.EmailBackend")

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
PASSWORD_MIN_LENGTH = 10
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": PASSWORD_MIN_LENGTH},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"

ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_CONFIRM_EMAIL_ON_GET = False
ACCOUNT_LOGIN_ON_EMAIL_CONFIRMATION = True
ACCOUNT_UNIQUE_EMAIL = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_EMAIL_NOTIFICATIONS = True  # a mail after each change of password, address or second factor
ACCOUNT_ADAPTER = "accounts.adapters.AccountAdapter"
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_FORMS = {
    "login": "accounts.forms.LoginForm",
    "signup": "accounts.forms.SignupForm",
    "add_email": "accounts.forms.AddEmailForm",
    "change_password": "accounts.forms.ChangePasswordForm",
    "reset_password": "accounts.forms.ResetPasswordForm",
    "reset_password_from_key": "accounts.forms.ResetPasswordKeyForm",
    "reauthenticate": "accounts.forms.ReauthenticateForm",
}
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_RATE_LIMITS = {
    "login_failed": env.str("RATE_LIMIT_LOGIN_FAILED", default="10/m/ip,5/5m/key"),
    "signup": env.str("RATE_LIMIT_SIGNUP", default="20/m/ip"),
}
MFA_ADAPTER = "accounts.adapters.MFAAdapter"
MFA_FORMS = {
    "authenticate": "accounts.forms.AuthenticateForm",
    "reauthenticate": "accounts.forms.ReauthenticateByCodeForm",
    "activate_totp": "accounts.forms.ActivateTOTPForm",
}
MFA_TOTP_ISSUER = "Ringfence"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
USERSESSIONS_TRACK_ACTIVITY = True
SESSION_COOKIE_AGE = int(timedelta(days=14).total_seconds())

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.authentication.ApiKeyAuthentication",
        "accounts.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["accounts.permissions.HasScope"],
    "DEFAULT_THROTTLE_CLASSES": ["config.lib.api.throttling.KeyThrottle", "config.lib.api.throttling.UserThrottle"],
    "DEFAULT_THROTTLE_RATES": {
        "key": env.str("THROTTLE_KEY", default="600/min"),
        "user": env.str("THROTTLE_USER", default="1200/min"),
        "purchase": env.str("THROTTLE_PURCHASE", default="20/s"),
    },
    "DEFAULT_PAGINATION_CLASS": None,
    "DEFAULT_SCHEMA_CLASS": "config.lib.api.openapi_schema.Schema",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["config.lib.api.parsers.BoundedJSONParser"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "config.lib.api.negotiation.ApiNegotiation",
    "EXCEPTION_HANDLER": "config.lib.errors.problem_details.exception_handler",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "COERCE_DECIMAL_TO_STRING": True,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Ringfence API",
    "VERSION": "1.0.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "GET_LIB_DOC_EXCLUDES": "config.lib.api.openapi_schema.lib_doc_excludes",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "config.lib.api.openapi_schema.describe",
    ],
    "SWAGGER_UI_SETTINGS": {
        "deepLinking": True,
        "docExpansion": "list",
        "persistAuthorization": False,
        "defaultModelsExpandDepth": 0,
    },
    "ENUM_NAME_OVERRIDES": {
        "TransactionTypeEnum": "wallet.models.TransactionType",
        "ActivityStatusEnum": "activity.events.STATUSES",
        "PaymentStatusEnum": "payments.models.PaymentStatus",
        "VerificationStatusEnum": "verifications.models.Status.values",
    },
}

UNFOLD = {"SITE_TITLE": "Ringfence", "SITE_HEADER": "Ringfence", "SITE_URL": "/"}
