"""The role that the product runs as can use the tables and not get past the journal's guard."""

import os
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
import yaml
from django.db import connection, transaction

from config.checks import the_role_can_not_get_past_the_journals_guard as looked_at
from dev.sandbox.testing import RunningSandbox
from dev.stack.environment import ROOT

pytestmark = pytest.mark.django_db


@contextmanager
def logged_in_as(role: str, *sentences: str) -> Iterator[None]:
    """Make the role, and have this connection be its own for the rest of the transaction."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"CREATE ROLE {role}")
        for sentence in sentences:
            cursor.execute(sentence.format(role=role))
        cursor.execute(f"SET LOCAL SESSION AUTHORIZATION {role}")
        yield
        transaction.set_rollback(True)


def complaints() -> list[str]:
    return [message.msg for message in looked_at(None)]


def test_the_deployment_check_accepts_a_role_that_only_reads_and_writes() -> None:
    with logged_in_as("lesser", "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}"):
        assert complaints() == []


@pytest.mark.parametrize(
    ("sentence", "why"),
    [
        ("ALTER ROLE {role} SUPERUSER", "is a superuser"),
        ("ALTER ROLE {role} CREATEROLE", "may make roles"),
        ("GRANT ringfence_test TO {role}", "is a member of the tests' role, ringfence_test"),
        ("ALTER TABLE wallet_transaction OWNER TO {role}", "owns the journal, or may empty it or add triggers to it"),
        ("GRANT TRUNCATE ON wallet_transaction TO {role}", "owns the journal, or may empty it or add triggers to it"),
        ("GRANT TRIGGER ON wallet_transaction TO {role}", "owns the journal, or may empty it or add triggers to it"),
    ],
)
def test_the_deployment_check_names_a_role_that_could_get_past_the_guard(sentence: str, why: str) -> None:
    with logged_in_as("greater", sentence):
        assert complaints() == [f"The database role greater {why}: it could get past the guard of the journal."]


@contextmanager
def a_server_of_roles(url: str) -> Iterator[dict[str, str]]:
    """Run roles.sql under names of this test's own; the addresses of both roles by name."""
    marked = f"ringfence_{secrets.token_hex(4)}"
    text = (ROOT / "config/lib/postgres/roles.sql").read_text()
    sentences = [line for line in text.splitlines() if not line.startswith("--")]
    passwords = {"owner": secrets.token_hex(8), "app": secrets.token_hex(8)}
    made, granted = "\n".join(sentences).split("\\connect ringfence\n")
    address = urlsplit(url)

    def run(part: str, database: str) -> None:
        with psycopg.connect(urlunsplit(address._replace(path=f"/{database}")), autocommit=True) as server:
            for name, password in passwords.items():
                part = part.replace(f":'{name}_password'", f"'{password}'")
            for sentence in part.replace("ringfence", marked).split(";"):
                wanted = "\n".join(line for line in sentence.splitlines() if not line.startswith("\\"))
                if wanted.strip():
                    server.execute(wanted)  # type: ignore[call-overload]

    host = address.netloc.rpartition("@")[2]
    try:
        run(made, "postgres")
        run(granted, marked)
        yield {
            name: urlunsplit(address._replace(netloc=f"{marked}_{name}:{password}@{host}", path=f"/{marked}"))
            for name, password in passwords.items()
        }
    finally:
        run(f"DROP DATABASE IF EXISTS {marked} WITH (FORCE)", "postgres")
        run("; ".join(f"DROP ROLE IF EXISTS {marked}_{name}" for name in passwords), "postgres")


def manage(*arguments: str, url: str, **env: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": url, "DATABASE_POOL_MAX": "4", "PGOPTIONS": "-c ringfence.test=on", **env},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_the_owner_migrates_and_the_lesser_role_runs_the_product_and_can_not_empty_the_journal(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    with a_server_of_roles(os.environ["DATABASE_URL"]) as urls:
        migrated = manage("migrate", "--no-input", "-v", "0", url=urls["owner"])
        assert migrated.returncode == 0, migrated.stderr
        vendors = {"TEXTVERIFIED_BASE_URL": sandbox.textverified_url, "STRIPE_API_BASE": sandbox.stripe_url}
        seeded = manage("seed_demo", url=urls["app"], RINGFENCE_VAR=str(tmp_path), **vendors)
        assert seeded.returncode == 0, seeded.stderr
        assert manage("verify_wallets", url=urls["app"]).returncode == 0
        with psycopg.connect(urls["app"], options="-c ringfence.test=on") as app:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                app.execute("TRUNCATE wallet_transaction CASCADE")
            app.rollback()
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                app.execute("ALTER TABLE wallet_transaction DISABLE TRIGGER ALL")
        with (
            psycopg.connect(urls["owner"], options="-c ringfence.test=on") as owner,
            pytest.raises(psycopg.errors.RestrictViolation),
        ):
            owner.execute("TRUNCATE wallet_transaction CASCADE")


def test_compose_migrates_as_the_owner_and_runs_as_the_lesser_role() -> None:
    text = re.sub(r"\$\{\w+:?[^}]*\}", "given", (ROOT / "compose.yaml").read_text())
    services = yaml.safe_load(text)["services"]
    roles = {
        name: urlsplit(service["environment"]["DATABASE_URL"]).username
        for name, service in services.items()
        if service.get("image") == "ringfence"
    }
    assert {name: role for name, role in roles.items() if role != "ringfence_app"} == {"migrate": "ringfence_owner"}
