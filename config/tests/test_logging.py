"""The log as it is written: structured in every process, coloured for people alone."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dev.stack.environment import ROOT
from dev.stack.log import Log
from dev.testing.suite import PRODUCTION

_TELL = "import structlog; structlog.get_logger('money').info('Credits deducted', amount='-2.50')\n"
_IN_A_PAGE = "import django; django.setup()\n" + _TELL
# As `celery worker` and `celery beat` begin.
_IN_A_WORKER = f"""
import logging
from config.celery import app
app.log.setup(loglevel="WARNING", redirect_stdouts=True)
{_TELL}
logging.getLogger("celery.app.trace").info("Task verifications.tasks.poll succeeded in 0.01s: None")
logging.getLogger("celery.beat").info("Scheduler: Sending due task poll (verifications.tasks.poll)")
logging.getLogger("celery.worker").warning("Restoring 3 unacknowledged messages")
"""


def written(program: str, **env: str) -> list[str]:
    """The lines on standard error, which is no terminal here."""
    given = {**os.environ, "LOG_LEVEL": "INFO", "NO_COLOR": "", "FORCE_COLOR": "", **env}
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=given, capture_output=True, text=True, check=True, timeout=60
    )
    assert ended.stdout == ""
    return ended.stderr.splitlines()


@pytest.mark.slow
@pytest.mark.parametrize("program", [_IN_A_PAGE, _IN_A_WORKER])
def test_money_is_one_structured_line_in_every_process(program: str) -> None:
    line = json.loads(written(program, **PRODUCTION, LOG_LEVEL="INFO")[0])
    line.pop("timestamp")
    assert line == {"event": "Credits deducted", "level": "info", "logger": "money", "amount": "-2.50"}


@pytest.mark.slow
def test_of_celerys_own_words_only_warnings_are_written() -> None:
    lines = [json.loads(line) for line in written(_IN_A_WORKER, **PRODUCTION, LOG_LEVEL="INFO")]
    assert [line["event"] for line in lines] == ["Credits deducted", "Restoring 3 unacknowledged messages"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("env", "coloured"),
    [({}, False), ({"FORCE_COLOR": "1"}, True), ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False)],
)
def test_colours_are_for_terminals_and_for_those_who_ask(env: dict[str, str], coloured: bool) -> None:
    [line] = written(_IN_A_PAGE, DEBUG="1", **env)
    assert ("\033[" in line, "Credits deducted" in line) == (coloured, True)


def test_the_launcher_asks_for_colours_where_its_own_log_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    assert (Log(Terminal()).variables, Log(io.StringIO()).variables) == ({"FORCE_COLOR": "1"}, {})


_ARROW = _IN_A_PAGE.replace("Credits deducted", "Balance: User=7, 25.00 → 24.50")


@pytest.mark.slow
@pytest.mark.parametrize("env", [{"DEBUG": "1"}, PRODUCTION])
def test_the_arrow_is_found_as_it_is_written_in_text_and_in_json(env: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "ringfence.log"
    [line] = written(_ARROW, **{**env, "LOG_LEVEL": "INFO", "LOG_FILE": str(file), "PYTHONIOENCODING": "utf-8"})
    assert "Balance: User=7, 25.00 → 24.50" in line
    assert "Balance: User=7, 25.00 → 24.50" in file.read_text(encoding="utf-8")
