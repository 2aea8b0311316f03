"""Queues by urgency: what goes where, for how long at most, and how one sees that they work."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from celery.beat import ScheduleEntry
from celery.schedules import crontab, schedule
from django.conf import settings as project
from django.core.cache import cache
from django.test import Client

from config import heartbeats, tasks
from config.beat import Scheduler
from config.celery import app
from dev.stack.environment import ROOT
from dev.testing.live import queues

OURS = ("accounts", "activity", "config", "notifications", "payments", "refunds", "verifications", "wallet")


@pytest.fixture(autouse=True)
def _empty_queues(redis_server: Any) -> None:
    redis_server.delete(*queues())


def test_each_task_has_a_queue_and_a_deadline_of_its_own() -> None:
    app.loader.import_default_modules()
    ours = {name for name in app.tasks if name.startswith(OURS)} - {tasks.heartbeat.name}
    assert set(project.TASKS) == ours
    for name, (queue, seconds) in project.TASKS.items():
        assert app.amqp.router.route({}, name)["queue"].name == queue
        assert app.tasks[name].time_limit == seconds
        assert queue in project.WORKER_QUEUES


def test_the_pool_is_one_that_ends_a_task_and_no_message_comes_back_while_it_is_at_work() -> None:
    assert app.conf.worker_pool == "prefork"
    assert app.conf.task_time_limit == 60
    longest = max(seconds for _, seconds in project.TASKS.values())
    assert app.conf.broker_transport_options["visibility_timeout"] > longest


def test_compose_has_workers_for_each_queue() -> None:
    text = (ROOT / "compose.yaml").read_text()
    commands = re.findall(r"^    command: python -m config.workers (.*)$", text, re.MULTILINE)
    assert commands == list(project.WORKER_QUEUES)


def test_each_queue_has_its_heartbeat_in_the_schedule() -> None:
    beats = [entry for entry in app.conf.beat_schedule.values() if entry["task"] == tasks.heartbeat.name]
    assert [(entry["args"], entry["options"]) for entry in beats] == [
        ([queue], {"queue": queue}) for queue in project.WORKER_QUEUES
    ]


def test_no_message_of_the_schedule_expires_by_anybodys_clock() -> None:
    assert [name for name, entry in app.conf.beat_schedule.items() if "expires" in entry.get("options", {})] == []


@pytest.fixture
def send(transactional_db: None) -> Any:
    """As the beat does when an entry is due."""
    scheduler = Scheduler(app=app, lazy=True)

    def due(task: str, every: Any = None, **options: Any) -> None:
        args = tuple(options.values())  # a heartbeat knows its queue
        entry = ScheduleEntry(task, task, schedule=every or schedule(1), args=args, options=options, app=app)
        scheduler.apply_async(entry, advance=False)

    return due


def waiting(redis: Any, queue: str) -> list[str]:
    return [json.loads(message)["headers"]["task"] for message in redis.lrange(queue, 0, -1)]


def test_while_no_worker_runs_each_task_waits_in_its_queue_once(send: Any, redis_server: Any) -> None:
    for _ in range(5):
        send("verifications.tasks.poll")
        send("verifications.tasks.expire")
        send(tasks.heartbeat.name, queue="receive")
        send(tasks.heartbeat.name, queue="end")
    assert waiting(redis_server, "receive") == [tasks.heartbeat.name, "verifications.tasks.poll"]
    assert waiting(redis_server, "end") == [tasks.heartbeat.name, "verifications.tasks.expire"]


def test_once_a_worker_has_taken_it_the_next_is_sent(send: Any, redis_server: Any) -> None:
    send("verifications.tasks.poll")
    redis_server.rpop("receive")
    send("verifications.tasks.poll")
    assert waiting(redis_server, "receive") == ["verifications.tasks.poll"]


def test_what_belongs_to_a_time_of_day_is_sent_each_time(send: Any, redis_server: Any) -> None:
    for _ in range(2):
        send("verifications.tasks.purge", crontab(minute=20))
    assert waiting(redis_server, "catalogue") == ["verifications.tasks.purge"] * 2


def test_the_beat_leaves_a_sign_of_life(transactional_db: None) -> None:
    Scheduler(app=app, lazy=True).tick()
    age = heartbeats.ages()["beat"]
    assert age is not None
    assert 0 <= age < 10


@pytest.mark.django_db
def test_ready_names_the_queues_of_which_nothing_is_heard(client: Client, settings: Any) -> None:
    def silent() -> Any:
        answer = client.get("/health/ready")
        assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
        return answer.json()["silent"]

    assert silent() == ["receive", "end", "recover", "payments", "send", "catalogue", "beat"]
    everybody_is_heard()
    redis = cache.client.get_client()  # type: ignore[attr-defined]
    key = heartbeats._key("recover")
    redis.pexpire(key, int(redis.pttl(key)) - 1000 * (settings.QUEUE_SILENT_SECONDS + 1))
    redis.delete(heartbeats._key("beat"))
    assert silent() == ["recover", "beat"]


@pytest.mark.django_db
def test_metrics_show_the_age_of_each_sign_of_life_and_what_waits(client: Client, settings: Any) -> None:
    settings.METRICS_OPEN = True
    everybody_is_heard()
    for _ in range(3):
        app.send_task("config.tasks.heartbeat", ["end"], queue="end")
    page = client.get("/metrics").content.decode()
    ages = dict(re.findall(r'^queue_heartbeat_age_seconds\{queue="([a-z]+)"\} ([0-9.e-]+)$', page, re.MULTILINE))
    assert list(ages) == ["receive", "end", "recover", "payments", "send", "catalogue", "beat"]
    assert all(0 <= float(age) < 30 for age in ages.values())
    assert 'queue_waiting{queue="end"} 3.0' in page


def everybody_is_heard() -> None:
    for queue in project.WORKER_QUEUES:
        tasks.heartbeat(queue)
    heartbeats.record(heartbeats.BEAT)
