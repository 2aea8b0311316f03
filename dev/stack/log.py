"""One log of all the processes: each line with the name of the one that wrote it, in its colour."""

import os
import re
import sys
import threading
from typing import IO

_COLOURS = ("36", "33", "32", "35", "34", "96", "93", "92", "95", "94")
_COLOUR_CODE = re.compile(r"\033\[[0-9;]*m")


class Log:
    """Writes whole lines of several processes to one stream. Goes on without output if the stream is closed."""

    def __init__(self, stream: IO[str] | None = None) -> None:
        self._stream = stream or sys.stdout
        self._coloured = _wants_colour(self._stream)
        # For the children: what they write goes through a pipe, where they would use no colours.
        self.variables = {"FORCE_COLOR": "1"} if self._coloured else {}
        self._lock = threading.Lock()
        self._colours: dict[str, str] = {}

    def say(self, text: str = "") -> None:
        """Write a line of the launcher itself."""
        self._write(f"\033[1m{text}\033[0m" if self._coloured and text else text)

    def line(self, name: str, text: str) -> None:
        prefix = f"{name:<10}|"
        if not self._coloured:
            text = _COLOUR_CODE.sub("", text)
        else:
            colour = self._colours.setdefault(name, _COLOURS[len(self._colours) % len(_COLOURS)])
            prefix = f"\033[{colour}m{prefix}\033[0m"
        self._write(f"{prefix} {text}")

    def follow(self, name: str, pipe: IO[bytes]) -> threading.Thread:
        """Copy the lines of the pipe to the log until it closes."""
        thread = threading.Thread(target=self._pump, args=(name, pipe), name=f"log of {name}", daemon=True)
        thread.start()
        return thread

    def _pump(self, name: str, pipe: IO[bytes]) -> None:
        with pipe:
            for raw in pipe:
                self.line(name, raw.decode(errors="replace").rstrip())

    def _write(self, text: str) -> None:
        with self._lock:
            try:
                self._stream.write(text + "\n")
                self._stream.flush()
            except (OSError, ValueError):
                pass  # the terminal is gone; the children's pipes still have to be emptied


def _wants_colour(stream: IO[str]) -> bool:
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or stream.isatty()
