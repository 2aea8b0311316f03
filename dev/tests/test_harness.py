"""What the other tests stand on."""

import json
import os
import threading
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from config.celery import app
from dev.testing import services, suite
from dev.testing.live import LiveStack, until


@pytest.mark.django_db(transaction=True)
def test_threads_run_at_the_same_moment_on_connections_of_their_own(in_threads: Any) -> None:
    meeting = threading.Barrier(8)

    def backend() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            answer = cursor.fetchone()[0]
            meeting.wait(10)
        return int(answer)

    assert len(set(in_threads(backend, times=8))) == 8


def test_answers_of_threads_come_in_order_errors_among_them(in_threads: Any) -> None:
    error = LookupError("none")

    def fail() -> None:
        raise error

    assert in_threads([lambda: 1, fail, lambda: 3]) == [1, error, 3]


@pytest.mark.parametrize("turn", [1, 2])
def test_a_test_finds_redis_as_if_it_were_the_first(turn: int, redis_server: Any) -> None:
    assert redis_server.get("left behind") is None
    redis_server.set("left behind", turn)


@pytest.mark.django_db
def test_a_forgotten_lock_fails_a_test_instead_of_hanging_it() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == ("20s",)


def test_parallel_processes_share_neither_redis_database_nor_prefix_nor_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def become(worker: str) -> dict[str, str]:
        monkeypatch.setenv("REDIS_URL", "redis://:secret@127.0.0.1:7000/3")
        monkeypatch.setenv("RINGFENCE_VAR", str(tmp_path))
        monkeypatch.setenv("CHANNEL_PREFIX", "run")
        monkeypatch.setenv("CACHE_PREFIX", "run")
        services._be_worker(worker)
        return {name: os.environ[name] for name in ("REDIS_URL", "RINGFENCE_VAR", "CHANNEL_PREFIX", "CACHE_PREFIX")}

    assert become("gw2") == {
        "REDIS_URL": "redis://:secret@127.0.0.1:7000/5",
        "RINGFENCE_VAR": str(tmp_path / "gw2"),
        "CHANNEL_PREFIX": "run-gw2",
        "CACHE_PREFIX": "run-gw2",
    }


@pytest.mark.parametrize(("ci", "failures"), [("true", ["browser tests (no Chromium)"]), ("", [])])
def test_without_a_chromium_ci_fails_and_a_person_is_told(
    ci: str, failures: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CI", ci)
    monkeypatch.setattr(suite, "chromium", lambda: None)
    monkeypatch.setattr(suite, "_install_chromium", lambda: None)
    assert suite._browser_tests() == failures
    assert "browser tests NOT RUN: there is no Chromium" in capsys.readouterr().out


def test_a_step_that_fails_is_reported_and_one_that_passes_is_not(capfd: pytest.CaptureFixture[str]) -> None:
    outcomes = [suite._passes(suite.Step(f"exit {code}", ["sh", "-c", f"exit {code}"])) for code in (0, 3)]
    assert outcomes == [True, False]
    assert [line for line in capfd.readouterr().out.splitlines() if "ended" in line] == [
        "--- exit 3 ended with code 3 after 0 s"
    ]


def test_of_steps_at_the_same_time_each_is_told_whole_and_those_that_fail_are_named(
    capfd: pytest.CaptureFixture[str],
) -> None:
    steps = [suite.Step(f"exit {code}", ["sh", "-c", f"echo says {code}; exit {code}"]) for code in (3, 0)]
    assert suite._failing(steps) == ["exit 3"]
    told = [line for line in capfd.readouterr().out.splitlines() if line]
    assert told == ["--- exit 3", "says 3", "--- exit 3 ended with code 3", "--- exit 0", "says 0"]


@pytest.mark.slow
def test_the_running_product_answers_and_its_worker_can_be_killed(live: LiveStack) -> None:
    def ready() -> dict[str, str]:
        with urllib.request.urlopen(f"http://127.0.0.1:{live.web.port}/health/ready", timeout=20) as answer:
            return json.load(answer)

    until(lambda: ready() == {"status": "ok", "database": "ok", "redis": "ok"}, "every queue is heard of")
    live.stop_beat()
    live.settle()  # what a killed worker holds comes back after minutes only
    live.worker.kill()
    assert not live.worker.alive
    app.send_task("verifications.tasks.poll")
    assert live.redis.llen("receive") == 1
    live.worker.start()
    live.settle()
    assert live.worker.alive
