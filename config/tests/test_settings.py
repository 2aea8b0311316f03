"""What production refuses to start without, and how it stands when it starts."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured
from django.test import RequestFactory

from config.lib.http import client_ip
from config.settings.security import REQUIRED_SECRETS, refuse_weak_secrets
from config.stack.environment import ROOT
from config.testing.suite import _PRODUCTION

GOOD = dict.fromkeys(REQUIRED_SECRETS, "kZ9" * 20) | {"FIELD_ENCRYPTION_KEYS": Fernet.generate_key().decode()}


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


def test_several_complaints_come_at_once() -> None:
    with pytest.raises(ImproperlyConfigured) as error:
        refuse_weak_secrets(GOOD | {"SECRET_KEY": "", "STRIPE_SECRET_KEY": "changeme"})
    assert str(error.value).endswith("SECRET_KEY is not set. STRIPE_SECRET_KEY is a default.")


def start(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    given = {**os.environ, **_PRODUCTION, **env}
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.slow
def test_production_does_not_start_without_a_secret() -> None:
    ended = start("check", SECRET_KEY="", STRIPE_WEBHOOK_SECRET="changeme")
    assert ended.returncode != 0
    assert "SECRET_KEY is not set. STRIPE_WEBHOOK_SECRET is a default." in ended.stderr


@pytest.mark.slow
def test_the_deployment_check_is_clean() -> None:
    ended = start("check", "--deploy", "--fail-level", "WARNING")
    assert (ended.returncode, ended.stdout.strip()) == (0, "System check identified no issues (0 silenced).")


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
