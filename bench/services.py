"""The PostgreSQL and Redis of one run, and the environment of its settings. Commits are durable here."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import redis as redis_client
from psycopg import sql

from bench.context import Context
from dev.stack.environment import ROOT
from dev.stack.postgres import Postgres, temporary_folder
from dev.stack.process import free_port
from dev.testing.services import ENVIRONMENT, running_redis

PREFIX = "rf-bench-"


@contextlib.contextmanager
def bench_services(*, quick: bool) -> Iterator[Context]:
    """Services, environment and an empty, migrated database; DATABASE_URL and REDIS_URL win where they are set.

    On a server that is named the run makes a database of its own, and drops it at its end.
    """
    with _folder() as folder, contextlib.ExitStack() as stack:
        given_database, given_redis = os.environ.get("DATABASE_URL"), os.environ.get("REDIS_URL")
        os.environ.update(_environment(folder))
        os.environ["REDIS_URL"] = given_redis or stack.enter_context(running_redis(folder))
        stack.callback(_forget_keys, os.environ["REDIS_URL"], folder.name)
        os.environ["DATABASE_URL"] = stack.enter_context(
            _database_on(given_database) if given_database else _postgres(folder)
        )
        subprocess.run([sys.executable, "manage.py", "migrate", "-v", "0"], cwd=ROOT, check=True)
        yield Context(folder=folder, quick=quick)


def _environment(folder: Path) -> dict[str, str]:
    """As in production where that costs time (no DEBUG), and reachable without TLS on the loopback."""
    (folder / "var").mkdir()
    port, sandbox_port = free_port(), free_port()
    return {
        **{name: value for name, value in ENVIRONMENT.items() if name != "PGOPTIONS"},
        "DEBUG": "0",
        "SECURE_SSL_REDIRECT": "0",
        "ALLOWED_HOSTS": "localhost,127.0.0.1,testserver",
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "PORT": str(port),
        "SANDBOX_PORT": str(sandbox_port),
        "TEXTVERIFIED_BASE_URL": f"http://127.0.0.1:{sandbox_port}/textverified",
        "SELL_TEST_SERVICES": "1",
        "THROTTLE_KEY": "1000000/min",
        "THROTTLE_USER": "1000000/min",
        "LOG_LEVEL": "ERROR",
        "DATABASE_POOL_MAX": "40",
        "DATABASE_POOL_TIMEOUT_SECONDS": "30",
        "RINGFENCE_VAR": str(folder / "var"),
        "CHANNEL_PREFIX": folder.name,
        "CACHE_PREFIX": folder.name,
        "PYTHONUNBUFFERED": "1",
    }


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=temporary_folder()))
    folder.chmod(0o711)  # PostgreSQL may run as another user
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _forget_keys(url: str, prefix: str) -> None:
    with contextlib.suppress(redis_client.RedisError), redis_client.Redis.from_url(url) as client:
        for key in client.scan_iter(match=f"*{prefix}*", count=1000):
            client.delete(key)


@contextlib.contextmanager
def _postgres(folder: Path) -> Iterator[str]:
    """The embedded one as `make run` has it: fsync on, nothing tuned."""
    postgres = Postgres(
        folder / "postgres", sockets=folder / "s", death_signal=signal.SIGQUIT, elsewhere=folder / "elsewhere"
    )
    postgres.prepare()
    if postgres.notice:
        print(postgres.notice, flush=True)
    with (folder / "postgres.log").open("wb") as log:
        process = postgres.spawn(output=log)
    try:
        postgres.wait_until_ready(process)
        postgres.create_database("ringfence")
        yield postgres.url("ringfence")
    finally:
        process.send_signal(signal.SIGQUIT)
        process.wait(timeout=300)


@contextlib.contextmanager
def _database_on(url: str) -> Iterator[str]:
    name = f"rf_bench_{os.getpid()}"
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        yield urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
    finally:
        with psycopg.connect(url, autocommit=True) as admin:
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
