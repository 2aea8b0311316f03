"""The parts of the launcher: each by itself, without the product."""

import io
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from dev.stack import StackError, environment
from dev.stack.environment import EMBEDDED
from dev.stack.log import Log
from dev.stack.postgres import THROWAWAY, Postgres, short_folder
from dev.stack.process import spawn
from dev.stack.redis import Redis
from dev.stack.supervisor import Child, Supervisor
from dev.testing.live import until

ADDRESSES = {"web_port": 9000, "sandbox_port": 9001, "database_url": "postgres:///ours", "redis_url": "redis://ours"}


@pytest.fixture
def no_product_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in environment.compose(tmp_path, **ADDRESSES):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    folder = short_folder()
    folder.chmod(0o711)  # as root it runs as another account
    yield Postgres(
        folder / "data",
        sockets=folder / "s",
        settings=THROWAWAY,
        death_signal=signal.SIGQUIT,
        elsewhere=folder / "elsewhere",
    )
    shutil.rmtree(folder)


def run_once(server: Postgres) -> None:
    server.prepare()
    process = server.spawn(subprocess.DEVNULL)
    try:
        server.wait_until_ready(process)
    finally:
        process.send_signal(signal.SIGQUIT)
        process.wait(30)


@pytest.mark.usefixtures("no_product_variables")
def test_the_secrets_of_the_first_start_are_those_of_the_next(tmp_path: Path) -> None:
    first = environment.compose(tmp_path, **ADDRESSES)
    environment.write(tmp_path / "run.env", first)
    assert environment.compose(tmp_path, **ADDRESSES) == first


@pytest.mark.usefixtures("no_product_variables")
def test_two_trees_have_different_secrets(tmp_path: Path) -> None:
    one, other = (environment.compose(tmp_path, **ADDRESSES) for _ in range(2))
    assert {name for name in one if one[name] == other[name]} == {
        "DATABASE_URL", "REDIS_URL", "DEBUG", "PUBLIC_URL", "PORT", "SANDBOX_PORT", "TEXTVERIFIED_BASE_URL",
        "TEXTVERIFIED_USERNAME", "STRIPE_API_BASE", "MARKUP", "SANDBOX_STATE", "MAIL_DIR", "PROMETHEUS_MULTIPROC_DIR",
    }  # fmt: skip


@pytest.mark.usefixtures("no_product_variables")
def test_a_variable_that_is_set_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARKUP", "3.5")
    assert environment.compose(tmp_path, **ADDRESSES)["MARKUP"] == "3.5"


def test_the_file_of_variables_is_read_back_as_written_and_private(tmp_path: Path) -> None:
    values = {"PLAIN": "a", "URL": "postgres://me@/x?host=/tmp/y", "SPACED": "/a b/c", "QUOTED": 'it\'s = "so"'}
    environment.write(tmp_path / "run.env", values)
    assert environment.read(tmp_path / "run.env") == values
    assert stat.S_IMODE((tmp_path / "run.env").stat().st_mode) == 0o600


