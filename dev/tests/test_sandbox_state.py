"""What the sandbox knows survives its own restart, where it is given a file for it."""

from dataclasses import replace

import pytest

from dev.sandbox.config import SandboxConfig
from dev.sandbox.testing import running_sandbox
from dev.tests.sandbox_clients import bought, buy, sign_in
from dev.tests.test_sandbox_stripe import gateway, opened


@pytest.fixture
def config(tmp_path) -> SandboxConfig:
    return SandboxConfig(state_file=tmp_path / "var" / "sandbox.json", webhook_enabled=False)


def test_numbers_checkouts_and_the_balance_are_still_known(config):
    with running_sandbox(config) as sandbox:
        client = sign_in(sandbox)
        bought(client, "test_pending")
        buy(client, "test_success", key="one")
        opened(gateway(sandbox))
        sandbox.pay("PAY-1")
        sandbox.advance(4)
        before = sandbox.ledger()
    with running_sandbox(config) as sandbox:
        client = sign_in(sandbox)
        assert sandbox.ledger() == before
        assert client.get("/account/me").json()["currentBalance"] == 9999.5
        assert buy(client, key="one").json()["href"].endswith(before["numbers"][1]["id"])
        assert sandbox.ledger() == before


def test_what_was_to_come_still_comes(config):
    with running_sandbox(config) as sandbox:
        client = sign_in(sandbox)
        delayed, ending = bought(client, "test_delayed_success"), bought(client, "test_timeout")
        sandbox.sms(ending["number"], "too late for the end", delay=3600)
        session = opened(gateway(sandbox))
    with running_sandbox(config) as sandbox:
        sandbox.advance(24 * 3600 + 5)
        states = {number["id"]: number["state"] for number in sandbox.ledger()["numbers"]}
        assert states == {delayed["id"]: "verificationCompleted", ending["id"]: "verificationTimedOut"}
        assert gateway(sandbox).v1.checkout.sessions.retrieve(session.id).status == "expired"


def test_a_key_that_was_running_when_it_stopped_has_expired(config):
    with running_sandbox(config) as sandbox:
        sandbox.plant_key("one", "running")
        assert buy(sign_in(sandbox), key="one").status_code == 409
    with running_sandbox(config) as sandbox:
        assert buy(sign_in(sandbox), key="one").json()["errorCode"] == "IdempotencyKeyExpired"


def test_a_number_that_is_held_is_not_sold_again(config):
    with running_sandbox(config) as sandbox:
        client = sign_in(sandbox)
        held = {bought(client, "whatsapp", areaCodeSelectOption=["775"])["number"] for _ in range(5)}
    with running_sandbox(config) as sandbox:
        client = sign_in(sandbox)
        fresh = {bought(client, "whatsapp", areaCodeSelectOption=["775"])["number"] for _ in range(95)}
        assert held & fresh == set()


def test_a_file_that_cannot_be_read_is_put_aside(config):
    config.state_file.parent.mkdir()
    config.state_file.write_text("{half")
    with running_sandbox(config) as sandbox:
        assert sandbox.ledger()["numbers"] == []
    assert config.state_file.with_suffix(".json.unreadable").read_text() == "{half"


def test_without_a_file_it_forgets(config):
    with running_sandbox(replace(config, state_file=None)) as sandbox:
        bought(sign_in(sandbox))
    with running_sandbox(replace(config, state_file=None)) as sandbox:
        assert sandbox.ledger()["numbers"] == []
