"""Sessions that have ended are removed, with the places of sign-in that they were."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from accounts import sessions, tasks
from accounts.tests.factories import make_user

pytestmark = pytest.mark.django_db


def signed_in() -> Client:
    client = Client()
    client.force_login(make_user())
    client.get("/settings/security")
    return client


def test_expired_sessions_go_and_live_ones_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "_BATCH", 2)
    live, *old = [signed_in() for _ in range(4)]
    keys = [client.session.session_key for client in old]
    Session.objects.filter(pk__in=keys).update(expire_date=timezone.now() - timedelta(seconds=1))
    assert UserSession.objects.count() == 4

    assert sessions.clear_sessions(now=timezone.now()) == 3
    assert sessions.clear_sessions(now=timezone.now()) == 0

    assert list(Session.objects.values_list("pk", flat=True)) == [live.session.session_key]
    assert list(UserSession.objects.values_list("session_key", flat=True)) == [live.session.session_key]
    assert live.get("/settings/security").status_code == 200


def test_it_is_done_each_night() -> None:
    planned: dict[str, Any] = settings.CELERY_BEAT_SCHEDULE
    assert planned["clear-sessions"]["task"] == tasks.clear_sessions.name
    assert tasks.clear_sessions() == 0
