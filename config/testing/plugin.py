"""Loaded by `-p` in pytest.ini, so before Django's settings are: the services must be named by then."""

from collections.abc import Generator

import pytest

from config.testing.services import test_services

pytest_plugins = ["config.testing.fixtures"]

_running = pytest.StashKey[Generator[None]]()


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, object, object]:
    """A wrapper runs before pytest-django's own hook of this name, which loads the settings."""
    services = test_services()
    services.__enter__()
    early_config.add_cleanup(lambda: services.__exit__(None, None, None))
    return (yield)


def pytest_configure(config: pytest.Config) -> None:
    for marker in (
        "browser: drives a real Chromium; run apart from the others",
        "drill: a race or a fault drill; once in `make test`, DRILL_ROUNDS times in `make drill`",
        "races: real threads or processes contend",
        "slow: takes more than a few seconds",
    ):
        config.addinivalue_line("markers", marker)
