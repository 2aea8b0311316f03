"""`manage.py sweep`: every periodic job once, as of a moment."""

from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from config.management.commands import sweep

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, datetime]]:
    """What ran, and as of when; the jobs themselves stay at home."""
    calls: list[tuple[str, datetime]] = []

    def note(name: str) -> Any:
        return lambda now: calls.append((name, now))

    monkeypatch.setattr(sweep, "JOBS", {name: note(name) for name in sweep.JOBS})
    return calls


def test_every_job_runs_once_as_of_then(ran: list[tuple[str, datetime]]) -> None:
    call_command("sweep", "--now", "2026-11-21T12:00:00Z", stdout=StringIO())

    assert ran == [(name, NOW) for name in sweep.JOBS]


def test_one_job_that_fails_keeps_no_other_from_running(
    ran: list[tuple[str, datetime]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_now: datetime) -> None:
        raise RuntimeError("no")

    monkeypatch.setitem(sweep.JOBS, "tell progress", fail)
    errors = StringIO()

    with pytest.raises(CommandError, match="Failed: tell progress"):
        call_command("sweep", stdout=StringIO(), stderr=errors)

    assert errors.getvalue() == "tell progress: RuntimeError: no\n"
    assert len(ran) == len(sweep.JOBS) - 1


@pytest.mark.parametrize("moment", ["tomorrow", "2026-11-21T12:00:00"])
def test_a_moment_has_its_offset(moment: str) -> None:
    with pytest.raises(CommandError, match="now"):
        call_command("sweep", f"--now={moment}")


@pytest.mark.django_db
def test_the_real_jobs_run_on_an_empty_house(sandbox: Any) -> None:
    out = StringIO()

    call_command("sweep", stdout=out)

    assert [line.split(":")[0] for line in out.getvalue().splitlines()] == list(sweep.JOBS)


def test_every_beat_job_is_among_them() -> None:
    """Each schedule has its job here; the nightly sweep of all events is the one that runs."""
    assert len(sweep.JOBS) == len(settings.CELERY_BEAT_SCHEDULE) - 1
