"""Starts the product's processes in a fraction of their time: Django is loaded once, and each is forked from there.

A drill spends most of its time on a process that is about to die. What is forked is the same program (daphne's and
Celery's own command lines), in a process of its own, with its own connections; only the imports are shared.

`python -m tests.faults.nursery` reads `{"argv", "env", "log"}` in JSON lines, and answers `{"pid"}` and
`{"ended", "code"}`.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import runpy
import selectors
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from config.lib.process import die_with_parent
from dev.stack.environment import ROOT

_LOOK_EVERY = 0.02


class Nursery:
    """The test's side of it."""

    def __init__(self, env: Mapping[str, str], log: Path) -> None:
        self._children: dict[int, Child] = {}
        self._born: queue.SimpleQueue[int] = queue.SimpleQueue()
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.nursery"],
                cwd=ROOT,
                env=dict(env),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        threading.Thread(target=self._listen, name="nursery", daemon=True).start()

    def start(self, argv: Sequence[str], *, env: Mapping[str, str], log: Path) -> Child:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"argv": list(argv), "env": dict(env), "log": str(log)}) + "\n")
        self._process.stdin.flush()
        return self._children[self._born.get(timeout=60)]

    def close(self) -> None:
        self._process.kill()
        self._process.wait()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            news = json.loads(line)
            if "pid" in news:
                self._children[news["pid"]] = Child(news["pid"])
                self._born.put(news["pid"])
            else:
                self._children[news["ended"]].ended(news["code"])


class Child:
    """As much of a Popen as is asked for."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._over = threading.Event()

    def ended(self, code: int) -> None:
        self.returncode = code
        self._over.set()

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if not self._over.wait(timeout):
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
        assert self.returncode is not None
        return self.returncode


def main() -> None:
    die_with_parent(signal.SIGKILL)
    _load()
    assert threading.active_count() == 1, "a fork takes no thread along"
    with selectors.DefaultSelector() as selector:
        selector.register(sys.stdin, selectors.EVENT_READ)
        while True:
            if selector.select(_LOOK_EVERY):
                line = sys.stdin.readline()
                if not line:
                    return
                _fork(**json.loads(line))
            _reap()


def _load() -> None:
    import django

    django.setup()
    from celery.apps import worker  # noqa: F401
    from celery.bin import celery  # noqa: F401
    from celery.concurrency import thread  # noqa: F401
    from daphne import cli  # type: ignore[import-untyped]  # noqa: F401
    from django.urls import get_resolver
    from kombu.transport import redis  # noqa: F401

    from config import asgi  # noqa: F401
    from config.celery import app

    app.loader.import_default_modules()
    list(get_resolver().url_patterns)


def _fork(argv: list[str], env: dict[str, str], log: str) -> None:
    pid = os.fork()
    if pid == 0:
        _become(argv, env, log)
    _tell({"pid": pid})


def _become(argv: list[str], env: dict[str, str], log: str) -> NoReturn:
    code = 1
    try:
        os.setsid()
        die_with_parent(signal.SIGKILL)
        nothing, output = os.open(os.devnull, os.O_RDONLY), os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        for number, target in enumerate((nothing, output, output)):
            os.dup2(target, number)
        os.environ.clear()
        os.environ.update(env)
        _arm(env)
        assert argv[0] == "-m"
        sys.argv = argv[1:]
        runpy.run_module(argv[1], run_name="__main__", alter_sys=True)
        code = 0
    finally:
        os._exit(code)


def _arm(env: Mapping[str, str]) -> None:
    """As the settings do, which are loaded already."""
    from django.conf import settings

    from config.lib import faults

    faults.arm(env.get("FAULT_POINT", ""), allowed=settings.DEBUG)


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            _tell({"ended": pid, "code": os.waitstatus_to_exitcode(status)})


def _tell(news: Mapping[str, int]) -> None:
    sys.stdout.write(json.dumps(news) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
