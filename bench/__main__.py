"""`python -m bench [NAME …] [--quick] [--json FILE]`: the benches, and one table at the end."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import resource
import sys
import time
import traceback
from pathlib import Path

import django

from bench.report import table
from bench.run import Measured, Stop, measure
from bench.services import bench_services
from config.lib.postgres import limits

NAMES = ("postings", "purchases", "expiry", "polling", "sockets", "lists", "pages")


def main() -> int:
    arguments = _arguments()
    began = time.monotonic()
    _raise_file_limit()
    measured = Measured("", arguments.json)
    stop = Stop()
    try:
        _run(arguments, measured, stop)
    except KeyboardInterrupt:
        measured.fail("the end (asked for twice)")
    except Exception as error:  # noqa: BLE001  what was measured is printed whatever happens to the services
        traceback.print_exc()
        measured.fail(f"the services ({type(error).__name__})")
    size = "quick sizes: the rates and ratios of tiny runs are rough" if arguments.quick else "full sizes"
    print(f"\n{measured.heading}\n{size}; {time.monotonic() - began:.0f} s in all\n\n{table(measured.rows)}")
    if measured.failed:
        print(f"\nFAILED: {', '.join(measured.failed)}")
    return 1 if measured.failed else 0


def _run(arguments: argparse.Namespace, measured: Measured, stop: Stop) -> None:
    with bench_services(quick=arguments.quick) as context:
        django.setup()
        limits.use("command")
        from bench import forked, machine

        measured.heading = machine.describe()
        print(f"bench: {measured.heading}", flush=True)
        parts = {name: importlib.import_module(f"bench.{name}").run for name in arguments.names or NAMES}
        measure(parts, context, measured, stop)
        measured.heading = machine.describe()
        forked.close_database()
        measured.write()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description="Measure the product beside a floor or a peer.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of: {', '.join(NAMES)} (all)")
    parser.add_argument("--quick", action="store_true", help="small sizes, about three minutes")
    parser.add_argument("--json", type=Path, help="write the rows there too, as they come")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in NAMES]
    if unknown:
        parser.error(f"there is no bench {unknown[0]!r}; the benches are {', '.join(NAMES)}")
    return arguments


def _raise_file_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 20_000 if hard == resource.RLIM_INFINITY else min(hard, 20_000)
    if soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


if __name__ == "__main__":
    sys.exit(main())
