"""What the production image holds is enough: the product imports and answers where `dev/` and `tests/` are absent."""

import os
import re
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

from dev.stack.environment import ROOT
from dev.testing.suite import PRODUCTION

_PROGRAM = """
import asyncio, pkgutil, sys
from importlib import import_module
from pathlib import Path

import django
django.setup()
for package in sys.argv[1:]:
    for module in pkgutil.walk_packages([package], package + "."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
            print(module.name)
assert not [name for name in sys.modules if name.split(".")[0] in ("dev", "tests", "bench")]

from asgiref.testing import ApplicationCommunicator
from django.core.handlers.wsgi import WSGIRequest
from django.test import RequestFactory
from config import asgi, wsgi

began = []
b"".join(wsgi.application(RequestFactory().get("/health/live").environ, lambda status, *_: began.append(status)))
print("WSGI", began[0])


async def ask():
    scope = {
        "type": "http", "http_version": "1.1", "scheme": "http", "method": "GET", "query_string": b"",
        "path": "/health/live", "raw_path": b"/health/live", "headers": [(b"host", b"ringfence.test")],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8000),
    }
    communicator = ApplicationCommunicator(asgi.application, scope)
    await communicator.send_input({"type": "http.request"})
    print("ASGI", (await communicator.receive_output(10))["status"])


asyncio.run(ask())
"""


def left_out() -> list[str]:
    return [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]


def ignored(folder: str, names: list[str]) -> set[str]:
    """The names in that folder of the tree that `.dockerignore` leaves out of the image."""
    within = Path(folder).relative_to(ROOT)
    paths = {name: (within / name).as_posix() for name in names}
    patterns = [re.sub(r"^\*\*/", "*", pattern) if "/" in pattern else pattern for pattern in left_out()]
    return {name for name, path in paths.items() if any(fnmatch(path, pattern) for pattern in patterns)}


@pytest.fixture
def image(tmp_path: Path) -> Path:
    shutil.copytree(ROOT, tmp_path / "app", ignore=ignored)
    return tmp_path / "app"


@pytest.mark.slow
def test_every_module_of_the_product_imports_and_both_servers_answer(image: Path) -> None:
    assert [name for name in ("dev", "tests", "bench", "wallet/tests") if (image / name).exists()] == []
    packages = sorted(path.parent.name for path in image.glob("*/__init__.py"))
    env = {**os.environ, **PRODUCTION, "PYTHONPATH": ""}
    argv = [sys.executable, "-c", _PROGRAM, *packages]
    done = subprocess.run(argv, cwd=image, env=env, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    *modules, by_wsgi, by_asgi = done.stdout.splitlines()
    assert (by_wsgi, by_asgi) == ("WSGI 200 OK", "ASGI 200")
    assert {"wallet.services", "config.settings.base", "notifications.sockets.consumers"} <= set(modules)
