"""Command line: `python -m dev.stack run [--stop-with-parent]`."""

import argparse
import signal
import sys

from config.lib.process import die_with_parent
from dev.stack.launcher import run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m dev.stack", description="The embedded Ringfence stack.")
    commands = parser.add_subparsers(dest="command", required=True)
    start = commands.add_parser("run", help="start everything; Ctrl-C stops it")
    start.add_argument("--stop-with-parent", action="store_true", help="stop when the program that started this ends")
    options = parser.parse_args()
    if options.stop_with_parent:
        die_with_parent(signal.SIGTERM)
    return run()


if __name__ == "__main__":
    sys.exit(main())
