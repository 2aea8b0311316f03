"""`/metrics` right across processes: with PROMETHEUS_MULTIPROC_DIR, each process writes and any of them shows all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from django.conf import LazySettings
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from config.settings.metrics import shared_folder
from config.settings.workers import WORKER_QUEUES
from dev.stack.environment import ROOT

_WORK = """
import sys
from config.lib import metrics
metrics.transactions_total.labels(type="sms_purchase", status="completed").inc()
metrics.refund_latency_seconds.observe(0.5)
metrics.provider_float.labels("textverified").set(float(sys.argv[1]))
metrics.websocket_connections.inc()
print("ready", flush=True)
sys.stdin.read()
"""


class Worker:
    """A process that counts one purchase, one refund and one open socket, and lives until it is killed."""

    def __init__(self, folder: Path, balance: float) -> None:
        env = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder)}
        self.process = subprocess.Popen(
            [sys.executable, "-c", _WORK, str(balance)],
            cwd=ROOT, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()


@pytest.fixture
def folder(tmp_path: Path, settings: LazySettings) -> Path:
    """Where the answering process, this one, looks."""
    settings.PROMETHEUS_MULTIPROC_DIR = str(tmp_path / "metrics")
    return tmp_path / "metrics"


@pytest.fixture
def workers(folder: Path) -> Iterator[list[Worker]]:
    both = [Worker(folder, balance) for balance in (50, 40)]
    yield both
    for worker in both:
        worker.kill()


def shown(client: Client) -> dict[str, float]:
    """The page's values by name; of those with labels, the sum."""
    page = client.get("/metrics").content.decode()
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            found[sample.name] = found.get(sample.name, 0) + sample.value
    return found


_MONEY = ("transactions_total", "refund_latency_seconds_count", "provider_float", "websocket_connections")


def test_what_other_processes_count_is_shown(client: Client, workers: list[Worker]) -> None:
    page = shown(client)
    assert {name: page[name] for name in _MONEY} == dict(zip(_MONEY, (2, 2, 40, 2), strict=True))


def test_a_killed_process_has_no_open_sockets_and_keeps_its_money(client: Client, workers: list[Worker]) -> None:
    workers[1].kill()
    page = shown(client)
    assert {name: page[name] for name in _MONEY} == dict(zip(_MONEY, (2, 2, 40, 1), strict=True))


def test_time_and_memory_of_the_answering_process_are_there(client: Client, workers: list[Worker]) -> None:
    page = shown(client)
    assert (page["process_cpu_seconds_total"] > 0, page["process_resident_memory_bytes"] > 0) == (True, True)


def test_containers_of_one_process_number_write_to_different_files(folder: Path, workers: list[Worker]) -> None:
    number = workers[0].process.pid
    assert [path.name for path in folder.glob(f"*_{number}.db")] == []
    assert len(list(folder.glob(f"counter_*-{number}.db"))) == 1


_WORK_ON_A_FULL_DISK = """
import errno, os, pathlib, sys
folder = pathlib.Path(sys.argv[1])
folder.mkdir(exist_ok=True)
from config.lib import metrics
from config.lib.metrics import multiprocess

def count(number):
    metrics.transactions_total.labels(type=f"type {number}", status="completed").inc()

count(0)
with (folder / "all the room there is").open("wb", buffering=0) as filler:
    try:
        while True:
            filler.write(bytes(4096))
    except OSError as error:
        assert error.errno == errno.ENOSPC
for number in range(1000):
    count(number)
metrics.websocket_connections.inc()
os.remove(filler.name)
count(0)
metrics.websocket_connections.inc()
found = {family.name: family.samples for family in multiprocess.registry().collect()}
print([sum(sample.value for sample in found[name]) for name in ("transactions", "websocket_connections")])
"""


def test_a_full_disk_kills_no_process_and_what_was_counted_meanwhile_is_shown_later(tmp_path: Path) -> None:
    namespace = ["unshare", "--map-root-user", "--mount"]
    if subprocess.run([*namespace, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no disk of our own can be had here: unshare is refused")
    folder = tmp_path / "metrics"
    folder.mkdir()
    mounted = 'mount -t tmpfs -o size=256k none "$1" && exec "$2" -c "$3" "$1"'
    ended = subprocess.run(
        [*namespace, "sh", "-c", mounted, "sh", folder, sys.executable, _WORK_ON_A_FULL_DISK],
        cwd=ROOT,
        env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout.strip()) == (0, "[1002.0, 2.0]"), ended.stderr


def test_all_of_composes_processes_share_one_folder() -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    ours = {name: service for name, service in services.items() if service.get("image") == "ringfence"}
    shared = [
        (service["environment"]["PROMETHEUS_MULTIPROC_DIR"], "metrics:/run/metrics" in service["volumes"])
        for service in ours.values()
    ]
    assert set(ours) == {"migrate", "web", "sockets", "beat", *WORKER_QUEUES}
    assert shared == [("/run/metrics", True)] * len(ours)


def test_an_empty_variable_shares_nothing_and_leaves_no_files(tmp_path: Path) -> None:
    program = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n" + _WORK
    env = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": ""}
    command = [sys.executable, "-c", program, "1"]
    subprocess.run(command, cwd=tmp_path, env=env, stdin=subprocess.DEVNULL, check=True)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_missing_is_made(tmp_path: Path) -> None:
    assert Path(shared_folder(str(tmp_path / "not" / "there"))).is_dir()


def test_a_folder_that_can_not_be_made_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ImproperlyConfigured) as error:
        shared_folder(str(tmp_path / "file" / "metrics"))
    assert str(error.value) == (
        f"PROMETHEUS_MULTIPROC_DIR is '{tmp_path}/file/metrics'; it takes a folder that can be made and written to "
        "(Not a directory)."
    )
