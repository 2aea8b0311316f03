"""Whatever stands in a page's address: a page, a redirect or a refusal, never a fault."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import User
from config.tests.routes import routes
from refunds.tests.factories import bought, end
from wallet.tests.factories import funded

pytestmark = pytest.mark.django_db
PAGES = sorted(
    route.path for route in routes() if not route.parameters and not route.path.startswith(("/api/", "/webhooks/"))
)
NAMES = [
    "before", "after", "from", "day", "shown", "panel", "part", "q", "status", "sort", "state", "category", "is_read",
    "start", "end", "start_date", "end_date", "type", "kind", "activity_type", "resource_type", "amount", "min", "max",
    "choice", "service", "country", "area_code", "capability", "next", "page", "tab", "ids", "format",
]  # fmt: skip
AN_ID = "0b6c7f7e-3c5e-4a53-9a55-0d8f3a0f2d11"
MOMENTS = [
    "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59.999999-23:59", "0001-01-01", "9999-12-31", "2026-02-30",
    "2026-11-30T12:00:00", "2026-11-30T24:00:00Z", "-0001-01-01T00:00:00Z",
]  # fmt: skip
VALUES = st.one_of(
    st.sampled_from(MOMENTS),
    st.sampled_from(MOMENTS).map(lambda moment: f"{moment}|{AN_ID}"),
    st.sampled_from(
        ["", " ", "\x00", "\r\nX: y", "1e999", "-1", "0.0", "NaN", "٣", "9" * 19, "1" * 5_000, "%", "'\"><", "[]"]
    ),
    st.text(max_size=30),
    st.integers().map(str),
)


@pytest.fixture
def client() -> Client:
    """A staff user's, who has one verification to be listed."""
    user = User.objects.create(email="somebody@example.test", password="!", is_staff=True, is_superuser=True)
    funded(user, 20_00)
    end(bought(user))
    client = Client(raise_request_exception=False)
    client.force_login(user)
    return client


def address(path: str, query: dict[str, str]) -> str:
    return f"{path}?" + "&".join(f"{name}={quote(value, errors='surrogatepass')}" for name, value in query.items())


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
def test_a_cursor_out_of_all_time_is_a_bad_request(client: Client, moment: str) -> None:
    assert client.get(address("/history", {"before": f"{moment}|{AN_ID}"})).status_code == 400


@pytest.mark.parametrize("choice", ["1" * 5_000, "-" + "1" * 5_000, "1e999", "٣"])
def test_a_choice_of_top_up_that_is_none_leads_back_to_the_form(client: Client, choice: str) -> None:
    answer = client.post("/wallet/top-up", {"choice": choice})
    assert (answer.status_code, answer["Location"].partition("?")[0]) == (302, "/wallet/top-up")
    assert client.get(address("/wallet/top-up", {"choice": choice})).status_code == 200


@pytest.mark.slow
def test_no_parameters_break_a_page(client: Client) -> None:
    @settings(max_examples=150, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        path=st.sampled_from(PAGES),
        query=st.dictionaries(st.sampled_from(NAMES), VALUES, min_size=1, max_size=4),
        headers=st.sampled_from([{}, {"HX-Request": "true"}]),
    )
    def holds(path: str, query: dict[str, str], headers: dict[str, Any]) -> None:
        answer = client.get(address(path, query), headers=headers)
        if answer.streaming:
            b"".join(answer.streaming_content)
        assert answer.status_code < 500, (path, query)

    holds()