@pytest.mark.parametrize("text", ["0", "65536", "-1", "80 80", "http", "1e3", "8000.5"])
def test_a_port_that_is_none_is_named(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", text)
    with pytest.raises(StackError, match=f"PORT is '{text}'; it takes a whole number from 1 to 65535."):
        environment.port("PORT", 8000)


def test_the_database_comes_up_and_keeps_what_it_was_told(postgres: Postgres) -> None:
    postgres.prepare()
    process = postgres.spawn(subprocess.DEVNULL)
    try:
        postgres.wait_until_ready(process)
        postgres.create_database("kept")
        postgres.create_database("kept")
        with psycopg.connect(postgres.url("kept")) as connection:
            row = connection.execute(
                "SELECT datname, pg_encoding_to_char(encoding), datlocprovider, datlocale, "
                "current_setting('max_connections'), current_setting('listen_addresses') "
                "FROM pg_database WHERE datname = current_database()"
            ).fetchone()
    finally:
        process.send_signal(signal.SIGQUIT)
        process.wait(30)
    assert row == ("kept", "UTF8", "b", "C.UTF-8", "400", "")


def test_a_pid_file_that_names_another_program_is_no_hindrance(postgres: Postgres) -> None:
    run_once(postgres)
    (postgres.data / "postmaster.pid").write_text(f"{os.getpid()}\n{postgres.data}\n0\n5432\n")
    run_once(postgres)
    assert not (postgres.data / "postmaster.pid").exists()


def test_a_server_that_an_earlier_start_left_is_ended_first(postgres: Postgres) -> None:
    postgres.prepare()
    left = postgres.spawn(subprocess.DEVNULL)
    postgres.wait_until_ready(left)
    run_once(postgres)
    assert left.wait(5) == 0


def test_an_interrupted_first_start_is_begun_again(postgres: Postgres) -> None:
    unfinished = postgres.data.with_name("data.new")
    unfinished.mkdir()
    (unfinished / "PG_VERSION").write_text("18\n")
    run_once(postgres)
    assert (postgres.data.exists(), unfinished.exists()) == (True, False)


def test_a_folder_of_another_version_gets_a_sentence(postgres: Postgres) -> None:
    run_once(postgres)
    (postgres.data / "PG_VERSION").write_text("15\n")
    with pytest.raises(StackError, match="holds 15, not a PostgreSQL 18 database"):
        postgres.prepare()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_a_database_of_another_user_gets_a_sentence(postgres: Postgres) -> None:
    postgres.data.mkdir()
    os.chown(postgres.data, 12345, 12345)
    with pytest.raises(StackError, match="belongs to user 12345, but PostgreSQL would run as"):
        postgres.prepare()


def test_a_machine_without_redis_runs_the_one_that_comes_along(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    program = Path(Redis(log=tmp_path / "redis.log").argv[0])
    assert program.is_relative_to(EMBEDDED)
    assert os.access(program, os.X_OK)


@pytest.mark.parametrize("path", [os.environ["PATH"], ""], ids=["as here", "without the machine's"])
def test_redis_answers_only_who_knows_the_password(path: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", path)
    server = Redis(log=tmp_path / "redis.log")
    process = server.spawn(subprocess.DEVNULL)
    try:
        server.wait_until_ready(process)
        server.password = "wrong"
        assert server.is_ready() is False
    finally:
        process.kill()
        process.wait()


def test_a_process_dies_with_the_one_that_started_it() -> None:
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import time; from dev.stack.process import spawn\n"
            "print(spawn(['sleep', '60']).pid, flush=True); time.sleep(60)",
        ],
        stdout=subprocess.PIPE,
        cwd=environment.ROOT,
    )
    assert parent.stdout is not None
    with parent, parent.stdout as answer:
        child = int(answer.readline())
        parent.kill()
    until(lambda: not _is_alive(child), "the child is gone")


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_what_dies_is_started_again_with_a_word_about_it() -> None:
    supervisor, child = _supervise("sleep", "60")
    first = supervisor.start(child)
    first.kill()
    first.wait()
    until(lambda: (supervisor.revive(), child.running)[1], "it runs again")
    supervisor.stop()
    assert _said(supervisor) == ["it was killed by SIGKILL; starting it again in 0.001 s."]


def test_what_dies_again_and_again_stops_everything() -> None:
    supervisor, child = _supervise("sh", "-c", "exit 3")
    supervisor.start(child)
    with pytest.raises(StackError, match="it ended with code 3, the 5th time within seconds of its start"):
        supervisor.watch()


def test_the_deaf_are_killed_and_the_database_goes_last(tmp_path: Path) -> None:
    """A second Ctrl-C is in: no patience with what ignores the first."""
    supervisor = Supervisor(Log(io.StringIO()), interrupts=2, stop_seconds=60)
    seen = tmp_path / "seen"
    deaf = supervisor.start(_script("deaf", "trap '' TERM", tmp_path))
    watches = f"trap 'kill -0 {deaf.pid} && echo early > {seen} || echo last > {seen}; exit 0' INT"
    supervisor.start(_script("database", watches, tmp_path, stop_signal=signal.SIGINT, last=True, quit_too=True))
    before = time.monotonic()
    supervisor.stop()
    assert (deaf.returncode, seen.read_text()) == (-9, "last\n")
    assert time.monotonic() - before < 30


def _script(
    name: str,
    trap: str,
    folder: Path,
    *,
    stop_signal: signal.Signals = signal.SIGTERM,
    last: bool = False,
    quit_too: bool = False,
) -> Child:
    """A child that has set its trap by the time this returns its start."""
    ready = folder / f"{name} is ready"
    ignored = "trap '' QUIT; " if quit_too else ""

    def start() -> "subprocess.Popen[bytes]":
        process = spawn(["sh", "-c", f"{ignored}{trap}; touch '{ready}'; while :; do sleep 0.02; done"])
        until(ready.exists, f"{name} is ready")
        return process

    return Child(name, start, stop_signal=stop_signal, last=last)


def _supervise(*argv: str) -> tuple[Supervisor, Child]:
    return Supervisor(Log(io.StringIO()), first_delay=0.001), Child("it", lambda: spawn(argv))


def _said(supervisor: Supervisor) -> list[str]:
    stream = supervisor.log._stream
    assert isinstance(stream, io.StringIO)
    return stream.getvalue().splitlines()
