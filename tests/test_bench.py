"""The benches keep what they measured, whatever happens to the rest of the run."""

import importlib
import json
import os
import re
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench import pgbench
from bench.__main__ import NAMES
from bench.context import Context
from bench.progress import Progress
from bench.report import Row
from bench.run import Measured, Part, Stop, measure

Run = Callable[..., tuple[list[str], list[str]]]


def row(what: str) -> Row:
    return Row(what=what, measured="1/s")


def whole(context: Context) -> list[Row]:
    return [row("whole")]


def breaks(context: Context) -> Iterator[Row]:
    yield row("before it broke")
    raise RuntimeError("the database is gone")


def dies(context: Context) -> Iterator[Row]:
    yield row("before it died")
    os.kill(os.getpid(), signal.SIGKILL)


def stands_still(context: Context) -> Iterator[Row]:
    yield row("before it stood still")
    threading.Event().wait()


def ended_by_ctrl_c(context: Context) -> Iterator[Row]:
    yield row("before the end")
    os.kill(os.getppid(), signal.SIGINT)
    threading.Event().wait()


@pytest.fixture
def stop() -> Iterator[Stop]:
    kept = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)}
    yield Stop()
    for each, handler in kept.items():
        signal.signal(each, handler)


@pytest.fixture
def run(tmp_path: Path, stop: Stop) -> Run:
    def _run(parts: dict[str, Part], still_seconds: float = 60) -> tuple[list[str], list[str]]:
        """The rows and the failures that stand in the file."""
        file = tmp_path / "rows.json"
        measured = Measured("a machine", file)
        measure(parts, Context(folder=tmp_path, quick=True), measured, stop, still_seconds=still_seconds)
        written = json.loads(file.read_text())
        assert (written["rows"], written["failed"]) == ([each.as_dict() for each in measured.rows], measured.failed)
        return [each["what"] for each in written["rows"]], written["failed"]

    return _run


def test_a_part_that_fails_costs_its_own_remaining_rows(run: Run) -> None:
    assert run({"broken": breaks, "next": whole}) == (["before it broke", "whole"], ["broken (RuntimeError)"])


def test_a_part_whose_process_dies_costs_its_own_remaining_rows(run: Run) -> None:
    assert run({"dead": dies, "next": whole}) == (["before it died", "whole"], ["dead (its process died)"])


def test_a_part_in_which_nothing_goes_on_costs_its_own_remaining_rows(run: Run) -> None:
    assert run({"still": stands_still, "next": whole}, still_seconds=1) == (
        ["before it stood still", "whole"],
        ["still (nothing went on for 1 s)"],
    )


def test_a_run_that_is_ended_keeps_what_it_has(run: Run) -> None:
    assert run({"first": whole, "ended": ended_by_ctrl_c, "next": whole}) == (
        ["whole", "before the end"],
        ["ended (ended by SIGINT)", "next (ended by SIGINT)"],
    )


def test_each_part_says_its_place_and_each_row_is_shown_as_it_comes(
    run: Run, capfd: pytest.CaptureFixture[str]
) -> None:
    run({"first": whole, "broken": breaks})
    said = [re.sub(r"\d+ s", "n s", line) for line in capfd.readouterr().out.splitlines()]
    assert said == [
        "bench: [1/2] first ...",
        "bench:      n s  whole: 1/s",
        "bench: first is done after n s",
        "bench: [2/2] broken ...",
        "bench:      n s  before it broke: 1/s",
        "bench: broken FAILED after n s",
    ]


def test_a_step_and_a_count_that_grows_are_signs_that_it_goes_on() -> None:
    signs: list[str] = []
    progress = Progress(lambda: signs.append("on"))
    progress.step("a step")
    for done in (1, 1, 1, 2):
        progress.count("rows", done, 2)
    assert signs == ["on"] * 3


def test_long_work_is_told_by_count_every_ten_seconds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [100.0]
    monkeypatch.setattr("bench.progress.time.monotonic", lambda: now[0])
    progress = Progress()
    for done in range(1, 26):
        now[0] += 1
        progress.count("refunded", done, 10_000)
    assert capsys.readouterr().out.splitlines() == [
        "bench:     10 s  10 of 10,000 refunded",
        "bench:     20 s  20 of 10,000 refunded",
    ]


def test_every_bench_can_be_imported() -> None:
    assert all(callable(importlib.import_module(f"bench.{name}").run) for name in NAMES)


def test_there_is_a_pgbench_for_the_floor() -> None:
    assert Path(pgbench.program()).exists()
