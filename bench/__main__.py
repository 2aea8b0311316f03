"""`python -m bench [NAME …] [--quick] [--json FILE]`: the benches, and one table at the end."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import resource
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import django

from bench.report import Row, table
from bench.services import bench_services
from config.lib.postgres import limits

NAMES = ("postings", "purchases", "expiry", "polling", "sockets", "lists", "pages")
_LIMITS = {False: 720, True: 240}  # seconds; a run that hangs ends by itself


def main() -> int:
    arguments = _arguments()
    began = time.monotonic()
    signal.signal(signal.SIGALRM, _too_long)
    signal.signal(signal.SIGTERM, _too_long)
    signal.alarm(_LIMITS[arguments.quick])
    _raise_file_limit()
    rows: list[Row] = []
    failed: list[str] = []
    with bench_services(quick=arguments.quick) as context:
        django.setup()
        limits.use("command")
        from bench import forked, machine

        print(f"bench: {machine.describe()}", flush=True)
        for name in arguments.names or NAMES:
            print(f"bench: {name} ...", flush=True)
            started = time.monotonic()
            try:
                rows += importlib.import_module(f"bench.{name}").run(context)
            except TooLong as why:
                failed.append(f"{name} and what was to follow ({why})")
                break
            except Exception:  # noqa: BLE001  said, counted, and the others run
                traceback.print_exc()
                failed.append(name)
            print(f"bench: {name} took {time.monotonic() - started:.0f} s", flush=True)
        forked.close_database()  # a run that was ended left a statement under way
        heading = machine.describe()
        forked.close_database()
    size = "quick sizes: the rates and ratios of tiny runs are rough" if arguments.quick else "full sizes"
    print(f"\n{heading}\n{size}; {time.monotonic() - began:.0f} s in all\n\n{table(rows)}")
    if arguments.json:
        _write(arguments.json, heading, rows)
    if failed:
        print(f"\nFAILED: {', '.join(failed)}")
    return 1 if failed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description="Measure the product beside a floor or a peer.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of: {', '.join(NAMES)} (all)")
    parser.add_argument("--quick", action="store_true", help="small sizes, within three minutes")
    parser.add_argument("--json", type=Path, help="write the rows there too")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in NAMES]
    if unknown:
        parser.error(f"there is no bench {unknown[0]!r}; the benches are {', '.join(NAMES)}")
    return arguments


class TooLong(BaseException):
    """The time is over, or somebody ended the run: what was measured is printed."""


def _too_long(number: int, frame: Any) -> None:
    signal.alarm(0)
    raise TooLong(signal.Signals(number).name)


def _raise_file_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 20_000 if hard == resource.RLIM_INFINITY else min(hard, 20_000)
    if soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _write(file: Path, heading: str, rows: list[Row]) -> None:
    file.write_text(json.dumps({"run": heading, "rows": [row.as_dict() for row in rows]}, indent=1))


if __name__ == "__main__":
    sys.exit(main())
