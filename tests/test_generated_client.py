"""Strangers' tools read the API's description: a validator finds no fault, a client made from it does the journey."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from django.utils import timezone
from openapi_spec_validator import OpenAPIV30SpecValidator

from accounts import services as accounts
from dev.sandbox.testing import RunningSandbox
from tests.operations import OPERATIONS, SCHEMA
from tests.people import customer
from verifications import services

PACKAGE = "ringfence_client"
_NOWHERE = "http://127.0.0.1:9"  # where a generator that asked the network would end


def test_an_independent_validator_finds_no_fault() -> None:
    document = json.loads(json.dumps(SCHEMA, default=str))
    assert [error.message for error in OpenAPIV30SpecValidator(document).iter_errors()] == []


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of the package that openapi-python-client wrote, without a network; importable."""
    folder = tmp_path_factory.mktemp("client")
    (folder / "openapi.json").write_text(json.dumps(SCHEMA, default=str))
    (folder / "config.yaml").write_text("post_hooks: []\n")
    made = subprocess.run(
        [
            sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none", "--fail-on-warning",
            "--path", "openapi.json", "--config", "config.yaml", "--output-path", PACKAGE,
        ],
        cwd=folder,
        env={**os.environ, "http_proxy": _NOWHERE, "https_proxy": _NOWHERE},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )  # fmt: skip
    assert made.returncode == 0, made.stdout + made.stderr
    sys.path.insert(0, str(folder))
    yield PACKAGE
    sys.path.remove(str(folder))
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


@pytest.fixture
def _one_connection() -> Iterator[None]:
    """The application runs in the test's transaction; by itself it closes its connection after each request."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


class Api:
    """The generated functions, called by their operation's name, with the key."""

    def __init__(self, package: str, secret: str) -> None:
        self.package = package
        client = importlib.import_module(f"{package}.client")
        transport = httpx.WSGITransport(app=get_wsgi_application())  # type: ignore[arg-type]
        self.client = client.AuthenticatedClient(
            base_url="http://localhost",
            token=secret,
            httpx_args={"transport": transport},
            raise_on_unexpected_status=True,
        )

    def call(self, operation_id: str, *args: Any, **kwargs: Any) -> Any:
        [tag] = [one["tags"][0] for one in OPERATIONS.values() if one["operationId"] == operation_id]
        module = importlib.import_module(f"{self.package}.api.{tag}.{operation_id}")
        return module.sync_detailed(*args, client=self.client, **kwargs)

    def model(self, name: str, *args: Any, **fields: Any) -> Any:
        return getattr(importlib.import_module(f"{self.package}.models"), name)(*args, **fields)


@pytest.fixture
def shop(sandbox: RunningSandbox, settings: Any) -> RunningSandbox:
    settings.TEXTVERIFIED_BASE_URL = f"{sandbox.textverified_url}/{uuid4().hex}/.."  # the adapter begins anew
    services.sync_catalogue(now=timezone.now())
    return sandbox


@pytest.fixture
def api(generated: str, db: None, _one_connection: None, shop: RunningSandbox) -> Api:
    _key, secret = accounts.create_api_key(user=customer(), name="generated")
    return Api(generated, secret)


@pytest.mark.slow
def test_a_function_is_made_of_each_operation(generated: str, tmp_path: Path) -> None:
    missing = []
    for operation in OPERATIONS.values():
        try:
            importlib.import_module(f"{generated}.api.{operation['tags'][0]}.{operation['operationId']}")
        except ImportError:
            missing.append(operation["operationId"])
    assert missing == []


@pytest.mark.slow
def test_the_generated_client_tops_up_buys_reads_the_code_and_gives_back(api: Api, shop: RunningSandbox) -> None:
    begun = api.call("payments_initialize", body=api.model("InitializeRequest", amount="20.00")).parsed
    shop.pay(begun.reference)
    assert api.call("payments_verify", begun.reference).parsed.status == "completed"
    balance = api.call("wallet_balance").parsed
    assert (balance.balance, balance.held, balance.available, balance.version) == ("20.00", "0.00", "20.00", 1)

    [service] = api.call("services_list", country="US", q="test_success").parsed.services
    assert (service.service_name, service.price) == ("test_success", "0.50")
    order = api.model("CreateRequest", service_name="test_success", country="US", max_price="1.00")
    bought = api.call("verify_create", body=order, idempotency_key="first")
    again = api.call("verify_create", body=order, idempotency_key="first")
    assert (bought.status_code, again.status_code, again.parsed.id) == (201, 200, bought.parsed.id)
    shop.advance(4)
    services.poll_due(now=timezone.now() + timedelta(seconds=4))
    done = api.call("verify_retrieve", bought.parsed.id).parsed
    assert (done.status, done.code, done.refund, done.completed_at is not None) == ("completed", "123456", None, True)

    other = api.call("verify_create", body=api.model("CreateRequest", service_name="test_pending")).parsed
    ended = api.call("verify_cancel", other.id).parsed
    assert (ended.status, ended.refund_amount, ended.new_balance) == ("cancelled", "0.50", "19.50")
    kind = api.model("WalletTransactionsDetailedType", "refund")
    [move] = api.call("wallet_transactions_detailed", type_=kind).parsed.transactions
    assert (move.type_, move.amount, move.balance_after) == ("verification_refund", "0.50", "19.50")
    inbox = api.call("notifications_list", after=0).parsed
    assert (inbox.total, inbox.balance) == (inbox.seq, "19.50")


@pytest.mark.slow
def test_the_generated_client_reads_refusals(api: Api) -> None:
    poor = api.call("verify_create", body=api.model("CreateRequest", service_name="test_success"))
    assert (poor.status_code, poor.parsed.code, poor.parsed.available) == (402, "insufficient_funds", "0.00")
    wrong = api.call("verify_create", body=api.model("CreateRequest", service_name="test_success", country="usa"))
    assert (wrong.status_code, list(wrong.parsed.errors.additional_properties)) == (400, ["country"])
    gone = api.call("verify_retrieve", uuid4())
    assert (gone.status_code, gone.parsed.code) == (404, "not_found")
