"""Every refusal of the API is one kind of document."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import OperationalError
from django.http import Http404
from django.test import Client, RequestFactory
from rest_framework import exceptions
from rest_framework.renderers import JSONRenderer

from accounts.tests.factories import make_user
from config import error_pages
from config.lib.errors.base import DomainError
from config.lib.errors.framework import TooLarge
from config.lib.errors.problem_details import exception_handler
from config.lib.errors.registry import documented_errors
from verifications.errors import OutOfStock


def answer(error: Exception) -> tuple[int, Any]:
    response = exception_handler(error, {})
    assert response is not None
    assert response.content_type == "application/problem+json"
    return response.status_code, response.data


def test_a_database_that_went_away_is_503_with_the_time_to_wait() -> None:
    status, body = answer(OperationalError("terminating connection due to administrator command"))
    assert (status, body["code"], body["retry_after"]) == (503, "unavailable", 5)
    assert "administrator" not in body["detail"]


def test_a_refusal_of_ours_has_its_code_and_its_sentence() -> None:
    status, body = answer(OutOfStock("None left in the US.", retry_after=2.2, verification_id="v1"))
    assert (status, body) == (
        409,
        {
            "type": "http://localhost:8000/help#out_of_stock",
            "title": "No number is available",
            "status": 409,
            "detail": "None left in the US.",
            "code": "out_of_stock",
            "errors": {},
            "retry_after": 2.2,
            "verification_id": "v1",
        },
    )


def test_when_to_try_again_is_a_header_too() -> None:
    response = exception_handler(OutOfStock(retry_after=2.2), {})
    assert response is not None
    assert response["Retry-After"] == "3"


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Http404(), 404, "not_found"),
        (PermissionDenied(), 403, "forbidden"),
        (exceptions.NotAuthenticated(), 401, "not_authenticated"),
        (exceptions.AuthenticationFailed(), 401, "not_authenticated"),
        (exceptions.ParseError(), 400, "validation_error"),
        (exceptions.MethodNotAllowed("PUT"), 405, "method_not_allowed"),
        (exceptions.NotAcceptable(), 406, "not_acceptable"),
        (exceptions.UnsupportedMediaType("text/xml"), 415, "unsupported_media_type"),
        (exceptions.Throttled(wait=7.1), 429, "throttled"),
    ],
)
def test_refusals_of_the_framework_have_codes_of_ours(error: Exception, status: int, code: str) -> None:
    given, body = answer(error)
    assert (given, body["status"], body["code"], body["errors"]) == (status, status, code, {})
    assert {"type", "title", "status", "detail", "code", "errors"} <= set(body)


@pytest.mark.parametrize(
    ("errors", "title"),
    [
        ((exceptions.MethodNotAllowed("PUT"), exceptions.MethodNotAllowed("TRACE")), "Method not allowed"),
        (
            (exceptions.UnsupportedMediaType("a/b"), exceptions.UnsupportedMediaType("text/xml")),
            "Unsupported media type",
        ),
        ((exceptions.NotAcceptable(), exceptions.NotAcceptable("text/html")), "Not acceptable"),
        ((exceptions.Throttled(), exceptions.Throttled(wait=12)), "Too many calls"),
        ((exceptions.PermissionDenied(), exceptions.PermissionDenied("No scope.")), "Not allowed"),
        ((exceptions.NotAuthenticated(), exceptions.AuthenticationFailed("Expired.")), "Not signed in"),
        ((Http404(), exceptions.NotFound("No such page.")), "Not found"),
        ((exceptions.ParseError(), exceptions.ValidationError("Wrong.")), "Invalid request"),
        ((OutOfStock(), OutOfStock("None left in the US.")), "No number is available"),
        ((OperationalError("gone"), OperationalError("closed")), "We're having trouble right now"),
        ((RequestDataTooBig(), TooLarge("Send at most 5 bytes.")), "The request is too large"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_code_has_one_title_whatever_the_occurrence(errors: tuple[Exception, ...], title: str) -> None:
    bodies = [answer(error)[1] for error in errors]
    assert [body["title"] for body in bodies] == [title, title]
    assert [body["title"] for body in bodies] == [str(documented_errors()[body["code"]].title) for body in bodies]


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (exceptions.MethodNotAllowed("PUT"), 'Method "PUT" not allowed.'),
        (
            exceptions.UnsupportedMediaType("text/xml"),
            'Unsupported media type "text/xml" in request. Send application/json.',
        ),
        (
            exceptions.NotAcceptable(available_renderers=[JSONRenderer]),
            "The answer comes as application/json. Accept that.",
        ),
        (exceptions.NotAcceptable(), "The answer comes as application/json. Accept that."),
        (exceptions.Throttled(wait=0.2), "You call more often than you may. Try again in 1 second."),
        (exceptions.Throttled(wait=7.1), "You call more often than you may. Try again in 8 seconds."),
        (Http404(), "Not found, or it belongs to another account."),
        (exceptions.NotFound("No such page."), "No such page."),
    ],
    ids=str,
)
def test_the_particular_is_in_the_sentence(error: Exception, sentence: str) -> None:
    assert answer(error)[1]["detail"] == sentence


def test_a_code_outside_the_table_is_called_as_its_status() -> None:
    class Odd(DomainError):
        code, status, detail = "odd", 418, "Short and stout"

    _status, body = answer(Odd("A teapot, number 7."))
    assert (body["title"], body["detail"]) == ("I'm a Teapot", "A teapot, number 7.")


def kinds(of: type[DomainError] = DomainError) -> set[type[DomainError]]:
    return {kind for one in of.__subclasses__() for kind in {one, *kinds(one)}}


def test_every_refusal_of_the_product_is_in_the_table_with_its_status() -> None:
    ours = {kind for kind in kinds() if ".tests." not in kind.__module__ and kind.code != "nothing_to_refund"}
    assert len(ours) > 20
    known = {(code, error.status) for code, error in documented_errors().items()}
    assert {(kind.code, kind.status) for kind in ours} - known == set()  # (nothing_to_refund no call can meet)


def test_a_field_that_is_wrong_is_named_in_the_sentence() -> None:
    _status, body = answer(exceptions.ValidationError({"name": ["This field is required."]}))
    assert (body["detail"], body["errors"]) == ("name: This field is required.", {"name": ["This field is required."]})


def test_a_bug_is_no_refusal() -> None:
    assert exception_handler(ZeroDivisionError(), {}) is None


@pytest.mark.django_db
class TestOverHttp:
    @pytest.fixture
    def client(self) -> Client:
        client = Client()
        client.force_login(make_user())
        return client

    @pytest.mark.parametrize(
        "body",
        [b"{", b"[1", b"", b"nonsense", b'{"name": NaN}', b"\xff\xfe", b'{"name": "\xff"}', b"[" * 200_000, b'"text"',
         b"[]", b"null", b"5", b'{"name": ' + b"9" * 5000 + b"}", b'{"name": "\\ud83d"}', b'{"scopes": ["\\udc00"]}'],
    )  # fmt: skip
    def test_what_is_no_object_of_json_is_refused(self, client: Client, body: bytes) -> None:
        answer = client.post("/api/keys", body, content_type="application/json")
        assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")
        assert answer["Content-Type"] == "application/problem+json"

    def test_a_body_larger_than_a_form_may_be_is_refused(self, client: Client, settings: Any) -> None:
        body = b'{"name": "' + b"x" * settings.DATA_UPLOAD_MAX_MEMORY_SIZE + b'"}'
        answer = client.post("/api/keys", body, content_type="application/json")
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")

    @pytest.mark.parametrize(
        "kind", ["text/xml", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ";", "é"]
    )
    def test_only_json_is_taken(self, client: Client, kind: str) -> None:
        answer = client.post("/api/keys", b"name=x", content_type=kind)
        assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")

    @pytest.mark.parametrize("method", ["put", "patch", "delete", "trace"])
    def test_a_method_that_an_address_lacks_is_told_with_those_that_it_has(self, client: Client, method: str) -> None:
        answer = getattr(client, method)("/api/keys")
        assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
        assert answer["Allow"] == "GET, POST, HEAD, OPTIONS"

    @pytest.mark.parametrize("accept", ["text/html", "application/xml", "nonsense", ";;", "a/b;q=x", "*/xml"])
    def test_a_form_that_we_lack_is_406(self, client: Client, accept: str) -> None:
        answer = client.get("/api/keys", headers={"Accept": accept})
        assert (answer.status_code, answer.json()["code"]) == (406, "not_acceptable")
        assert answer["Content-Type"] == "application/problem+json"

    @pytest.mark.parametrize("accept", ["*/*", "application/*", "application/json", "text/html, */*;q=0.1", ""])
    def test_json_is_given_to_whoever_takes_it(self, client: Client, accept: str) -> None:
        assert client.get("/api/keys", headers={"Accept": accept}).status_code == 200

    def test_an_unknown_format_in_the_query_is_406_too(self, client: Client) -> None:
        answer = client.get("/api/keys?format=xml")
        assert (answer.status_code, answer.json()["code"]) == (406, "not_acceptable")

    @pytest.mark.parametrize(
        "path", ["/api/", "/api/nothing", "/api/v1/verify/not-a-uuid", "/api/keys/", "/api/keys/x"]
    )
    def test_an_address_that_does_not_exist_is_a_problem_as_well(self, client: Client, path: str) -> None:
        answer = client.get(path)
        assert (answer.status_code, answer.json()["code"], answer.json()["detail"]) == (
            404,
            "not_found",
            f"There is nothing at {path}.",
        )
        assert answer["Content-Type"] == "application/problem+json"

    @pytest.mark.parametrize("language", ["de", "fr", "de-AT, fr;q=0.9, en;q=0.1", "xx", "*"])
    def test_a_document_is_in_one_language_whatever_is_asked_for(self, client: Client, language: str) -> None:
        for ask in (
            lambda **how: client.post("/api/keys", {"scopes": ["x"]}, content_type="application/json", **how),
            lambda **how: client.put("/api/keys", **how),
            lambda **how: client.get("/api/keys?limit=ten", **how),
            lambda **how: client.get("/api/nothing", **how),
            lambda **how: Client().get("/api/keys", **how),
        ):
            answer = ask(headers={"Accept-Language": language})
            assert answer["Content-Language"] == "en"
            assert answer.json() == ask().json()

    @pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
    @pytest.mark.parametrize(
        "path", ["/api/nope", "/api/v1/verify/not-a-uuid/cancel", "/api/v1/verify/create/", "/api/keys/abc"]
    )
    def test_so_it_is_for_a_program_that_wants_to_change_something(self, method: str, path: str) -> None:
        client = Client(enforce_csrf_checks=True)
        answer = getattr(client, method)(path, b"{}", content_type="application/json")
        assert (answer.status_code, answer.json()["code"], answer.json()["detail"]) == (
            404,
            "not_found",
            f"There is nothing at {path}.",
        )


@pytest.mark.parametrize(
    ("view", "status", "code"),
    [
        (error_pages.bad_request, 400, "validation_error"),
        (error_pages.permission_denied, 403, "forbidden"),
        (error_pages.csrf_failure, 403, "forbidden"),
        (error_pages.page_not_found, 404, "not_found"),
        (error_pages.server_error, 500, "server_error"),
        (error_pages.wrong_method, 405, "method_not_allowed"),
        (error_pages.database_unavailable, 503, "unavailable"),
    ],
)
def test_what_goes_wrong_outside_the_framework_is_a_problem_under_api(view: Any, status: int, code: str) -> None:
    response = view(RequestFactory().get("/api/anything"))
    body = json.loads(response.content)
    assert (response.status_code, response["Content-Type"]) == (status, "application/problem+json")
    assert (body["status"], body["code"], body["title"], set(body)) == (
        status,
        code,
        documented_errors()[code].title,
        {"type", "title", "status", "detail", "code", "errors"},
    )
