"""The sandbox's answers against the vendor's own document, with what the vendor added since."""

import copy
import json
import os
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from dev.tests.sandbox_clients import bought, buy, sign_in

DOCUMENT = Path(__file__).parents[3] / "shared" / "reference" / "textverified-openapi-2025-08.json"


def nullable(schema: Any) -> Any:
    """OpenAPI 3.0's `nullable` in JSON Schema's words."""
    if isinstance(schema, list):
        return [nullable(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {name: nullable(value) for name, value in schema.items()}
    if schema.pop("nullable", False) is True:
        schema["type"] = [schema["type"], "null"]
    return schema


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    if not DOCUMENT.exists():
        if os.environ.get("CI") == "true":
            pytest.fail(f"Under CI the vendor's document has to stand at {DOCUMENT}.")
        pytest.skip("The vendor's document does not stand beside this project, so nothing can be held against it.")
    document = nullable(json.loads(DOCUMENT.read_text()))
    schemas = document["components"]["schemas"]
    schemas["Service"]["properties"]["description"] = {"type": "string"}
    schemas["WebhookEvent.SmsWebhookEvent"]["properties"]["idempotencyKey"] = {"type": "string"}
    schemas["Inventory"] = {
        "type": "object",
        "required": ["availableQuantity"],
        "properties": {"availableQuantity": {"type": "integer"}},
        "additionalProperties": False,
    }
    return document


@pytest.fixture
def complaints(document):
    """What the document has against an answer: `complaints("Account", answer)`, or of a list `["Service"]`."""

    def check(name: str | list[str], answer: Any) -> list[str]:
        reference = {"$ref": f"#/components/schemas/{name if isinstance(name, str) else name[0]}"}
        schema = reference if isinstance(name, str) else {"type": "array", "items": reference}
        validator = Draft202012Validator(
            {**schema, "components": copy.copy(document["components"])}, format_checker=FormatChecker()
        )
        return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(answer)]

    return check


def test_the_check_notices_a_wrong_answer(complaints):
    assert complaints("Account", {"username": "me", "currentBalance": "1.00"}) == [
        "$.currentBalance: '1.00' is not of type 'number'"
    ]


def test_every_answer_has_the_documented_shape(sandbox, complaints):
    client = sign_in(sandbox)
    credentials = {"X-API-KEY": sandbox.config.textverified_api_key}
    credentials["X-API-USERNAME"] = sandbox.config.textverified_username
    question = {"serviceName": "whatsapp", "numberType": "mobile", "capability": "sms"}
    for _ in range(51):
        buy(client, "test_success")
    number = bought(client, "test_success")
    sandbox.advance(4)
    sale = client.get("/sales").json()["data"][0]
    answers = [
        ("BearerToken", client.post("/auth", headers=credentials)),
        ("Account", client.get("/account/me")),
        (["Service"], client.get("/services")),
        (
            "PricingSnapshot",
            client.post("/pricing/verifications", json={**question, "areaCode": False, "carrier": True}),
        ),
        ("Inventory", client.post("/inventory/verifications", json=question)),
        ("Link", buy(client, "whatsapp")),
        ("PaginatedData.VerificationCompact", client.get("/verifications")),
        ("VerificationExpanded", client.get(f"/verifications/{number['id']}")),
        ("PaginatedData.Sms", client.get("/sms", params={"reservationId": number["id"]})),
        ("PaginatedData.Sms", client.get("/sms", params={"to": number["number"]})),
        ("PaginatedData.Sms", client.get("/sms")),
        ("PaginatedData.ReservationSaleCompact", client.get("/sales")),
        ("ReservationSaleExpanded", client.get(f"/sales/{sale['id']}")),
        ("Error", buy(client, "test_no_numbers")),
        ("Error", client.post(f"/verifications/{number['id']}/cancel")),
    ]
    found = [(str(answer.url), complaint) for name, answer in answers for complaint in complaints(name, answer.json())]
    assert [answer.status_code for _, answer in answers] == [200] * 5 + [201] + [200] * 7 + [400] * 2
    assert found == []


def test_the_webhook_has_the_documented_shape(sandbox, complaints):
    bought(sign_in(sandbox), "test_success")
    sandbox.advance(4)
    assert [complaints("WebhookEvent.SmsWebhookEvent", json.loads(sent["body"])) for sent in sandbox.webhooks()] == [[]]


def test_the_paths_are_the_documented_ones(document):
    from dev.sandbox import textverified

    served = {(route.method.lower(), route.path.removeprefix("/textverified")) for route in textverified.routes()}
    documented = {(method, path) for path, methods in document["paths"].items() for method in methods}
    assert served - documented == {("post", "/api/pub/v2/inventory/verifications")}
