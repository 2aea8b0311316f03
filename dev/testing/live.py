"""The product in processes of its own, on the test database: for browsers, sockets and fault drills.

    def test_the_code_appears(live, page):
        page.goto(f"{live.url}/buy")

`live` is one web process and one worker, started once for a session; the beat is a thread of the test's process that
sends the tasks of the schedule, since a real one would still be sending while the test's tables are emptied.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit, urlunsplit

import pytest
import redis as redis_client
from kombu.exceptions import OperationalError

from dev.sandbox.testing import RunningSandbox
from dev.stack.environment import ROOT
from dev.stack.process import free_port, kill_group, spawn
from dev.testing.services import TEST_LIMITS

START_SECONDS = 60


class LiveProcess:
    """A web process or a worker that can be killed and started again, as often as a drill wants."""

    def __init__(self, name: str, argv: tuple[str, ...], env: Mapping[str, str], log: Path) -> None:
        self.name, self.argv, self.env, self.log = name, argv, dict(env), log
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, **env: str) -> None:
        """Start it, with more environment for this life alone (fault points, say); returns when it is ready."""
        with self.log.open("ab") as log:
            self.process = spawn([sys.executable, *self.argv], cwd=ROOT, env={**self.env, **env}, output=log)
        until(self._is_ready, f"{self.name} is ready", seconds=START_SECONDS)

    def kill(self) -> None:
        """Kill it, as a power cut would."""
        assert self.process is not None
        kill_group(self.process, signal.SIGKILL)
        self.process.wait()

    def end(self) -> None:
        if self.alive:
            self.kill()

    def wait(self, seconds: float = 60) -> int:
        """Wait until it ends by itself (at a fault point). Returns the exit code, negative for a signal."""
        assert self.process is not None
        return self.process.wait(seconds)

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def ensure(self) -> None:
        if not self.alive:
            self.start()

    def _is_ready(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.name} ended with code {self.process.returncode}:\n{tail(self.log)}")
        return self._answers()

    def _answers(self) -> bool:
        raise NotImplementedError


class Web(LiveProcess):
    def __init__(self, name: str, env: Mapping[str, str], log: Path) -> None:
        self.port = free_port()
        self.url = f"http://localhost:{self.port}"
        argv = ("-m", "config.web", "-v", "0", "-b", "127.0.0.1", "-p", str(self.port), "config.asgi:application")
        super().__init__(name, argv, env, log)

    def _answers(self) -> bool:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health/live", timeout=5).close()
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False
        return True


class Worker(LiveProcess):
    """A worker of all queues in one process: a fault point kills all of it, and it starts faster."""

    def __init__(self, name: str, env: Mapping[str, str], log: Path) -> None:
        options = ("-P", "threads", "-c", "8", "-Q", ",".join(queues()), "-n", f"{name}@%h")
        argv = ("-m", "celery", "-q", "-A", "config", "worker", *options, "--without-gossip", "--without-mingle")
        super().__init__(name, argv, env, log)
        self.was_killed = False

    def kill(self) -> None:
        self.was_killed = True
        super().kill()

    def _answers(self) -> bool:
        from config.celery import app

        return bool(app.control.inspect(destination=[f"{self.name}@{socket.gethostname()}"], timeout=0.5).ping())


class Workers(LiveProcess):
    """The workers as the launcher starts them: own processes for each queue, and for each running task."""

    def __init__(self, name: str, env: Mapping[str, str], log: Path) -> None:
        super().__init__(name, ("-m", "config.workers", "--name", name), env, log)

    def _answers(self) -> bool:
        from config.celery import app

        nodes = [f"{queue}.{self.name}@{socket.gethostname()}" for queue in queues()]
        return len(app.control.inspect(destination=nodes, timeout=2, limit=len(nodes)).ping() or ()) == len(nodes)


_Process = TypeVar("_Process", bound=LiveProcess)


class LiveStack:
    """`web` and `worker` are there from the start; `another_web()` and `another_worker()` join them when asked."""

    def __init__(
        self, folder: Path, env: Mapping[str, str], sandbox: RunningSandbox, server: "redis_client.Redis"
    ) -> None:
        self.folder, self.sandbox, self.redis = folder, sandbox, server
        self.web = Web("web", env, folder / "web.log")
        self.env = {**env, "PUBLIC_URL": self.web.url}
        self.web.env = self.env
        self.worker = Worker("worker", self.env, folder / "worker.log")
        self.more: list[LiveProcess] = []
        self._beat: Beat | None = None

    @property
    def url(self) -> str:
        return self.web.url

    @property
    def processes(self) -> list[LiveProcess]:
        return [self.web, self.worker, *self.more]

    def another_web(self) -> Web:
        name = f"web{len(self.more) + 2}"
        return self._join(Web(name, self.env, self.folder / f"{name}.log"))

    def another_worker(self) -> Worker:
        name = f"worker{len(self.more) + 2}"
        return self._join(Worker(name, self.env, self.folder / f"{name}.log"))

    def _join(self, process: _Process) -> _Process:
        process.start()
        self.more.append(process)
        return process

    def start_beat(self) -> None:
        self._beat = Beat()
        self._beat.start()

    def stop_beat(self) -> None:
        if self._beat is not None:
            self._beat.stop()
            self._beat = None

    def settle(self, seconds: float = 60) -> None:
        """Wait until the workers have nothing left to do."""
        until(self._is_idle, "the workers are idle", seconds=seconds)

    def _is_idle(self) -> bool:
        if not any(worker.alive for worker in self._workers()):
            return True
        return not any(map(self.redis.llen, queues())) and not self.redis.hlen("unacked")

    def _workers(self) -> list[Worker]:
        return [process for process in self.processes if isinstance(process, Worker)]

    def prepare(self) -> None:
        """Have one web process and one worker alive, a beat, and a sandbox that sends its webhooks here."""
        self.web.ensure()
        self.worker.ensure()
        self.sandbox.settings(webhook_enabled=True, public_url=self.url)
        self.start_beat()

    def quiet(self) -> None:
        """Stop everything that uses the database, whose tables are about to be emptied."""
        self.stop_beat()
        self.sandbox.settings(webhook_enabled=False)
        try:
            # A killed worker's tasks come back after minutes only: nothing to wait for.
            if any(worker.was_killed for worker in self._workers()):
                raise TimeoutError
            self.settle()
        except TimeoutError:
            for worker in self._workers():
                worker.end()
            self.forget_tasks()
        for process in self.more:
            process.end()
        self.more.clear()
        self.worker.was_killed = False

    def forget_tasks(self) -> None:
        """Remove unacknowledged tasks of a killed worker, which would come back in the next test."""
        self.redis.delete(*queues(), "unacked", "unacked_index")

    def close(self) -> None:
        for process in self.processes:
            process.end()

    def logs(self) -> Iterator[tuple[str, str]]:
        for process in self.processes:
            yield process.name, tail(process.log)


def queues() -> list[str]:
    from django.conf import settings

    return list(settings.WORKER_QUEUES)


class Beat(threading.Thread):
    """Sends due tasks that aren't in their queue already, as `celery beat` does."""

    def __init__(self) -> None:
        super().__init__(name="beat", daemon=True)
        self._stop_asked = threading.Event()

    def run(self) -> None:
        from config import heartbeats
        from config.beat import is_queued
        from config.celery import app

        entries = {
            name: entry for name, entry in app.conf.beat_schedule.items() if isinstance(entry["schedule"], float)
        }
        due = dict.fromkeys(entries, 0.0)
        while not self._stop_asked.wait(0.1):
            now = time.monotonic()
            for name, entry in entries.items():
                if now >= due[name]:
                    due[name] = now + entry["schedule"]
                    # The test may have stopped Redis; a real beat tries again too.
                    with contextlib.suppress(OSError, OperationalError, redis_client.RedisError):
                        heartbeats.record(heartbeats.BEAT)
                        if not is_queued(entry["task"], **entry.get("options", {})):
                            app.send_task(entry["task"], entry.get("args"), **entry.get("options", {}))

    def stop(self) -> None:
        self._stop_asked.set()
        self.join(10)


