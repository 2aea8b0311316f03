"""No connection waits without an end: neither for a row, nor in a statement, nor in a transaction, nor for a peer."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.test.client import MULTIPART_CONTENT

from accounts.services import create_api_key
from config.lib.postgres import limits
from dev.stack.environment import ROOT
from dev.testing.fixtures import HoldRow
from dev.testing.services import TEST_LIMITS
from tests.people import customer
from verifications.tests.factories import make_offer

NAMES = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")
LOCKED = (
    "Another change to your account is still under way. Try again in a few seconds: "
    "anything in progress is finished or undone."
)
_SHOW = f"""
from django.db import connection
from config.lib.postgres import limits
for kind in ("web", "background", "command"):
    if kind != "web":
        limits.use(kind)
    with connection.cursor() as cursor:
        for name in {NAMES}:
            cursor.execute(f"SHOW {{name}}")
            print(*cursor.fetchone())
"""


def shown(**env: str) -> list[str]:
    """What the database says of a connection of each kind of process, without the tests' own limits."""
    given = {name: value for name, value in os.environ.items() if name not in TEST_LIMITS} | env
    command = [sys.executable, "-c", _SHOW]
    return subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, check=True).stdout.split()


def test_each_kind_of_process_has_limits_of_its_own() -> None:
    assert shown() == [*("5s", "30s", "10s"), *("1s", "1min", "10s"), *("30s", "0", "5min")]


def test_the_environment_changes_them() -> None:
    mine = {"DATABASE_LOCK_TIMEOUT_SECONDS": "0.25", "DATABASE_IDLE_IN_TRANSACTION_SECONDS": "0"}
    assert shown(**mine)[:3] == ["250ms", "30s", "0"]


def test_a_peer_that_has_vanished_is_noticed_on_both_sides() -> None:
    given = connection.get_connection_params()
    seconds = settings.DATABASE_KEEPALIVE_SECONDS
    assert {name: given[name] for name in limits.keepalives(seconds)} == {
        "keepalives": 1,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 2,
        "tcp_user_timeout": 20_000,
    }
    for words in ("tcp_keepalives_idle=10", "tcp_keepalives_interval=5", "tcp_user_timeout=20000"):
        assert f"-c {words}" in given["options"]


@contextmanager
def short(seconds: float) -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, false)", [f"{seconds * 1000:.0f}ms"])
        yield
        cursor.execute("RESET lock_timeout")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", ["/api/v1/verify/create", "/buy/test_success"])
def test_a_purchase_while_the_wallet_is_locked_is_a_503_with_a_sentence(hold_row: HoldRow, path: str) -> None:
    user = customer(cents=10_00)
    make_offer("test_success")
    _, secret = create_api_key(user=user, name="tests", scopes=("read", "buy"))
    client = Client(headers={"Authorization": f"Bearer {secret}"}, raise_request_exception=False)
    client.force_login(user)
    body = {"service_name": "test_success"}
    kind = "application/json" if path.startswith("/api/") else MULTIPART_CONTENT
    with hold_row("wallet_wallet.user_id", user.pk), short(0.2):
        answer = client.post(path, body, content_type=kind)
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    if path.startswith("/api/"):
        assert (answer["Content-Type"], answer.json()["code"], answer.json()["detail"]) == (
            "application/problem+json",
            "unavailable",
            LOCKED,
        )
    else:
        assert LOCKED in answer.content.decode()
    assert client.get("/api/wallet/balance").status_code == 200, "the connection goes on after it"


@pytest.mark.django_db(transaction=True)
def test_a_transaction_that_stood_still_for_too_long_counts_as_the_database_being_away() -> None:
    def stand_still() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = '50ms'")
            with psycopg.connect(**{**connection.get_connection_params(), "context": None}) as other:
                other.execute("SELECT pg_sleep(0.3)")
            cursor.execute("SELECT 1")

    with pytest.raises(DatabaseError) as caught:
        stand_still()
    assert limits.is_away(caught.value)
    connection.close()
