"""Fault points: declared once, reached by the code, never on in production."""

from __future__ import annotations

import ast
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from config.lib import faults
from dev.stack.environment import ROOT

APPS = ("accounts", "wallet", "payments", "verifications", "refunds", "activity", "notifications", "config")


@pytest.fixture(autouse=True)
def _disarmed() -> Iterator[None]:
    yield
    faults.arm("", allowed=True)


def calls() -> Iterator[tuple[str, str]]:
    """(place, name) of every fault point in the product; a name that is no plain text shows as such."""
    for app in APPS:
        for path in (ROOT / app).rglob("*.py"):
            if "tests" not in path.parts:
                yield from _calls_in(path)


def _calls_in(path: Path) -> Iterator[tuple[str, str]]:
    for node in ast.walk(ast.parse(path.read_text())):
        function = node.func if isinstance(node, ast.Call) else None
        if (
            isinstance(function, ast.Attribute)
            and isinstance(function.value, ast.Name)
            and (function.value.id, function.attr) in {("faults", "point"), ("faults", "committed")}
        ):
            assert isinstance(node, ast.Call)
            argument = node.args[0]
            place = f"{path.relative_to(ROOT)}:{node.lineno}"
            yield place, str(argument.value) if isinstance(argument, ast.Constant) else ast.unparse(argument)


def test_every_call_uses_a_declared_name_and_every_name_has_a_call() -> None:
    assert {name for _place, name in calls()} == set(faults.POINTS)


def test_an_unarmed_point_lets_pass() -> None:
    faults.point("buy.reserved")


def test_a_point_kills_the_process_at_the_pass_that_was_asked_for() -> None:
    program = (
        "from config.lib import faults; faults.arm('buy.reserved:3', allowed=True)\n"
        "for number in (1, 2, 3, 4): print(number, flush=True); faults.point('buy.reserved')"
    )
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout.split()) == (-signal.SIGKILL, ["1", "2", "3"])


@pytest.mark.parametrize("spec", ["no.such", "buy.reserved:0", "buy.reserved:x", "buy", ":1"])
def test_what_is_no_point_is_refused(spec: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="FAULT_POINT is"):
        faults.arm(spec, allowed=True)


def test_without_debug_no_point_can_be_armed() -> None:
    with pytest.raises(ImproperlyConfigured, match="needs DEBUG"):
        faults.arm("buy.reserved", allowed=False)


def test_production_settings_refuse_to_load_with_an_armed_point() -> None:
    env = {"DEBUG": "0", "SECRET_KEY": "kZ9xQ" * 12, "FAULT_POINT": "buy.reserved", "PATH": "/usr/bin:/bin"}
    ended = subprocess.run(
        [sys.executable, "-c", "import config.settings.drills"],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert "FAULT_POINT kills processes on purpose" in ended.stderr
