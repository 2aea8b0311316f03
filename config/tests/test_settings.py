"""What production refuses to start without, and how it stands when it starts."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured
from django.test import RequestFactory

from config.lib.http import client_ip
from config.settings.env import env
from config.settings.security import REQUIRED_SECRETS, refuse_weak_secrets
from dev.stack.environment import ROOT
from dev.testing.services import LESSER_URL
from dev.testing.suite import PRODUCTION

GOOD = dict.fromkeys(REQUIRED_SECRETS, "kZ9xQ" * 12) | {"FIELD_ENCRYPTION_KEYS": Fernet.generate_key().decode()}


def test_good_secrets_are_accepted() -> None:
    refuse_weak_secrets(GOOD)


@pytest.mark.parametrize("name", REQUIRED_SECRETS)
def test_a_missing_secret_is_refused_by_name(name: str) -> None:
    with pytest.raises(ImproperlyConfigured) as error:
        refuse_weak_secrets(GOOD | {name: ""})
    assert str(error.value) == f"Ringfence does not start without its secrets: {name} is not set."


@pytest.mark.parametrize("name", REQUIRED_SECRETS)
@pytest.mark.parametrize("value", ["changeme", "sk_test_sandbox", "django-insecure-abc", "example-key"])
def test_a_published_secret_is_refused_by_name_and_not_shown(name: str, value: str) -> None:
    with pytest.raises(ImproperlyConfigured) as error:
        refuse_weak_secrets(GOOD | {name: value})
    assert str(error.value) == f"Ringfence does not start without its secrets: {name} is a default."


def test_a_key_that_can_not_encrypt_is_refused() -> None:
    keys = f"{GOOD['FIELD_ENCRYPTION_KEYS']},too-short"
    with pytest.raises(ImproperlyConfigured, match="FIELD_ENCRYPTION_KEYS holds what is no Fernet key"):
        refuse_weak_secrets(GOOD | {"FIELD_ENCRYPTION_KEYS": keys})


@pytest.mark.parametrize("value", ["short", "k" * 60, "kZ9xQ" * 9])
def test_a_secret_key_that_can_be_guessed_is_refused_and_not_shown(value: str) -> None:
    with pytest.raises(ImproperlyConfigured) as error:
        refuse_weak_secrets(GOOD | {"SECRET_KEY": value})
    assert str(error.value) == (
        "Ringfence does not start without its secrets: SECRET_KEY is too easy to guess: "
        "it takes 50 characters or more, such as 64 random ones."
    )


def test_several_complaints_come_at_once() -> None:
    with pytest.raises(ImproperlyConfigured) as error:
        refuse_weak_secrets(GOOD | {"SECRET_KEY": "", "STRIPE_SECRET_KEY": "changeme"})
    assert str(error.value).endswith("SECRET_KEY is not set. STRIPE_SECRET_KEY is a default.")


def start(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    given = {**os.environ, **PRODUCTION, **env}
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.slow
def test_production_does_not_start_without_a_secret() -> None:
    ended = start("check", SECRET_KEY="", STRIPE_WEBHOOK_SECRET="changeme")
    assert ended.returncode != 0
    assert "SECRET_KEY is not set. STRIPE_WEBHOOK_SECRET is a default." in ended.stderr


WHOLE = "a whole number from 0 to 1000000000"
SWITCH = "1 or 0 (true or false, on or off, yes or no)"
MARKUP = "a number, 1 or more, such as 2.0"
CURRENCY = "the code of a currency with two decimal places, such as USD or EUR"
WRONG = [
    ("MARKUP", "0.99", MARKUP),
    ("CURRENCY", "JPY", CURRENCY),
    ("CURRENCY", "KWD", CURRENCY),
    ("CURRENCY", "MGA", CURRENCY),
    ("CURRENCY", "XXX", CURRENCY),
    ("CURRENCY", "dollars", CURRENCY),
    ("MARKUP", "abc", MARKUP),
    ("MARKUP", "0", MARKUP),
    ("MARKUP", "NaN", MARKUP),
    ("POLL_INTERVAL_SECONDS", "abc", "a number such as 2.5"),
    ("POLL_INTERVAL_SECONDS", "10min", "a number such as 2.5"),
    ("MAX_PENDING", "-1", WHOLE),
    ("MAX_PENDING", "2.5", WHOLE),
    ("MAX_PENDING", "9" * 20, WHOLE),
    ("PORT", "abc", "a whole number from 1 to 65535"),
    ("PORT", "65536", "a whole number from 1 to 65535"),
    ("CONSOLE_REQUIRES_MFA", "enabled", SWITCH),
    ("LOG_LEVEL", "loud", "one of DEBUG, INFO"),
    ("PROVIDER_FLOAT_THRESHOLDS", "50,x", "numbers with commas between them, such as 50,25,10"),
]


def read(name: str) -> Any:
    """The variable, as the settings of its kind read it."""
    reads: dict[str, Callable[[], Any]] = {
        "MARKUP": lambda: env.decimal(name, default="2.0", low=1),
        "CURRENCY": lambda: env.currency(name, default="USD"),
        "POLL_INTERVAL_SECONDS": lambda: env.float(name, default=3),
        "MAX_PENDING": lambda: env.int(name, default=20),
        "PORT": lambda: env.int(name, default=8000, low=1, high=65535),
        "CONSOLE_REQUIRES_MFA": lambda: env.bool(name, default=True),
        "LOG_LEVEL": lambda: env.one_of(name, "INFO", ("DEBUG", "INFO")),
        "PROVIDER_FLOAT_THRESHOLDS": lambda: env.decimals(name, default=(50, 25)),
    }
    return reads[name]()


@pytest.mark.parametrize(("name", "value", "right"), WRONG)
def test_a_value_that_will_not_do_is_refused_by_name(
    name: str, value: str, right: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ImproperlyConfigured) as error:
        read(name)
    assert str(error.value) == f"{name} is {value!r}; it takes {right}."


@pytest.mark.parametrize(
    ("name", "value", "meant"),
    [
        ("MARKUP", " 1.75 ", Decimal("1.75")),
        ("MARKUP", "", Decimal("2.0")),
        ("MARKUP", "1", Decimal(1)),
        ("CURRENCY", "usd", "USD"),
        ("CURRENCY", " Eur ", "EUR"),
        ("CURRENCY", "", "USD"),
        ("POLL_INTERVAL_SECONDS", "0.5", 0.5),
        ("MAX_PENDING", "0", 0),
        ("MAX_PENDING", "", 20),
        ("CONSOLE_REQUIRES_MFA", "Off", False),
        ("CONSOLE_REQUIRES_MFA", "yes", True),
        ("CONSOLE_REQUIRES_MFA", "", True),
        ("LOG_LEVEL", "debug", "DEBUG"),
        ("PROVIDER_FLOAT_THRESHOLDS", "5, 2.5", [Decimal(5), Decimal("2.5")]),
    ],
)
def test_a_value_is_read_as_it_is_meant(name: str, value: str, meant: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    assert read(name) == meant


@pytest.mark.parametrize("value", ["abc", "mysql://me:secret@db/x", "postgres://me:secret@db:port/x"])
def test_an_address_that_is_none_is_refused_by_name_and_not_shown(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", value)
    with pytest.raises(ImproperlyConfigured) as error:
        env.address("DATABASE_URL", "", schemes=("postgres",), example="postgres://user:password@host:5432/name")
    assert str(error.value) == (
        "DATABASE_URL is no such address as it takes, which is one like postgres://user:password@host:5432/name."
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MARKUP", "abc"), ("MARKUP", "0.5"), ("CURRENCY", "JPY"),
        ("POLL_INTERVAL_SECONDS", "abc"), ("PORT", "abc"), ("DATABASE_URL", "abc"),
        ("EMAIL_URL", "abc"), ("REDIS_URL", "abc"), ("PUBLIC_URL", "abc"), ("LOG_LEVEL", "abc"), ("DEBUG", "abc"),
        ("PROVIDER_FLOAT_THRESHOLDS", "abc"), ("PROMETHEUS_MULTIPROC_DIR", "/dev/null/abc"),
    ],
)  # fmt: skip
def test_a_command_says_which_variable_is_wrong_and_nothing_else(name: str, value: str) -> None:
    ended = start("check", **{name: value})
    [sentence] = ended.stderr.splitlines()
    assert (ended.returncode, sentence.startswith(f"{name} is "), "takes" in sentence) == (1, True, True)


@pytest.mark.slow
def test_the_deployment_check_is_clean() -> None:
    ended = start("check", "--deploy", "--fail-level", "WARNING", DATABASE_URL=os.environ[LESSER_URL])
    assert (ended.returncode, ended.stdout.strip()) == (0, "System check identified no issues (0 silenced)."), (
        ended.stderr
    )


@pytest.mark.slow
def test_production_is_closed_by_default() -> None:
    program = (
        "from django.conf import settings as s; print([s.DEBUG, s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE,"
        " s.SESSION_COOKIE_HTTPONLY, s.SECURE_SSL_REDIRECT, s.SECURE_HSTS_SECONDS > 0, s.METRICS_OPEN,"
        " s.CONSOLE_REQUIRES_MFA, s.SELL_TEST_SERVICES, s.ALLOWED_HOSTS, s.TRUSTED_PROXIES])"
    )
    ended = start("shell", "--no-imports", "-c", program, BEHIND_PROXY="1")
    assert ended.stdout.strip().splitlines()[-1:] == [
        "[False, True, True, True, True, True, False, True, False, ['ringfence.test'], 1]"
    ], ended.stderr


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "203.0.113.9", "10.0.0.1"),  # nobody of ours wrote it
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "6.6.6.6, 203.0.113.9", "203.0.113.9"),  # the caller wrote the first
        (2, "6.6.6.6, 203.0.113.9, 10.0.0.2", "203.0.113.9"),
        (2, "203.0.113.9", "10.0.0.1"),
        (1, "", "10.0.0.1"),
        (1, "nonsense", None),
        (1, "2001:db8::1", "2001:db8::1"),
        (1, "fe80::1%eth0", "fe80::1"),
    ],
)
def test_the_callers_address_is_what_our_own_proxy_saw(
    settings: Any, proxies: int, forwarded: str, address: str | None
) -> None:
    settings.TRUSTED_PROXIES = proxies
    request = RequestFactory().get("/", REMOTE_ADDR="10.0.0.1", headers={"X-Forwarded-For": forwarded})
    assert client_ip(request) == address
