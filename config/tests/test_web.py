"""The server's care for its connections, in turns."""

from __future__ import annotations

import subprocess
import sys
from http import HTTPStatus

import pytest
from twisted.web.http import RESPONSES

from config.web import BatchedTimeoutServer, Command


class Reactor:
    def __init__(self, waits: list[float]) -> None:
        self.waits = waits

    def callLater(self, seconds: float, _again: object) -> None:
        self.waits.append(seconds)


class Connection:
    checked = 0

    def check_timeouts(self) -> None:
        self.checked += 1


def test_every_connection_is_checked_once_a_round_and_only_some_of_them_at_a_time(monkeypatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr("config.web._reactor", Reactor(waits))
    server = BatchedTimeoutServer(application=None, endpoints=["tcp:port=0"])
    connections = [Connection() for _ in range(1_000)]
    server.connections = {connection: {} for connection in connections}

    server.timeout_checker()
    assert 0 < sum(connection.checked for connection in connections) <= 51
    gone = connections[-1]
    del server.connections[gone]
    while sum(waits) < 1.99:
        server.timeout_checker()
    assert [connection.checked for connection in connections[:-1]] == [1] * 999
    assert gone.checked == 0


def test_without_connections_it_goes_on_looking(monkeypatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr("config.web._reactor", Reactor(waits))
    server = BatchedTimeoutServer(application=None, endpoints=["tcp:port=0"])
    server.connections = {}
    server.timeout_checker()
    assert len(waits) == 1


def test_it_takes_the_servers_options_and_pings_seldom() -> None:
    command = Command()
    assert command.server_class is BatchedTimeoutServer
    assert command.parser.parse_args(["config.asgi:application"]).ping_interval == 600
    told = subprocess.run([sys.executable, "-m", "config.web", "--help"], capture_output=True, text=True, check=True)
    assert "--bind" in told.stdout


@pytest.mark.parametrize("status", [HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.TOO_MANY_REQUESTS])
def test_a_status_that_came_after_the_first_ones_has_its_name(status: HTTPStatus) -> None:
    assert RESPONSES[status] == status.phrase.encode()