def until(holds: Any, what: str, *, seconds: float = 60) -> Any:
    """Call `holds` until it returns something true, and return that. Raises TimeoutError with `what`."""
    deadline = time.monotonic() + seconds
    while not (answer := holds()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"Waited {seconds:g} s in vain: {what}.")
        time.sleep(0.02)
    return answer


def tail(log: Path, lines: int = 60) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else ""


@pytest.fixture(scope="session")
def live_stack(
    django_db_setup: None,
    sandbox_process: RunningSandbox,
    redis_server: "redis_client.Redis",
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[LiveStack]:
    from django.db import connection

    url = urlsplit(os.environ["DATABASE_URL"])._replace(path="/" + quote(connection.settings_dict["NAME"]))
    env = {
        **os.environ,
        "DATABASE_URL": urlunsplit(url),
        "DATABASE_POOL_MAX": "20",
        "TEXTVERIFIED_BASE_URL": sandbox_process.textverified_url,
        "STRIPE_API_BASE": sandbox_process.stripe_url,
        "MAIL_DIR": str(sandbox_process.config.mail_dir),
        "PYTHONUNBUFFERED": "1",
    }
    for name in ("DJANGO_ALLOW_ASYNC_UNSAFE", *TEST_LIMITS):
        env.pop(name, None)
    stack = LiveStack(tmp_path_factory.mktemp("live"), env, sandbox_process, redis_server)
    try:
        yield stack
    finally:
        stack.close()


@pytest.fixture
def live(live_stack: LiveStack, sandbox: RunningSandbox, transactional_db: None) -> Iterator[LiveStack]:
    """Run the product. Its processes see what the test commits, and the other way round."""
    live_stack.prepare()
    try:
        yield live_stack
    finally:
        live_stack.quiet()
