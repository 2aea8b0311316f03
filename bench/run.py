"""Running the parts one after the other, and keeping what each of them measured.

Each part has a process of its own, so that it can be ended whatever it is at; all that it started ends with it.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType

from bench.context import Context
from bench.forked import close_database
from bench.progress import STILL_SECONDS, Progress
from bench.report import Row
from config.lib.process import die_with_parent

Part = Callable[[Context], Iterable[Row]]
_fork = multiprocessing.get_context("fork")
_LOOK_SECONDS = 0.2


@dataclass
class Measured:
    """The rows so far, and the parts that failed; written to `file` as it grows, where there is one."""

    heading: str
    file: Path | None = None
    rows: list[Row] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def add(self, row: Row) -> None:
        self.rows.append(row)
        self.write()

    def fail(self, what: str) -> None:
        self.failed.append(what)
        self.write()

    def write(self) -> None:
        """Never leaves half a file."""
        if self.file is None:
            return
        unfinished = self.file.with_name(self.file.name + ".new")
        rows = [row.as_dict() for row in self.rows]
        unfinished.write_text(json.dumps({"run": self.heading, "failed": self.failed, "rows": rows}, indent=1))
        unfinished.replace(self.file)


class Stop:
    """Whether somebody asked for the end: noted, and looked at between two waits, since an exception out of a signal
    handler can come in the middle of anything."""

    def __init__(self) -> None:
        self.why = ""
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.why:
            raise KeyboardInterrupt  # asked twice: at once
        self.why = f"ended by {signal.Signals(number).name}"


def measure(
    parts: Mapping[str, Part], context: Context, measured: Measured, stop: Stop, *, still_seconds: float = STILL_SECONDS
) -> None:
    """Run each part. One that fails or stands still costs its own remaining rows; Ctrl-C ends the run."""
    for number, (name, part) in enumerate(parts.items(), start=1):
        if stop.why:
            measured.fail(f"{name} ({stop.why})")
            continue
        began = time.monotonic()
        print(f"bench: [{number}/{len(parts)}] {name} ...", flush=True)
        why = _run(part, context, measured, stop, still_seconds)
        if why:
            measured.fail(f"{name} ({why})")
        took = time.monotonic() - began
        print(f"bench: {name} {'FAILED' if why else 'is done'} after {took:.0f} s", flush=True)


def _run(part: Part, context: Context, measured: Measured, stop: Stop, still_seconds: float) -> str:
    """Run one in a process of its own and take its rows as they come; why it failed, or nothing."""
    close_database()
    ours, theirs = _fork.Pipe(duplex=False)
    process = _fork.Process(target=_in_child, args=(part, context, theirs))
    process.start()
    theirs.close()
    went_on = time.monotonic()
    try:
        while True:
            if ours.poll(_LOOK_SECONDS):
                said = ours.recv()
                went_on = time.monotonic()
                if isinstance(said, Row):
                    measured.add(said)
                elif isinstance(said, str):
                    return said
            elif time.monotonic() - went_on > still_seconds:
                return f"nothing went on for {still_seconds:g} s"
            if stop.why:
                return stop.why
    except EOFError:
        return "its process died"
    finally:
        process.kill()
        process.join()
        ours.close()


def _in_child(part: Part, context: Context, answers: Connection) -> None:
    """Send each row; at the end why it failed, or an empty string."""
    die_with_parent(signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches everybody; our parent ends us
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    progress = Progress(lambda: answers.send(None))
    why = ""
    try:
        for row in part(replace(context, progress=progress)):
            answers.send(row)
            progress.step(f"{row.what}: {row.measured}")
    except BaseException as error:  # noqa: BLE001  said, counted, and the others run
        traceback.print_exc()
        why = type(error).__name__
    answers.send(why)
    answers.close()
    os._exit(0)
