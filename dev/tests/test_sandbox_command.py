"""`manage.py sandbox`, and what the sandbox may know."""

import ast
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from django.conf import settings
from django.core.management import CommandError, call_command

from dev.sandbox.testing import running_sandbox

SANDBOX = Path(__file__).parents[1] / "sandbox"
ALLOWED = {"dev.sandbox", "config.lib", "aiohttp", "django.conf", "pytest", *sys.stdlib_module_names}


def test_it_refuses_to_start_when_debug_is_off(settings):
    settings.DEBUG = False
    with pytest.raises(CommandError, match="it only runs with DEBUG on"):
        call_command("sandbox", port=0)


def test_a_taken_port_is_told_in_a_sentence(settings):
    settings.DEBUG = True
    with running_sandbox() as sandbox, pytest.raises(CommandError, match="The sandbox can't listen on "):
        call_command("sandbox", port=int(sandbox.base_url.rsplit(":", 1)[1]))


def test_it_starts_as_a_process_answers_and_stops_on_a_signal(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "manage.py", "sandbox", "--port", str(port)],
        cwd=settings.BASE_DIR,
        env={**os.environ, "SANDBOX_STATE": str(tmp_path / "sandbox.json"), "MAIL_DIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == f"The sandbox listens on http://127.0.0.1:{port} (mail at /mail)\n"
        assert requests.get(f"http://127.0.0.1:{port}/__ctl/health", proxies={"http": ""}).json() == {"ok": True}
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert (tmp_path / "sandbox.json").exists()
    finally:
        process.kill()
        process.wait(10)
        process.stdout.close()


def test_it_imports_no_app():
    imported = set()
    for path in SANDBOX.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(node.module)
    assert {name for name in imported if not name.startswith(tuple(ALLOWED))} == set()
