"""What all pages have in common: their bones, their policy, and what they never contain."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as project
from django.db import connection
from django.db.utils import OperationalError
from django.test import Client

from accounts.models import User
from config.lib.errors.registry import documented_errors
from config.tests.routes import PUBLIC, belongings, routes
from config.tests.test_queues import everybody_is_heard

TEMPLATES = sorted(Path(project.BASE_DIR, "templates").rglob("*.html"))
SEEN_BY_STRANGERS = {
    "home", "help", "policy", "account_login", "account_signup", "account_inactive", "account_confirm_email",
    "account_email_verification_sent", "account_reset_password", "account_reset_password_done",
    "account_reset_password_from_key", "account_reset_password_from_key_done",
}  # fmt: skip


class Bones(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.count: dict[str, int] = {}
        self.lang = self.title = ""
        self.unlabelled: list[str] = []
        self.inline: list[str] = []
        self.ids: list[str] = []
        self._in_title = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.count[tag] = self.count.get(tag, 0) + 1
        given = dict(attrs)
        self._in_title = tag == "title"
        if tag == "html":
            self.lang = given.get("lang") or ""
        if "id" in given:
            self.ids.append(given["id"] or "")
        if tag == "img" and "alt" not in given:
            self.unlabelled.append(tag)
        self.inline += [f"{tag} {name}" for name in given if name == "style" or name.startswith("on")]
        if tag == "script" and not given.get("src"):
            self.inline.append("script")

    def handle_endtag(self, tag: str) -> None:
        if tag == "title":
            self._in_title = False

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title += data


def policy(answer: Any) -> dict[str, str]:
    parts = (part.strip().split(" ", 1) for part in answer["Content-Security-Policy"].split(";") if part.strip())
    return {part[0]: part[1] if len(part) > 1 else "" for part in parts}


def assert_well_made(answer: Any, path: str) -> None:
    bones = Bones(answer.content.decode())
    assert (path, bones.count.get("h1"), bones.count.get("main"), bones.lang) == (path, 1, 1, "en")
    assert bones.title.strip(), path
    assert "·" not in (bones.title.strip()[:1], bones.title.strip()[-1:]), f"{path}: {bones.title}"
    assert (path, bones.inline, bones.unlabelled) == (path, [], [])
    assert sorted(set(bones.ids)) == sorted(bones.ids), path
    given = policy(answer)
    assert not any("unsafe" in value for value in given.values()), path
    assert (given["default-src"], given["script-src"], given["style-src"], given["img-src"]) == (
        "'self'",
        "'self'",
        "'self'",
        "'self' data:",
    )
    assert (given["object-src"], given["base-uri"], given["frame-ancestors"]) == ("'none'", "'none'", "'none'")
    assert (answer["X-Content-Type-Options"], answer["X-Frame-Options"]) == ("nosniff", "DENY")
    assert answer["Referrer-Policy"] == "same-origin"


def is_page(answer: Any) -> bool:
    return answer.status_code == 200 and answer["Content-Type"].startswith("text/html")


@pytest.mark.django_db
def test_pages_for_strangers_are_well_made(client: Client) -> None:
    seen = set()
    for route in routes():
        answer = client.get(route.at(**{**dict.fromkeys(route.parameters, "1"), **PUBLIC, "verification_id": "x"}))
        if is_page(answer) and route.name != "docs":
            assert_well_made(answer, route.path)
            seen.add(route.name)
    assert seen == SEEN_BY_STRANGERS - {"account_reset_password_from_key_done"} | (
        seen & {"account_reset_password_from_key_done"}
    )


@pytest.mark.django_db
def test_pages_for_customers_are_well_made(client: Client) -> None:
    user = User.objects.create(email="ada@example.test", password="!", name="Ada")
    theirs = belongings(user)
    client.force_login(user)
    seen = []
    for route in routes():
        values = {**dict.fromkeys(route.parameters, "1"), **PUBLIC, **theirs}
        answer = client.get(route.at(**values))
        if is_page(answer) and route.name != "docs":
            assert_well_made(answer, route.path)
            seen.append(route.path)
    assert len(seen) > 15


@pytest.mark.django_db
def test_the_docs_bring_their_scripts_along(client: Client) -> None:
    answer = client.get("/api/docs")
    page = answer.content.decode()
    assert answer.status_code == 200
    assert "unsafe" not in answer["Content-Security-Policy"]
    assert re.findall(r'(?:src|href)="(?:https?:)?//', page) == []


@pytest.mark.django_db
def test_the_console_alone_may_more(client: Client) -> None:
    user = User.objects.create(email="staff@example.test", password="!", is_staff=True, is_superuser=True)
    client.force_login(user)
    given = policy(client.get("/admin/"))
    assert (given["script-src"], given["style-src"]) == ("'self' 'unsafe-eval'", "'self' 'unsafe-inline'")
    assert (given["default-src"], given["object-src"]) == ("'self'", "'none'")


FORBIDDEN = {
    "an inline style": r"<[^>]*\sstyle\s*=",
    "a style element": r"<style\b",
    "an inline handler": r"<[^>]*\son[a-z]+\s*=",
    "an inline script": r"<script\b(?![^>]*\bsrc=)",
    "hx-on": r"\bhx-on",
    "a js: value": r"""["']\s*(?:js|javascript):""",
    "a trigger filter": r"""hx-trigger\s*=\s*["'][^"']*\[""",
    "somebody else's server": r"""(?:src|href)\s*=\s*["'](?:https?:)?//""",
}


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: str(path.relative_to(project.BASE_DIR)))
def test_templates_need_nothing_that_the_policy_forbids(template: Path) -> None:
    if "emails" in template.parts or "email" in template.parts:
        pytest.skip("mail clients know inlined styles alone")
    text = template.read_text()
    assert [name for name, pattern in FORBIDDEN.items() if re.search(pattern, text, re.IGNORECASE)] == []


