"""The PostgreSQL and Redis behind one run of the suite, and the environment that the settings are read from."""

import base64
import contextlib
import fcntl
import hashlib
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from dev.stack import StackError
from dev.stack.postgres import THROWAWAY, Postgres, temporary_folder
from dev.stack.redis import Redis

_PREFIX = "rf-tests-"
LESSER_URL = "LESSER_DATABASE_URL"  # the database's address for a role such as production runs as


def _secret(name: str) -> str:
    """Return a secret that is the same in every process of a run, and that production refuses."""
    return hashlib.sha256(f"tests of {name}".encode()).hexdigest()


# Of the tests' own connections: a flush that meets a forgotten lock fails instead of hanging, and a test may stand
# still in its transaction while it looks at something else.
TEST_LIMITS = {
    "DATABASE_LOCK_TIMEOUT_SECONDS": "20",
    "DATABASE_STATEMENT_TIMEOUT_SECONDS": "120",
    "DATABASE_IDLE_IN_TRANSACTION_SECONDS": "600",
}
ENVIRONMENT = {
    "DJANGO_SETTINGS_MODULE": "config.settings",
    "DEBUG": "1",
    "SECRET_KEY": _secret("SECRET_KEY"),
    "FIELD_ENCRYPTION_KEYS": base64.urlsafe_b64encode(hashlib.sha256(b"tests").digest()).decode(),
    "PUBLIC_URL": "http://localhost:8000",
    "PORT": "8000",
    "SANDBOX_PORT": "8001",
    # No server listens here: a test that forgets the sandbox fails at once.
    "TEXTVERIFIED_BASE_URL": "http://127.0.0.1:9/textverified",
    "TEXTVERIFIED_API_KEY": _secret("TEXTVERIFIED_API_KEY"),
    "TEXTVERIFIED_USERNAME": "tests@ringfence.test",
    "TEXTVERIFIED_WEBHOOK_SECRET": _secret("TEXTVERIFIED_WEBHOOK_SECRET"),
    "STRIPE_API_BASE": "http://127.0.0.1:9/stripe",
    "STRIPE_SECRET_KEY": f"sk_test_{_secret('STRIPE_SECRET_KEY')}",
    "STRIPE_WEBHOOK_SECRET": f"whsec_{_secret('STRIPE_WEBHOOK_SECRET')}",
    "MARKUP": "2.0",
    "CURRENCY": "USD",
    "LOG_LEVEL": "WARNING",
    # Only tests may TRUNCATE the journal.
    "PGOPTIONS": "-c ringfence.test=on",
    **TEST_LIMITS,
}
_DEFAULTS = {"DATABASE_POOL_MAX": "40", "DATABASE_POOL_TIMEOUT_SECONDS": "30"}
_FORGOTTEN = ("EMAIL_URL", "ALLOWED_HOSTS", "METRICS_TOKEN", "PROMETHEUS_MULTIPROC_DIR")


@contextlib.contextmanager
def suite_services() -> Iterator[None]:
    """Set the environment and start the services, unless the environment names them, in a run's first process.

    Parallel workers inherit the controller's services, and get a Redis database, prefixes and a `var` of their own.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker is not None:
        _be_worker(worker)
        yield
        return
    with _folder() as folder, contextlib.ExitStack() as stack:
        os.environ.update(ENVIRONMENT)
        for name, value in _DEFAULTS.items():
            os.environ.setdefault(name, value)
        for name in _FORGOTTEN:
            os.environ.pop(name, None)
        os.environ["RINGFENCE_VAR"] = str(folder / "var")
        os.environ["CHANNEL_PREFIX"] = os.environ["CACHE_PREFIX"] = folder.name
        (folder / "var").mkdir()
        if not os.environ.get("REDIS_URL"):
            os.environ["REDIS_URL"] = stack.enter_context(running_redis(folder))
        if not os.environ.get("DATABASE_URL"):
            os.environ["DATABASE_URL"] = stack.enter_context(_postgres(folder))
        os.environ[LESSER_URL] = stack.enter_context(_roles(os.environ["DATABASE_URL"]))
        yield


def _be_worker(worker: str) -> None:
    """Give each worker a Redis database of its own: `gw0` the given number, `gw1` the next."""
    url = urlsplit(os.environ["REDIS_URL"])
    number = int(url.path.lstrip("/") or 0) + int(worker.removeprefix("gw"))
    os.environ["REDIS_URL"] = urlunsplit(url._replace(path=f"/{number}"))
    var = Path(os.environ["RINGFENCE_VAR"]) / worker
    var.mkdir(exist_ok=True)
    os.environ["RINGFENCE_VAR"] = str(var)
    os.environ["CHANNEL_PREFIX"] = os.environ["CACHE_PREFIX"] = f"{os.environ['CHANNEL_PREFIX']}-{worker}"


@contextlib.contextmanager
def _roles(url: str) -> Iterator[str]:
    """Create the role that the journal's setting requires, and one like production's; yield the URL of the second.

    The first stays on a server that isn't ours, where other runs may be using it.
    """
    lesser, password = f"ringfence_lesser_{os.getpid()}", secrets.token_hex(16)
    address = urlsplit(url)
    server = urlunsplit(address._replace(path="/postgres"))
    create = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(lesser), password)
    try:
        with psycopg.connect(server, autocommit=True) as connection:
            with contextlib.suppress(psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
                connection.execute("CREATE ROLE ringfence_test NOLOGIN")
            connection.execute("GRANT ringfence_test TO CURRENT_USER")
            connection.execute(create)
    except psycopg.errors.InsufficientPrivilege as error:
        raise StackError(f"The tests make roles: let the user of DATABASE_URL do so ({error}).") from error
    try:
        yield urlunsplit(address._replace(netloc=f"{lesser}:{password}@{address.netloc.rpartition('@')[2]}"))
    finally:
        with contextlib.suppress(psycopg.OperationalError), psycopg.connect(server, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(lesser)))


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """Create a folder with a short path, locked during the run; remove folders of runs that were killed."""
    for old in Path(temporary_folder()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError), (old / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(old, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=temporary_folder()))
    folder.chmod(0o711)  # PostgreSQL may run as another user
    try:
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def running_redis(folder: Path) -> Iterator[str]:
    """Run a Redis that writes its log into the folder; yield its URL."""
    redis = Redis(log=folder / "redis.log")
    process = redis.spawn(output=subprocess.DEVNULL)
    try:
        redis.wait_until_ready(process)
        yield redis.url()
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def _postgres(folder: Path) -> Iterator[str]:
    postgres = Postgres(
        folder / "postgres",
        sockets=folder / "s",
        settings=THROWAWAY,
        death_signal=signal.SIGQUIT,
        elsewhere=folder / "elsewhere",
    )
    postgres.prepare()
    if postgres.notice:
        print(f"\n--- {postgres.notice}", flush=True)
    with (folder / "postgres.log").open("wb") as log:
        process = postgres.spawn(output=log)
    try:
        postgres.wait_until_ready(process)
        postgres.create_database("ringfence")
        yield postgres.url("ringfence")
    finally:
        process.send_signal(signal.SIGQUIT)
        process.wait(timeout=30)
