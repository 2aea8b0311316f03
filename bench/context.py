"""What a bench is given, and how it starts the product's processes."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bench.progress import STILL_SECONDS, Progress
from dev.stack.environment import ROOT
from dev.stack.process import kill_group, spawn


@dataclass(frozen=True)
class Context:
    """`folder` is the run's own and goes with it; `quick` asks for small sizes."""

    folder: Path
    quick: bool
    progress: Progress = field(default_factory=Progress)

    def size(self, full: int, quick: int) -> int:
        return quick if self.quick else full

    @property
    def port(self) -> int:
        return int(os.environ["PORT"])

    @property
    def sandbox_url(self) -> str:
        return f"http://127.0.0.1:{os.environ['SANDBOX_PORT']}"

    @contextlib.contextmanager
    def daphne(self) -> Iterator[subprocess.Popen[bytes]]:
        """As the launcher starts it."""
        argv = ("config.web", "-v", "0", "-b", "127.0.0.1", "-p", str(self.port))
        with self.process("daphne", *argv, "config.asgi:application", ready=f"http://127.0.0.1:{self.port}") as one:
            yield one

    @contextlib.contextmanager
    def gunicorn(self, application: str = "config.wsgi") -> Iterator[subprocess.Popen[bytes]]:
        """As the Dockerfile starts it: two processes of 48 threads."""
        argv = ("gunicorn", application, "--bind", f"127.0.0.1:{self.port}", "--workers", "2", "--threads", "48")
        options = ("--keep-alive", "30", "--log-level", "warning")
        with self.process("gunicorn", *argv, *options, ready=f"http://127.0.0.1:{self.port}") as one:
            yield one

    @contextlib.contextmanager
    def sandbox(self) -> Iterator[subprocess.Popen[bytes]]:
        with self.process("sandbox", "bench.sandbox", ready=self.sandbox_url, path="/__bench/ready") as one:
            yield one

    @contextlib.contextmanager
    def process(
        self, name: str, *argv: str, ready: str = "", path: str = "/health/live"
    ) -> Iterator[subprocess.Popen[bytes]]:
        """`python -m ARGV`, ready where that URL answers; killed with all that it started."""
        log = self.folder / f"{name}.log"
        with log.open("ab") as output:
            process = spawn([sys.executable, "-m", *argv], cwd=ROOT, env=os.environ, output=output)
        try:
            if ready:
                _wait(process, ready + path, log)
            yield process
        finally:
            kill_group(process)
            process.wait()


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + STILL_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()  # noqa: S310  the loopback
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"{url} does not answer:\n{log.read_text(errors='replace')[-3000:]}")
