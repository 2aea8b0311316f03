"""The launcher as people use it: `python -m dev.stack run`, whole, in a folder whose path has a space."""

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

from dev.stack import environment
from dev.stack.environment import ROOT
from dev.stack.process import free_port, port_is_taken
from dev.testing.live import tail, until
from dev.testing.services import ENVIRONMENT

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("stack")]

START_SECONDS = 60
STOP_SECONDS = 25  # 2 to 4 on a machine that has nothing else to do


class Launched:
    """One run of the launcher, its words in a file."""

    def __init__(self, var: Path, **env: str) -> None:
        self.var = var
        self.log = var.with_suffix(".log")
        # Empty: not named, not even by the tree's own .env.
        services = {"DATABASE_URL": "", "REDIS_URL": ""}
        self.env = {**_bare_environment(), **services, "RINGFENCE_VAR": str(var), **env}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "dev.stack", "run"],
                cwd=ROOT, env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    @property
    def words(self) -> str:
        return self.log.read_text(errors="replace")

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.env['PORT']}"

    def wait_until_ready(self) -> "Launched":
        def ready() -> bool:
            assert self.process.poll() is None, tail(self.log)
            return "is ready after" in self.words

        try:
            until(ready, "the product is ready", seconds=START_SECONDS)
        except TimeoutError:
            raise AssertionError(tail(self.log)) from None
        return self

    def children(self) -> dict[int, str]:
        """Command lines of everything that lives because of this run, by process id."""
        return {pid: command for pid, command in _processes() if str(self.var) in _environment(pid) + command}

    def child(self, part: str) -> int:
        return next(pid for pid, command in self.children().items() if part in command and pid != self.process.pid)

    def manage(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """A command in another terminal: it knows the tree and nothing of the run."""
        env = {**_bare_environment(), "RINGFENCE_VAR": str(self.var)}
        return subprocess.run(
            [sys.executable, "manage.py", *arguments], cwd=ROOT, env=env, capture_output=True, text=True, check=False
        )

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        # A killed run leaves its sockets' folder to the next start, and after these tests there is none.
        sockets = Path(environment.read(self.var / "run.env").get("DATABASE_URL", "").partition("host=")[2])
        if sockets.name.startswith("rf-"):
            shutil.rmtree(sockets, ignore_errors=True)


_ADD = "from accounts.models import User; User.objects.create(email='kept@ringfence.test')"
_COUNT = "from accounts.models import User; print(User.objects.filter(email='kept@ringfence.test').count())"

Launch = Callable[..., Launched]


def _bare_environment() -> dict[str, str]:
    """This process's environment without what the suite put into it."""
    ours = {*ENVIRONMENT, "DATABASE_URL", "REDIS_URL", "RINGFENCE_VAR", "CHANNEL_PREFIX", "CACHE_PREFIX"}
    return {name: value for name, value in os.environ.items() if name not in ours}


def _ports() -> dict[str, str]:
    return {"PORT": str(free_port()), "SANDBOX_PORT": str(free_port())}


def _processes() -> Iterator[tuple[int, str]]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if command:  # a zombie has none
                yield int(folder.name), command


def _environment(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace")
    except OSError:
        return ""


def _read(url: str) -> str:
    with urllib.request.urlopen(url, timeout=20) as answer:
        return str(answer.read().decode())


def _get(url: str) -> int:
    with urllib.request.urlopen(url, timeout=20) as answer:
        return int(answer.status)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("a launcher")


@pytest.fixture(scope="module")
def launch(folder: Path) -> Iterator[Launch]:
    launched: list[Launched] = []

    def start(name: str = "var", **env: str) -> Launched:
        launched.append(Launched(folder / name, **{**_ports(), **env}))
        return launched[-1]

    yield start
    for run in launched:
        run.end()


@pytest.fixture(scope="module")
def running(launch: Launch) -> Launched:
    """A run for the tests that leave it running."""
    return launch("shared").wait_until_ready()


def test_it_says_where_it_is_and_who_may_sign_in(running: Launched) -> None:
    port, sandbox = running.env["PORT"], running.env["SANDBOX_PORT"]
    key = (running.var / "demo-api-key").read_text().strip()
    wanted = [
        f"http://localhost:{port}",
        "demo@ringfence.test   demo-password",
        "staff@ringfence.test  staff-password",
        f"API key    {key}",
        f"http://localhost:{sandbox}/mail",
    ]
    assert [text for text in wanted if text not in running.words] == []


def test_web_and_sandbox_answer(running: Launched) -> None:
    sandbox = f"http://127.0.0.1:{running.env['SANDBOX_PORT']}"
    assert (_get(f"{running.address}/health/live"), _get(f"{sandbox}/__ctl/ledger")) == (200, 200)


def test_metrics_show_what_the_other_processes_did(running: Launched) -> None:
    page = _read(f"{running.address}/metrics")
    wanted = ("transactions_total{", "provider_requests_total{", "process_cpu_seconds_total ")
    assert [name for name in wanted if f"\n{name}" not in page] == []


def test_a_folder_for_metrics_that_can_not_be_is_named(launch: Launch) -> None:
    run = launch("metrics", PROMETHEUS_MULTIPROC_DIR="/dev/null/metrics")
    assert run.process.wait(START_SECONDS) == 1
    assert run.words == (
        "Ringfence: PROMETHEUS_MULTIPROC_DIR is '/dev/null/metrics'; it takes a folder that can be made and written to "
        f"(Not a directory). Unset, it is one in {run.var}.\n"
    )


def test_a_command_in_another_terminal_finds_the_running_database(running: Launched) -> None:
    answer = running.manage("migrate", "--check")
    assert (answer.returncode, answer.stderr) == (0, "")


def test_a_second_start_in_the_same_tree_is_refused_with_a_sentence(running: Launched, launch: Launch) -> None:
    second = Launched(running.var.with_name("second"), **_ports(), RINGFENCE_VAR=str(running.var))
    assert second.process.wait(START_SECONDS) == 1
    assert second.words == (
        f"Ringfence: It is already running from this tree, at http://localhost:{running.env['PORT']} "
        f"(process {running.process.pid}). Stop that one with Ctrl-C first.\n"
    )


def test_a_taken_port_is_named_with_the_way_out(running: Launched, launch: Launch) -> None:
    port = running.env["PORT"]
    other = launch("other", PORT=port)
    assert other.process.wait(START_SECONDS) == 1
    assert other.words == (f"Ringfence: Port {port} is taken by another program. Choose another: PORT=9000 make run\n")


def test_a_variable_that_is_wrong_is_named_before_anything_of_ours_starts(launch: Launch) -> None:
    run = launch("wrong", MARKUP="abc")
    assert run.process.wait(START_SECONDS) == 1
    said = [line for line in run.words.splitlines() if not line.startswith(("redis ", "postgres "))]
    assert said == [
        "settings  | MARKUP is 'abc'; it takes a number, 1 or more, such as 2.0.",
        "Ringfence: `settings` ended with code 1; its words are above.",
        "Stopping. (Ctrl-C again: at once.)",
        "Everything is stopped.",
    ]


def test_with_debug_off_it_refuses_and_says_why(launch: Launch) -> None:
    run = launch("production", DEBUG="0")
    assert run.process.wait(START_SECONDS) == 1
    assert run.words.startswith("Ringfence: DEBUG is off in the environment or in .env. This starts a demo")


def test_a_process_that_dies_is_started_again(running: Launched) -> None:
    first = running.child("config.asgi:application")
    os.kill(first, signal.SIGKILL)
    until(lambda: "web was killed by SIGKILL; starting it again" in running.words, "the log says so")

    def answers() -> bool:
        try:
            return _get(f"{running.address}/health/live") == 200
        except OSError:
            return False

    until(answers, "the web process answers again", seconds=START_SECONDS)
    assert running.child("config.asgi:application") != first


def test_nothing_survives_a_killed_launcher_and_the_next_start_keeps_everything(launch: Launch) -> None:
    first = launch("killed").wait_until_ready()
    kept = environment.read(first.var / "run.env")
    first.manage("shell", "-c", _ADD)
    first.process.kill()
    first.process.wait()
    next_start = launch("killed").wait_until_ready()
    assert [pid for pid in first.children() if pid not in next_start.children()] == []
    again = environment.read(next_start.var / "run.env")
    secrets = ("SECRET_KEY", "FIELD_ENCRYPTION_KEYS", "STRIPE_WEBHOOK_SECRET")
    assert {name: again[name] for name in secrets} == {name: kept[name] for name in secrets}
    counted = next_start.manage("shell", "-v", "0", "-c", _COUNT)
    assert counted.stdout.strip() == "1"
    next_start.process.kill()
    next_start.process.wait()
    until(lambda: not next_start.children(), "every child is gone", seconds=STOP_SECONDS)


@pytest.mark.parametrize("ask", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_end_it_ends_everything_and_leaves_no_sockets(launch: Launch, ask: signal.Signals) -> None:
    run = launch("ended").wait_until_ready()
    sockets = Path(environment.read(run.var / "run.env")["DATABASE_URL"].partition("host=")[2])
    assert sockets.is_dir()
    began = time.monotonic()
    run.process.send_signal(ask)
    assert run.process.wait(30) == 0
    assert time.monotonic() - began < STOP_SECONDS
    assert run.words.splitlines()[-1] == "Everything is stopped."
    assert (run.children(), sockets.exists(), (run.var / "postgres" / "postmaster.pid").exists()) == ({}, False, False)


def test_named_services_are_used_and_none_are_started(launch: Launch, suite_database: str) -> None:
    port = _two_free_ports()
    run = launch(
        "named",
        PORT=str(port),
        WEB_PROCESSES="2",
        WORKERS="2",
        DATABASE_URL=suite_database,
        REDIS_URL=os.environ["REDIS_URL"],
    ).wait_until_ready()
    queues = 6

    def processes(number: int) -> int:
        return sum(f"config.workers --name {number}" in command for command in run.children().values())

    wanted = 1 + queues + 2 * queues  # the one that forks, a worker for each queue, and its slots
    until(lambda: processes(1) == processes(2) == wanted, "two of each worker run", seconds=START_SECONDS)
    commands = list(run.children().values())
    assert [name for name in ("postgres -D", "redis-server") if any(name in command for command in commands)] == []
    assert sum(" beat " in command for command in commands) == 1
    assert [_get(f"http://127.0.0.1:{web}/health/live") for web in (port, port + 10)] == [200, 200]
    run.end()
    assert run.children() == {}


def _two_free_ports() -> int:
    return until(lambda: next((port for port in (free_port(),) if _is_free(port + 10)), None), "two free ports")


def _is_free(port: int) -> bool:
    return port < 65536 and not port_is_taken(port)


@pytest.fixture
def suite_database() -> Iterator[str]:
    """An empty database on the server that the suite uses; its address."""
    name = f"launcher_{os.getpid()}"
    url = os.environ["DATABASE_URL"]
    admin = urlunsplit(urlsplit(url)._replace(path="/postgres"))
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield urlunsplit(urlsplit(url)._replace(path=f"/{quote(name)}"))
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
