"""What may be written about people and their keys."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.dispatch import Signal
from django.utils import timezone

from accounts import selectors, services, signals
from accounts.models import ApiKey, PolicyAcceptance, User
from accounts.tests.factories import make_user
from config.lib.errors.base import DomainError, Forbidden, InvalidField, NotFound

pytestmark = pytest.mark.django_db


@contextmanager
def heard(signal: Signal) -> Iterator[list[dict[str, Any]]]:
    """The news that a signal brought, without what Django adds."""
    news: list[dict[str, Any]] = []

    def listen(sender: Any, signal: Any, **kwargs: Any) -> None:
        news.append(kwargs)

    signal.connect(listen)
    yield news
    signal.disconnect(listen)


def refusal(error: pytest.ExceptionInfo[DomainError]) -> tuple[str, int, Any]:
    return error.value.code, error.value.status, error.value.extra.get("errors")


def test_only_the_hash_of_a_key_is_kept() -> None:
    key, secret = services.create_api_key(user=make_user(), name="CI")
    row = ApiKey.objects.values("name", "prefix", "digest", "scopes", "expires_at", "revoked_at", "last_used_at").get()
    assert row == {
        "name": "CI",
        "prefix": secret[:10],
        "digest": hashlib.sha256(secret.encode()).hexdigest(),
        "scopes": ["buy", "manage", "pay", "read"],
        "expires_at": None,
        "revoked_at": None,
        "last_used_at": None,
    }
    assert (secret[:3], len(secret)) == ("rf_", 46)
    assert secret not in repr(key) + str(key)


def test_making_and_revoking_a_key_is_news_once() -> None:
    user = make_user()
    with heard(signals.api_key_created) as made, heard(signals.api_key_revoked) as revoked:
        key, _secret = services.create_api_key(user=user, name="CI")
        services.revoke_api_key(user=user, key_id=key.pk)
        services.revoke_api_key(user=user, key_id=key.pk)
    assert made == [{"user": user, "api_key": key}]
    assert revoked == [{"user": user, "api_key": key}]


def test_a_live_key_opens_its_owners_account() -> None:
    key, secret = services.create_api_key(user=make_user(), name="CI")
    assert services.authenticate_key(secret=secret) == key


def test_the_prefix_alone_opens_nothing() -> None:
    key, _secret = services.create_api_key(user=make_user(), name="CI")
    assert services.authenticate_key(secret=key.prefix) is None


def test_a_revoked_key_opens_nothing() -> None:
    user = make_user()
    key, secret = services.create_api_key(user=user, name="CI")
    services.revoke_api_key(user=user, key_id=key.pk)
    assert services.authenticate_key(secret=secret) is None


def test_an_expired_key_opens_nothing() -> None:
    key, secret = services.create_api_key(user=make_user(), name="CI", expires_at=timezone.now() + timedelta(minutes=1))
    ApiKey.objects.filter(pk=key.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert services.authenticate_key(secret=secret) is None


def test_the_key_of_somebody_who_was_switched_off_opens_nothing() -> None:
    user = make_user()
    _key, secret = services.create_api_key(user=user, name="CI")
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert services.authenticate_key(secret=secret) is None


def test_use_is_noted_at_most_once_a_minute(django_assert_num_queries: Any) -> None:
    key, secret = services.create_api_key(user=make_user(), name="CI")
    services.authenticate_key(secret=secret)
    first = ApiKey.objects.get(pk=key.pk).last_used_at
    with django_assert_num_queries(1):
        services.authenticate_key(secret=secret)
    assert first is not None
    assert ApiKey.objects.get(pk=key.pk).last_used_at == first


@pytest.mark.parametrize("scopes", [[], ["read", "admin"], ["READ"]])
def test_a_key_with_other_scopes_than_ours_is_not_made(scopes: list[str]) -> None:
    with pytest.raises(InvalidField) as error:
        services.create_api_key(user=make_user(), name="CI", scopes=scopes)
    assert refusal(error) == (
        "validation_error",
        400,
        {"scopes": ["A key's scopes are one or more of read, buy, pay and manage."]},
    )
    assert ApiKey.objects.count() == 0


def test_a_key_is_not_made_expired() -> None:
    with pytest.raises(InvalidField):
        services.create_api_key(user=make_user(), name="CI", expires_at=timezone.now())


@pytest.mark.parametrize("name", ["CI\r\nBcc: all@example.test", "a\x00b", "\x1b[31m", "   "])
def test_a_name_is_one_plain_line(name: str) -> None:
    with pytest.raises(InvalidField) as error:
        services.create_api_key(user=make_user(), name=name)
    assert list(error.value.extra["errors"]) == ["name"]


def test_a_key_that_makes_a_key_gives_what_it_has_itself() -> None:
    user, end = make_user(), timezone.now() + timedelta(days=1)
    by, _secret = services.create_api_key(user=user, name="parent", scopes=["read", "manage"], expires_at=end)
    child, _secret = services.create_api_key(user=user, name="child", by=by)
    assert (child.scopes, child.expires_at) == (["manage", "read"], end)


def test_a_key_gives_no_scope_that_it_lacks() -> None:
    user = make_user()
    by, _secret = services.create_api_key(user=user, name="parent", scopes=["manage"])
    with pytest.raises(Forbidden) as error:
        services.create_api_key(user=user, name="child", scopes=["manage", "buy"], by=by)
    assert str(error.value) == "A key can't create one with more scopes than its own: this one lacks buy."
    assert list(ApiKey.objects.all()) == [by]


def test_a_key_makes_none_that_lives_longer() -> None:
    user, end = make_user(), timezone.now() + timedelta(days=1)
    by, _secret = services.create_api_key(user=user, name="parent", expires_at=end)
    with pytest.raises(Forbidden):
        services.create_api_key(user=user, name="child", expires_at=end + timedelta(seconds=1), by=by)


def test_anothers_key_can_not_be_revoked() -> None:
    key, secret = services.create_api_key(user=make_user(), name="CI")
    with pytest.raises(NotFound):
        services.revoke_api_key(user=make_user(), key_id=key.pk)
    assert services.authenticate_key(secret=secret) == key


def test_the_policy_is_accepted_once_a_version_with_the_address() -> None:
    user = make_user(accepted=False)
    with heard(signals.policy_accepted) as news:
        services.accept_policy(user=user, ip_address="192.0.2.1")
        services.accept_policy(user=user, ip_address="192.0.2.2")
    row = PolicyAcceptance.objects.get()
    assert (row.user, row.version, row.ip_address) == (user, "2026-11", "192.0.2.1")
    assert news == [{"user": user, "version": "2026-11", "ip_address": "192.0.2.1"}]


def test_a_new_version_of_the_policy_is_to_be_accepted_again(settings: Any) -> None:
    user = make_user()
    assert selectors.accepted_policy(user=user)
    settings.POLICY_VERSION = "2027-01"
    assert not selectors.accepted_policy(user=user)


def test_only_what_changed_of_a_profile_is_news() -> None:
    user = make_user(name="Ada")
    with heard(signals.settings_changed) as news:
        services.update_profile(user=user, name="Ada", time_zone="Asia/Calcutta")
    assert news == [{"user": user, "what": "time zone"}]
    user.refresh_from_db()
    assert (user.name, user.time_zone) == ("Ada", "Asia/Calcutta")


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../../etc/passwd", "America"])
def test_a_time_zone_is_one_that_exists(zone: str) -> None:
    user = make_user()
    with pytest.raises(InvalidField) as error:
        services.update_profile(user=user, name="Ada", time_zone=zone)
    assert refusal(error) == ("validation_error", 400, {"time_zone": ["Choose a time zone from the list."]})
    user.refresh_from_db()
    assert (user.name, user.time_zone) == ("", "UTC")


def test_an_address_is_kept_in_small_letters_and_once() -> None:
    user = User.objects.create_user("Ada@Example.TEST", "correct-horse-battery")
    assert user.email == "ada@example.test"
    assert User.objects.get_by_natural_key("ADA@example.test") == user


def test_the_command_prints_a_key_that_works(capsys: pytest.CaptureFixture[str]) -> None:
    user = make_user("ops@example.test")
    call_command("create_api_key", "OPS@example.test", "--name", "cron", "--scope", "read")
    key = services.authenticate_key(secret=capsys.readouterr().out.strip())
    assert key is not None
    assert (key.user, key.name, key.scopes) == (user, "cron", ["read"])


def test_the_command_knows_only_customers() -> None:
    with pytest.raises(CommandError, match="There is no active customer with the address"):
        call_command("create_api_key", "nobody@example.test", "--name", "cron")
