"""`python -m dev.stack run`: start the whole product, from an empty folder, and stop it."""

import contextlib
import errno
import fcntl
import http.client
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from dev.stack import StackError, environment
from dev.stack.environment import ROOT
from dev.stack.log import Log
from dev.stack.postgres import Postgres, short_folder
from dev.stack.process import port_is_taken, spawn
from dev.stack.redis import Redis
from dev.stack.supervisor import Child, Interrupted, Process, Supervisor

PYTHON = (sys.executable,)
READY_SECONDS = 90


@dataclass(frozen=True)
class Plan:
    """The ports, processes and services that the environment asks for."""

    var: Path
    web_ports: tuple[int, ...]
    sandbox_port: int
    workers: int
    bind: str
    own_database: bool
    own_redis: bool

    @classmethod
    def from_environment(cls) -> "Plan":
        first = environment.port("PORT", 8000)
        web = environment.number("WEB_PROCESSES", 1, low=1, high=50)
        return cls(
            var=environment.var_folder(),
            web_ports=tuple(first + 10 * n for n in range(web)),
            sandbox_port=environment.port("SANDBOX_PORT", 8001),
            workers=environment.number("WORKERS", 1, low=1, high=50),
            bind=os.environ.get("BIND", "127.0.0.1"),
            own_database=not os.environ.get("DATABASE_URL"),
            own_redis=not os.environ.get("REDIS_URL"),
        )

    @property
    def address(self) -> str:
        return os.environ.get("PUBLIC_URL") or f"http://localhost:{self.web_ports[0]}"


def run() -> int:
    """Start, watch and stop everything. Returns the exit code: 0 after Ctrl-C, 1 after an error that was printed."""
    log = Log()
    supervisor = Supervisor(log)
    environment.read_dotenv()
    try:
        plan = Plan.from_environment()
        with _only_one(plan) as lock:
            supervisor.listen()
            return _Launch(plan, supervisor, log, lock).run()
    except StackError as error:
        log.say(f"Ringfence: {error}")
        return 1


