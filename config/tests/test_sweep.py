"""`manage.py sweep`: every periodic job once, as of a moment."""

import re
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from config.management.commands import sweep
from verifications.services import Summary

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, datetime]]:
    """What ran, and as of when; the jobs themselves stay at home."""
    calls: list[tuple[str, datetime]] = []

    def note(name: str) -> Any:
        def job(now: datetime) -> str:
            calls.append((name, now))
            return "0 done"

        return job

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


_WITH_OFFSET = "is no full time with its offset: write it as"
_TOO_FAR = "is more than ten years away from now: name a time nearer to it"


@pytest.mark.parametrize(
    ("moment", "why"),
    [
        ("tomorrow", "is not a time: write it as 2026-11-21T12:00:00+00:00"),
        ("2026-11-21T12:00:00", f"{_WITH_OFFSET} 2026-11-21T12:00:00+00:00, or with Z for UTC"),
        ("2026-11-21", f"{_WITH_OFFSET} 2026-11-21T00:00:00+00:00, or with Z for UTC"),
        ("9999-12-31T23:59:59+00:00", _TOO_FAR),
        ("9999-12-31T23:59:59-23:59", _TOO_FAR),
        ("0001-01-01T00:00:00+00:00", _TOO_FAR),
        ("0001-01-01T00:00:00+23:59", _TOO_FAR),
        ("2006-11-21T12:00:00Z", _TOO_FAR),
    ],
)
def test_a_moment_that_will_not_do_is_refused_with_what_would(
    ran: list[tuple[str, datetime]], moment: str, why: str
) -> None:
    with pytest.raises(CommandError) as error:
        call_command("sweep", f"--now={moment}")
    assert (str(error.value), ran) == (f"Error: argument --now: {moment!r} {why}", [])


@pytest.mark.django_db
def test_the_real_jobs_run_on_an_empty_house(sandbox: Any) -> None:
    out = StringIO()

    call_command("sweep", stdout=out)

    assert [line.split(":")[0] for line in out.getvalue().splitlines()] == list(sweep.JOBS)


@pytest.mark.django_db
def test_each_job_says_in_words_what_it_did(sandbox: Any) -> None:
    out = StringIO()

    call_command("sweep", stdout=out)

    *counts, catalogue, reconciled, missed = out.getvalue().splitlines()
    assert counts == [
        "recover verifications: 0 taken a step on",
        "poll verifications: 0 asked about",
        "expire verifications: 0 past their end",
        "tell progress: 0 told",
        "check payments: 0 asked about",
        "retry gateway events: 0 tried again",
        "purge gateway events: 0 emptied",
        "clear sessions: 0 removed",
        "clean up activities: 0 removed",
        "purge codes: 0 emptied",
    ]
    assert re.fullmatch(
        r"sync catalogue: (\d+) services listed \(\1 new, 0 gone\), \d+ prices renewed, our balance \$[\d,]+\.\d\d",
        catalogue,
    )
    assert reconciled == "reconcile provider: 0 numbers compared, 0 to look at"
    assert missed == "tell what was missed: 0 events without a notification, 0 told"


def test_a_catalogue_that_was_cut_short_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    cut = Summary(
        services=73, added=0, gone=1, unreadable=0, for_sale=73, refused=0, priced=5, stopped="throttled", balance=None
    )
    monkeypatch.setattr(sweep.verifications, "sync_catalogue", lambda now: cut)
    assert sweep.JOBS["sync catalogue"](NOW) == (
        "73 services listed (0 new, 1 gone), 5 prices renewed, then stopped: throttled, our balance unknown"
    )


def test_every_beat_job_is_among_them() -> None:
    """Each schedule has its job here; the nightly sweep of all events is the one that runs."""
    work = [name for name in settings.CELERY_BEAT_SCHEDULE if not name.startswith("heartbeat-")]
    assert len(sweep.JOBS) == len(work) - 1
