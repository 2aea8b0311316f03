"""What the production command gives the web, and what of it vendors may take."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

from django.conf import settings
from django.test import Client

from dev.stack.environment import ROOT


def gunicorn_of_the_dockerfile() -> list[str]:
    return json.loads(
        re.findall(r"^CMD (\[\"gunicorn\".*\])$", (Path(ROOT) / "Dockerfile").read_text(), re.MULTILINE)[-1]
    )


def test_all_bulkheads_together_leave_threads_for_everybody_else():
    argv = gunicorn_of_the_dockerfile()
    threads = int(argv[argv.index("--threads") + 1])
    places = settings.VENDOR_PLACES
    waiting = sum(places.values()) + places["checkout"] + places["payment"]  # as many again stand in line for these
    assert waiting <= threads * 3 // 4, shlex.join(argv)


def test_live_needs_no_database(client: Client):
    """Without the mark for a database this test may not ask one."""
    assert client.get("/health/live").json() == {"status": "ok"}