class _Launch:
    def __init__(self, plan: Plan, supervisor: Supervisor, log: Log, lock: IO[str]) -> None:
        self.plan = plan
        self.supervisor = supervisor
        self.log = log
        self.lock = lock
        self.env: dict[str, str] = {}
        self.sockets: Path | None = None

    def run(self) -> int:
        code = 0
        try:
            self._check_debug()
            self._check_ports()
            self._check_metrics()
            self._start()
            self.supervisor.watch()
        except Interrupted:
            pass
        except StackError as error:
            self.log.say(f"Ringfence: {error}")
            code = 1
        finally:
            if self.supervisor.children:
                self.log.say("Stopping. (Ctrl-C again: at once.)")
            self.supervisor.stop()
            if self.sockets is not None:
                shutil.rmtree(self.sockets, ignore_errors=True)
        if self.supervisor.children:
            self.log.say("Everything is stopped.")
        return code

    def _check_debug(self) -> None:
        if (os.environ.get("DEBUG") or "1").strip().lower() not in ("1", "true", "on", "yes", "y", "ok", "t"):
            raise StackError(
                "DEBUG is off in the environment or in .env. This starts a demo with sandboxed money, which production "
                "must not be: leave DEBUG unset, or start the processes one by one as compose.yaml does."
            )

    def _check_ports(self) -> None:
        wanted = {"PORT": self.plan.web_ports, "SANDBOX_PORT": (self.plan.sandbox_port,)}
        if self.plan.sandbox_port in self.plan.web_ports:
            raise StackError(
                f"PORT and SANDBOX_PORT both ask for port {self.plan.sandbox_port}. Set one of them elsewhere."
            )
        for name, ports in wanted.items():
            for port in ports:
                if port_is_taken(port):
                    raise StackError(f"Port {port} is taken by another program. Choose another: {name}=9000 make run")

    def _check_metrics(self) -> None:
        """Check the folder for metrics that the environment names."""
        named = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
        try:
            if named:
                Path(named).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StackError(
                f"PROMETHEUS_MULTIPROC_DIR is {named!r}; it takes a folder that can be made and written to "
                f"({error.strerror}). Unset, it is one in {self.plan.var}."
            ) from None

    def _start(self) -> None:
        began = time.monotonic()
        database_url, redis_url = self._services()
        self.env = environment.compose(
            self.plan.var,
            web_port=self.plan.web_ports[0],
            sandbox_port=self.plan.sandbox_port,
            database_url=database_url,
            redis_url=redis_url,
        )
        environment.write(self.plan.var / "run.env", self.env)
        Path(self.env["MAIL_DIR"]).mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.rmtree(self.plan.var / "metrics", ignore_errors=True)  # they count from this start on
        self._step("settings", "-m", "dev.stack.settings")
        # Importing takes these longest, so they begin while the database is made ready; nobody knows the address yet.
        self._child("sandbox", "manage.py", "sandbox")
        for number, port in enumerate(self.plan.web_ports, start=1):
            self._web(number, port)
        self._step("prepare", "-m", "dev.stack.prepare")
        for number in range(1, self.plan.workers + 1):
            name = _numbered("workers", number)
            self._child(name, "-m", "config.workers", "--name", str(number))
        self._child("beat", "-m", "celery", "-q", "-A", "config", "beat", "--pidfile=")
        for port in (*self.plan.web_ports, self.plan.sandbox_port):
            self._wait_until_it_answers(port)
        self._greet(time.monotonic() - began)

    def _services(self) -> tuple[str, str]:
        """Start the database and Redis unless the environment names them; return their URLs."""
        database_url, redis_url = os.environ.get("DATABASE_URL", ""), os.environ.get("REDIS_URL", "")
        if self.plan.own_redis:
            redis = Redis(log=self.plan.var / "redis.log")
            process = self._serve("redis", lambda: redis.spawn(output=subprocess.PIPE))
            redis.wait_until_ready(process, pause=self.supervisor.pause)
            redis_url = redis.url()
        if self.plan.own_database:
            self.sockets = short_folder()
            _note(self.lock, self.plan, sockets=self.sockets)
            postgres = Postgres(
                self.plan.var / "postgres", sockets=self.sockets, settings={"log_min_messages": "fatal"}
            )
            postgres.prepare()
            if postgres.notice:
                self.log.say(f"Ringfence: {postgres.notice}")
            process = self._serve(
                "postgres", lambda: postgres.spawn(output=subprocess.PIPE), stop_signal=postgres.death_signal
            )
            postgres.wait_until_ready(process, pause=self.supervisor.pause)
            postgres.create_database("ringfence")
            database_url = postgres.url("ringfence")
        return database_url, redis_url

    def _web(self, number: int, port: int) -> None:
        options = ("-v", "0", "-b", self.plan.bind, "-p", str(port))
        self._child(_numbered("web", number), "-m", "config.web", *options, "config.asgi:application")

    def _serve(self, name: str, start: Callable[[], Process], stop_signal: signal.Signals = signal.SIGTERM) -> Process:
        return self.supervisor.start(Child(name, start, stop_signal=stop_signal, last=True))

    def _child(self, name: str, *arguments: str) -> None:
        self.supervisor.start(Child(name, lambda: self._python(*arguments)))

    def _step(self, name: str, *arguments: str) -> None:
        # The demo's history would fill the log: only warnings and errors are shown.
        level = os.environ.get("LOG_LEVEL") or "WARNING"
        self.supervisor.run(name, lambda: self._python(*arguments, LOG_LEVEL=level))

    def _python(self, *arguments: str, **more: str) -> Process:
        ours = {"RINGFENCE_VAR": str(self.plan.var), "PYTHONUNBUFFERED": "1", **self.log.variables}
        env = {**os.environ, **self.env, **ours, **more}
        return spawn([*PYTHON, *arguments], cwd=ROOT, env=env, output=subprocess.PIPE)

    def _wait_until_it_answers(self, port: int) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not _answers(port):
            if time.monotonic() > deadline:
                raise StackError(
                    f"Nothing answered on port {port} within {READY_SECONDS} seconds; the log above says why."
                )
            self.supervisor.revive()
            self.supervisor.pause()

    def _greet(self, seconds: float) -> None:
        key_file = self.plan.var / "demo-api-key"
        key = (
            key_file.read_text().strip()
            if key_file.exists()
            else "made by `python manage.py create_api_key EMAIL --name NAME`"
        )
        sandbox = f"http://localhost:{self.plan.sandbox_port}"
        more = "".join(f"\n             http://localhost:{port}" for port in self.plan.web_ports[1:])
        self.log.say(f"""
  Ringfence is ready after {seconds:.1f} s:  {self.plan.address}{more}

    customer   demo@ringfence.test   demo-password
    staff      staff@ringfence.test  staff-password   {self.plan.address}/admin/
    API key    {key}   {self.plan.address}/api/docs
    sandbox    {sandbox}   mail: {sandbox}/mail

  Ctrl-C stops everything; the data stays in {self.plan.var}.
""")


def _numbered(name: str, number: int) -> str:
    return name if number == 1 else f"{name}-{number}"


def _answers(port: int) -> bool:
    """Return whether an HTTP server answers on the port."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health/live")
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True


@contextlib.contextmanager
def _only_one(plan: Plan) -> Iterator[IO[str]]:
    """Hold `var/run.lock`, which the kernel releases however this process ends."""
    try:
        plan.var.mkdir(mode=0o711, parents=True, exist_ok=True)  # PostgreSQL may have to pass through as another user
        lock = (plan.var / "run.lock").open("a+")
    except PermissionError:
        owner = _owner(plan.var)
        raise StackError(f"{plan.var} belongs to {owner}. Start as {owner}, or move that folder away.") from None
    with lock:
        lock.seek(0)
        before = _noted(lock.read())
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
            raise StackError(
                f"It is already running from this tree, at {before.get('address', 'another address')} "
                f"(process {before.get('pid', 'unknown')}). Stop that one with Ctrl-C first."
            ) from None
        _remove_old_sockets(before.get("sockets"))
        _note(lock, plan)
        yield lock


def _note(lock: IO[str], plan: Plan, sockets: Path | None = None) -> None:
    """Write the pid, address and sockets into the lock file, for a second start and for the start after a crash."""
    lock.seek(0)
    lock.truncate()
    json.dump({"pid": os.getpid(), "address": plan.address, "sockets": str(sockets or "")}, lock)
    lock.flush()


def _noted(text: str) -> dict[str, str]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return {name: str(value) for name, value in found.items()} if isinstance(found, dict) else {}


def _remove_old_sockets(folder: str | None) -> None:
    if folder and Path(folder).name.startswith("rf-"):
        shutil.rmtree(folder, ignore_errors=True)


def _owner(path: Path) -> str:
    while not path.exists():
        path = path.parent
    try:
        return pwd.getpwuid(path.stat().st_uid).pw_name
    except KeyError:
        return f"user {path.stat().st_uid}"
