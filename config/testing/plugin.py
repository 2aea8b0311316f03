"""Loaded by `-p` in pytest.ini, so before Django's settings are: the services must be named by then."""

import contextlib
import os
from collections.abc import Generator

import pytest

from config.testing.services import suite_services

pytest_plugins = ["config.testing.fixtures", "config.sandbox.fixtures"]


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, object, object]:
    """A wrapper runs before pytest-django's own hook of this name, which loads the settings."""
    stack = contextlib.ExitStack()
    stack.enter_context(suite_services())
    early_config.add_cleanup(stack.close)
    return (yield)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`make drill` runs what is marked `drill` DRILL_ROUNDS times."""
    rounds = int(os.environ.get("DRILL_ROUNDS", "1"))
    if rounds > 1 and metafunc.definition.get_closest_marker("drill"):
        metafunc.fixturenames.append("drill_round")
        metafunc.parametrize("drill_round", range(1, rounds + 1))


def pytest_configure(config: pytest.Config) -> None:
    for marker in (
        "browser: drives a real Chromium; run apart from the others",
        "drill: a race or a fault drill; once in `make test`, DRILL_ROUNDS times in `make drill`",
        "races: real threads or processes contend",
        "slow: takes more than a few seconds",
    ):
        config.addinivalue_line("markers", marker)
