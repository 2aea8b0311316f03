"""A pytest plugin, loaded by `-p` in pytest.ini before Django's settings, which need the services' addresses."""

import contextlib
import os
from collections.abc import Generator

import hypothesis
import pytest

from dev.testing.services import suite_services

pytest_plugins = [
    "dev.testing.fixtures",
    "dev.testing.live",
    "dev.testing.browser",
    "dev.sandbox.fixtures",
]


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, object, object]:
    """Start the services, as a wrapper: before pytest-django's own hook of this name, which loads the settings."""
    stack = contextlib.ExitStack()
    stack.enter_context(suite_services())
    early_config.add_cleanup(stack.close)
    try:
        return (yield)
    except BaseException:
        stack.close()  # pytest has no cleanup yet when the settings or an app can't be imported
        raise


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the tests that are marked `drill` DRILL_ROUNDS times."""
    rounds = int(os.environ.get("DRILL_ROUNDS", "1"))
    if rounds > 1 and metafunc.definition.get_closest_marker("drill"):
        metafunc.fixturenames.append("drill_round")
        metafunc.parametrize("drill_round", range(1, rounds + 1))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that use a browser, and keep those that run the product in processes of its own on one worker."""
    for item in items:
        names = getattr(item, "fixturenames", ())
        if "browser" in names:
            item.add_marker("browser")
        if "live_stack" in names:
            item.add_marker("live")
            item.add_marker(pytest.mark.xdist_group("live"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the logs of the product's processes to a failed test."""
    report = yield
    stack = getattr(item, "funcargs", {}).get("live_stack")
    if report.failed and stack is not None:
        report.sections += [(f"log of {name}", text) for name, text in stack.logs() if text]
    return report


def pytest_configure(config: pytest.Config) -> None:
    # An example is as slow as the database that it talks to.
    hypothesis.settings.register_profile("house", deadline=None, print_blob=True)
    hypothesis.settings.load_profile("house")
    for marker in (
        "browser: drives a real Chromium; run apart from the others",
        "live: runs the product in processes of its own, and may stop Redis under everybody; run apart too",
        "alone: a browser test that disturbs every other deployment, so that none runs beside it",
        "side_by_side: disturbs its own deployment alone, so that another one may run beside it",
        "drill: a race or a fault drill; once in `make test`, DRILL_ROUNDS times in `make drill`",
        "races: real threads or processes contend",
        "viewport(width, height): the size of the browser's window",
        "slow: takes more than a few seconds",
    ):
        config.addinivalue_line("markers", marker)
