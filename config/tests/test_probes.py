"""Probes, asked as a container's orchestrator asks them: by an address that ALLOWED_HOSTS doesn't name."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.test import Client

from dev.stack.environment import ROOT
from dev.stack.process import free_port, kill_group, spawn
from dev.testing.live import until
from dev.testing.suite import PRODUCTION

PORT = ":8000"


def of_the_image(instruction: str, text: str) -> list[str]:
    """The command that the Dockerfile gives to `instruction`, run by the tests' Python."""
    found = re.search(rf"^{instruction}(?: --\S+| \\\n)*\s*(?:CMD )?(\[.*\])$", text, re.MULTILINE)
    assert found, f"no {instruction}"
    program, *arguments = json.loads(found[1])
    return [sys.executable, *([] if program == "python" else ["-m", program]), *arguments]


@contextmanager
def serving(command: list[str], port: int, log: Path) -> Iterator[None]:
    with log.open("wb") as output:
        process = spawn(command, cwd=ROOT, env={**os.environ, **PRODUCTION, "DATABASE_POOL_MAX": "2"}, output=output)
    try:
        yield
    finally:
        kill_group(process)
        process.wait(10)


@pytest.mark.slow
@pytest.mark.parametrize("server", ["pages", "sockets"])
def test_the_images_own_health_check_finds_a_production_server_healthy(server: str, tmp_path: Path) -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    port = free_port()
    check = [each.replace(PORT, f":{port}") for each in of_the_image("HEALTHCHECK", dockerfile)]
    if server == "pages":
        command = [each.replace(PORT, f":{port}") for each in of_the_image("CMD", dockerfile)]
    else:
        sockets = re.search(r"Sockets: python (.*)", dockerfile)
        assert sockets
        command = [sys.executable, *shlex.split(sockets[1].replace("-p 8000", f"-p {port}"))]
    with serving(command, port, tmp_path / "log"):
        until(lambda: subprocess.run(check, capture_output=True, check=False).returncode == 0, "it is healthy")


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/metrics"])
def test_a_probe_answers_whatever_the_host(path: str, settings: LazySettings) -> None:
    settings.ALLOWED_HOSTS = ["ringfence.test"]
    assert Client().get(path, headers={"Host": "10.1.2.3:8000"}).status_code == 200


@pytest.mark.django_db
def test_a_page_answers_by_its_own_name_alone(settings: LazySettings) -> None:
    settings.ALLOWED_HOSTS = ["ringfence.test"]
    answered = {
        host: Client().get("/help", headers={"Host": host}).status_code for host in ("10.1.2.3", "ringfence.test")
    }
    assert answered == {"10.1.2.3": 400, "ringfence.test": 200}
