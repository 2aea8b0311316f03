"""The workers: `python -m config.workers [QUEUE …] [--name NAME]`, one Celery worker for each queue; all by default.

Celery ends a task that takes longer than it may only where each task runs in a process of its own (prefork). Two
dozen of those are cheap as long as they come from one: this process loads the product once and forks, so that they
share what is loaded. It keeps no connection and runs no thread. A worker that dies is forked again.
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
import signal
import time
import warnings
from collections.abc import Mapping
from typing import NoReturn

from config.lib.process import die_with_parent

log = logging.getLogger(__name__)

_RESTART_SECONDS = 1.0  # between a worker's end and its restart
_END_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from django.conf import settings

    known = settings.WORKER_QUEUES
    parser = argparse.ArgumentParser(prog="python -m config.workers", description=__doc__)
    parser.add_argument("queues", nargs="*", metavar="QUEUE", help=f"of {', '.join(known)}")
    parser.add_argument("--name", default=str(os.getpid()), help="tells the workers of one machine apart")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.queues) - set(known))
    if unknown:
        parser.error(f"There is no queue {', '.join(unknown)}; there are {', '.join(known)}.")
    queues = list(dict.fromkeys(arguments.queues or known))
    _preload()
    if len(queues) == 1:
        _run_worker(queues[0], arguments.name)
    WorkerParent(dict.fromkeys(queues, arguments.name)).run()


def _preload() -> None:
    """Import what the workers need; no thread may run and no connection be open after it."""
    import django

    django.setup()
    from celery.apps import worker  # noqa: F401
    from celery.bin import celery  # noqa: F401
    from celery.concurrency import asynpool, prefork  # noqa: F401
    from kombu.transport import redis  # noqa: F401

    from config.celery import app
    from payments.gateways import stripe  # noqa: F401
    from verifications.providers import textverified  # noqa: F401

    app.loader.import_default_modules()
    app.finalize()
    gc.collect()
    gc.freeze()  # the collector would write to every object, and so copy what the forks share


def _run_worker(queue: str, name: str) -> NoReturn:
    """Run the worker of one queue in this process until it is asked to end."""
    from django.conf import settings

    from config.celery import app

    warnings.filterwarnings("ignore", message="You're running the worker with superuser privileges")
    options = ("-Q", queue, "-c", str(settings.WORKER_QUEUES[queue]), "-n", f"{queue}.{name}@%h")
    code = app.start(["-q", "worker", *options, "--without-gossip", "--without-mingle"])
    raise SystemExit(code)


class WorkerParent:
    """Forks the workers, and restarts those that die, until it is asked to end."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names
        self._pids: dict[int, str] = {}
        self._ending = False

    def run(self) -> NoReturn:
        for name in _END_SIGNALS:
            signal.signal(name, self._end)
        for queue in self._names:
            if not self._ending:
                self._fork(queue)
        while self._pids:
            try:
                pid, status = os.wait()
            except InterruptedError:
                continue
            queue = self._pids.pop(pid, "")
            if not queue or self._ending:
                continue
            log.error("The worker of %s ended with %s; starting it again", queue, os.waitstatus_to_exitcode(status))
            time.sleep(_RESTART_SECONDS)
            if not self._ending:
                self._fork(queue)
        raise SystemExit(0)

    def _fork(self, queue: str) -> None:
        parent = os.getpid()
        # Blocked, else a signal could come before its handler is there, or too late.
        signal.pthread_sigmask(signal.SIG_BLOCK, _END_SIGNALS)
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                die_with_parent(signal.SIGKILL)
                if os.getppid() != parent:
                    os._exit(1)
                for name in _END_SIGNALS:
                    signal.signal(name, signal.SIG_DFL)
                signal.pthread_sigmask(signal.SIG_UNBLOCK, _END_SIGNALS)
                _run_worker(queue, self._names[queue])
            except SystemExit as ended:
                code = ended.code if isinstance(ended.code, int) else 0
            finally:
                os._exit(code)
        self._pids[pid] = queue
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _END_SIGNALS)

    def _end(self, number: int, frame: object) -> None:
        self._ending = True
        for pid in self._pids:
            os.kill(pid, signal.SIGTERM)


if __name__ == "__main__":
    main()
