"""The environment shared by the processes of one tree, in `var/run.env` for commands in another terminal too."""

import base64
import os
import secrets
import shlex
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import environ

from dev.stack import StackError

ROOT = Path(__file__).resolve().parent.parent.parent
EMBEDDED = Path(sys.prefix) / "embedded"  # where `make` puts the wheels with PostgreSQL and Redis

# Made at the first start and kept, because data is encrypted and signed with them.
_KEPT: Mapping[str, Callable[[], str]] = {
    "SECRET_KEY": lambda: secrets.token_urlsafe(48),
    "FIELD_ENCRYPTION_KEYS": lambda: base64.urlsafe_b64encode(os.urandom(32)).decode(),
    "TEXTVERIFIED_API_KEY": lambda: secrets.token_hex(24),
    "TEXTVERIFIED_USERNAME": lambda: "demo-operator@ringfence.test",
    "TEXTVERIFIED_WEBHOOK_SECRET": lambda: f"whsec_{secrets.token_hex(24)}",
    "STRIPE_SECRET_KEY": lambda: f"sk_test_{secrets.token_hex(24)}",
    "STRIPE_WEBHOOK_SECRET": lambda: f"whsec_{secrets.token_hex(24)}",
}


def read_dotenv() -> None:
    """Read the tree's `.env` for variables that the environment doesn't set, as the settings do."""
    if (ROOT / ".env").exists():
        environ.Env.read_env(ROOT / ".env")


def var_folder() -> Path:
    """Return the folder of everything that a run writes: RINGFENCE_VAR, or `var/`."""
    return Path(os.environ.get("RINGFENCE_VAR") or ROOT / "var").absolute()


def port(name: str, default: int) -> int:
    return number(name, default, low=1, high=65535)


def number(name: str, default: int, *, low: int, high: int) -> int:
    text = os.environ.get(name, "").strip() or str(default)
    if not text.isdecimal() or not low <= int(text) <= high:
        raise StackError(f"{name} is {text!r}; it takes a whole number from {low} to {high}.")
    return int(text)


def compose(var: Path, *, web_port: int, sandbox_port: int, database_url: str, redis_url: str) -> dict[str, str]:
    """Return the variables of this run. Those that the environment sets take precedence."""
    kept = read(var / "run.env")
    sandbox = f"http://127.0.0.1:{sandbox_port}"
    ours = {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "DEBUG": "1",
        "PUBLIC_URL": f"http://localhost:{web_port}",
        "PORT": str(web_port),
        "SANDBOX_PORT": str(sandbox_port),
        "TEXTVERIFIED_BASE_URL": f"{sandbox}/textverified",
        "STRIPE_API_BASE": f"{sandbox}/stripe",
        "MARKUP": "2.0",
        "SANDBOX_STATE": str(var / "sandbox.json"),
        "MAIL_DIR": str(var / "mail"),
        "PROMETHEUS_MULTIPROC_DIR": str(var / "metrics"),
        **{name: kept.get(name) or make() for name, make in _KEPT.items()},
    }
    return {name: os.environ.get(name) or value for name, value in ours.items()}


def read(path: Path) -> dict[str, str]:
    """Return the variables in a file that `write` wrote, none if there is no such file."""
    if not path.exists():
        return {}
    lines = (line.split("=", 1) for line in path.read_text().splitlines() if "=" in line and not line.startswith("#"))
    return {name: "".join(shlex.split(value)) for name, value in lines}


def write(path: Path, values: Mapping[str, str]) -> None:
    """Write the file atomically, readable by its owner alone."""
    lines = ["# Written by `make run` at each start. The environment wins over it."]
    lines += [f"{name}={shlex.quote(value)}" for name, value in values.items()]
    unfinished = path.with_name(path.name + ".new")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write("\n".join(lines) + "\n")
    unfinished.replace(path)
