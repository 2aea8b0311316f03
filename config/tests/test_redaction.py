"""What opens something stands in no log: reset links, confirmation links, tickets of sockets."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from config.lib.secrets.redaction import mask_secrets
from config.tests.test_logging import written
from config.tests.test_web_threads import gunicorn_of_the_dockerfile
from dev.stack.environment import ROOT
from dev.stack.process import free_port
from dev.testing.suite import PRODUCTION

SECRETS = {
    "/account/password/reset/key/5-csx2kf-0123456789abcdef/": "/account/password/reset/key/***/",
    "/account/confirm-email/MQ:1rABCd:s3cr3t_-x/": "/account/confirm-email/***/",
    "/ws/notifications/12?token=rft_s3cr3t-_x&x=1": "/ws/notifications/12?token=***&x=1",
    "/ws/balance?x=1&token=rft_s3cr3t": "/ws/balance?x=1&token=***",
}


@pytest.mark.parametrize(("path", "shown"), SECRETS.items())
def test_a_secret_in_an_address_is_masked(path: str, shown: str) -> None:
    line = f'127.0.0.1 - - "GET {path} HTTP/1.1" 200 "https://ringfence.test{path}"'
    assert mask_secrets(line) == f'127.0.0.1 - - "GET {shown} HTTP/1.1" 200 "https://ringfence.test{shown}"'


@pytest.mark.parametrize(
    "path", ["/account/confirm-email/", "/account/password/reset/", "/history?q=token", "/verify/5"]
)
def test_other_addresses_stay_as_they_are(path: str) -> None:
    assert mask_secrets(f"GET {path} HTTP/1.1") == f"GET {path} HTTP/1.1"


@pytest.mark.slow
def test_the_products_own_log_masks_them_in_texts_requests_and_tracebacks() -> None:
    program = """
import logging, django; django.setup()
from django.test import RequestFactory
path = "/account/password/reset/key/5-csx2kf-0123456789abcdef/"
log = logging.getLogger("django.request")
try:
    raise ValueError(path)
except ValueError:
    log.error("Internal Server Error: %s", path, exc_info=True, extra={"request": RequestFactory().get(path)})
"""
    [line] = [json.loads(line) for line in written(program, **PRODUCTION, LOG_LEVEL="INFO")]
    assert line["event"] == "Internal Server Error: /account/password/reset/key/***/"
    assert line["request"] == "<WSGIRequest: GET '/account/password/reset/key/***/'>"
    assert "ValueError: /account/password/reset/key/***/" in line["exception"]


@contextmanager
def serving(argv: list[str], port: int, output: Path) -> Iterator[None]:
    """The server, until the block ends and its log is written."""
    with output.open("wb") as file:
        server = subprocess.Popen(
            argv, cwd=ROOT, env={**os.environ, **PRODUCTION}, stdout=file, stderr=subprocess.STDOUT
        )
        try:
            for _try in range(600):
                if _answers(port, "/health/live"):
                    break
                with suppress(subprocess.TimeoutExpired):
                    server.wait(0.1)
                    pytest.fail(output.read_text())
            yield
        finally:
            server.terminate()
            server.wait(30)


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers={"Host": "ringfence.test", "Referer": f"https://ringfence.test{path}"})
        connection.getresponse().read()
    except OSError:
        return False
    finally:
        connection.close()
    return True


@pytest.mark.slow
@pytest.mark.parametrize("server", ["gunicorn", "daphne"])
def test_the_access_log_of_the_real_server_has_no_secret(server: str, tmp_path: Path) -> None:
    port, output = free_port(), tmp_path / "log"
    if server == "gunicorn":
        argv = [sys.executable, "-m", *gunicorn_of_the_dockerfile()]
        argv[argv.index("--bind") + 1] = f"127.0.0.1:{port}"
        argv[argv.index("--workers") + 1] = "1"
    else:
        argv = [sys.executable, "-m", "config.web", "-b", "127.0.0.1", "-p", str(port), "config.asgi:application"]
    with serving(argv, port, output):
        assert [_answers(port, path) for path in SECRETS] == [True] * len(SECRETS)
    log = output.read_text()
    assert all(shown in log for shown in SECRETS.values()), log
    assert not any(secret in log for secret in ("0123456789abcdef", "s3cr3t")), log