def test_htmx_is_kept_from_running_what_it_is_sent() -> None:
    base = Path(project.BASE_DIR, "templates", "base.html").read_text()
    for switch in ('"allowEval": false', '"allowScriptTags": false', '"includeIndicatorStyles": false'):
        assert switch in base


@pytest.mark.django_db
@pytest.mark.parametrize(
    "path", ["/nothing", "/verify/no-uuid", "/account/nothing", "/Help", "/help/", "/%ff", "/a%0d%0ab"]
)
def test_an_address_that_does_not_exist_has_a_page(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert_well_made(answer, path)
    assert "Page not found" in answer.content.decode()


@pytest.mark.parametrize("path", ["/health/live", "/metrics"])
def test_probes_need_no_database(client: Client, path: str) -> None:
    assert client.get(path).status_code == 200


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/metrics"])
def test_probes_are_only_read(path: str) -> None:
    answer = Client(enforce_csrf_checks=True).post(path)
    assert (answer.status_code, answer["Allow"]) == (405, "GET, HEAD")


@pytest.mark.django_db
def test_ready_names_database_and_redis(client: Client) -> None:
    everybody_is_heard()
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "database": "ok", "redis": "ok"})


@pytest.mark.django_db
def test_without_redis_it_is_ready_and_says_so(client: Client, settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.json()) == (
        200,
        {"status": "degraded", "database": "ok", "redis": "ConnectionError"},
    )


@pytest.mark.django_db
def test_without_the_database_it_is_not_ready(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise OperationalError("no connection")

    monkeypatch.setattr(connection, "cursor", refuse)
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.json()) == (503, {"status": "down", "database": "OperationalError"})


@pytest.mark.parametrize("given", [None, "", "Bearer ", "Bearer wrong", "token", "Bearer é", "Basic dG9rZW4="])
def test_metrics_are_closed_in_production_without_the_token(client: Client, settings: Any, given: str | None) -> None:
    settings.METRICS_OPEN, settings.METRICS_TOKEN = False, "right"
    answer = client.get("/metrics", headers={} if given is None else {"Authorization": given})
    assert (answer.status_code, answer.content) == (401, b"")


def test_metrics_are_closed_in_production_where_there_is_no_token(client: Client, settings: Any) -> None:
    settings.METRICS_OPEN, settings.METRICS_TOKEN = False, ""
    assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 401


def test_metrics_open_with_the_token(client: Client, settings: Any) -> None:
    settings.METRICS_OPEN, settings.METRICS_TOKEN = False, "right"
    answer = client.get("/metrics", headers={"Authorization": "Bearer right"})
    assert answer.status_code == 200
    assert b"transactions_total" in answer.content


@pytest.mark.django_db
@pytest.mark.parametrize("given", ["<script>", "a", "x" * 65, "a b c d e f g h", ""])
def test_a_strange_request_id_is_replaced(client: Client, given: str) -> None:
    answer = client.get("/help", headers={"X-Request-ID": given})
    assert re.fullmatch(r"[0-9a-f]{32}", answer["X-Request-ID"])


@pytest.mark.django_db
def test_help_has_every_error_code_in_a_list_that_a_link_opens(client: Client) -> None:
    page = client.get("/help").content.decode()
    folded = page[page.index("<details") : page.index("</details>")]
    assert "<details class" in folded
    assert "<details open" not in folded
    assert 'id="errors"' in folded
    assert [code for code in documented_errors() if f'id="{code}"' not in folded] == []
    assert "Wait <code>retry_after</code> seconds" in folded
    assert "`" not in folded
    assert ">Write to support.</a>" in folded


@pytest.mark.django_db
def test_a_shop_window_without_offers_names_no_service_that_there_is(client: Client) -> None:
    assert "Example service" in client.get("/").content.decode()
