"""The machine's own Chromium, driven by Playwright.

    def test_sign_in(live, page): page.goto(live.url)

    @pytest.mark.viewport(360, 740)
    def test_on_a_phone(live, page): ...

A test fails when a page logs an error or throws, unless the test expected it: `console.expect("regular expression")`.
`new_page()` gives a page of another person (cookies of its own); `page.context.new_page()` a second tab of the same.
"""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, WebError

    from dev.testing.live import LiveStack

PATIENCE = 30_000  # ms, for what ought to happen at once: a busy machine is no failure
_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")

# No sandbox of its own (it runs as root in CI), and none of the calls home that a test machine would refuse.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def chromium() -> str | None:
    """Return the path of the browser: CHROMIUM if set, else the first that the machine has."""
    return os.environ.get("CHROMIUM") or next((path for name in _NAMES if (path := shutil.which(name))), None)


class Console:
    """The errors that the pages of one test logged."""

    def __init__(self) -> None:
        self.errors: list[str] = []
        self._expected: list[re.Pattern[str]] = []

    def expect(self, pattern: str) -> None:
        """Expect errors that match the regular expression in this test."""
        self._expected.append(re.compile(pattern))

    @property
    def unexpected(self) -> list[str]:
        return [error for error in self.errors if not any(pattern.search(error) for pattern in self._expected)]

    def listen(self, context: "BrowserContext") -> None:
        context.on("console", self._on_message)
        context.on("weberror", self._on_throw)

    def _on_message(self, message: "ConsoleMessage") -> None:
        if message.type == "error":
            self.errors.append(f"{message.text} ({message.location.get('url', '')})")

    def _on_throw(self, error: "WebError") -> None:
        self.errors.append(f"uncaught {error.error}")


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Browser]":
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE)
    path = chromium()
    if path is None:
        pytest.fail("There is no Chromium for the browser tests (as root: apt-get install chromium; or set CHROMIUM).")
    # Playwright's loop runs in this thread, which Django takes for asynchronous code.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS), headless=True)
        try:
            yield browser
        finally:
            browser.close()
            del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def console() -> Iterator[Console]:
    console = Console()
    yield console
    assert console.unexpected == [], "the pages logged errors"


@pytest.fixture
def new_page(
    request: pytest.FixtureRequest, live: "LiveStack", browser: "Browser", console: Console
) -> "Iterator[Callable[..., Page]]":
    """Open a page with cookies of its own. Takes Playwright's `new_context` options; `viewport` is (width, height)."""
    marker = request.node.get_closest_marker("viewport")
    size = marker.args if marker else (1280, 900)
    contexts: list[BrowserContext] = []

    def open_page(*, viewport: tuple[int, int] = size, **options: Any) -> "Page":
        context = browser.new_context(
            base_url=live.url, viewport={"width": viewport[0], "height": viewport[1]}, **{"locale": "en-US", **options}
        )
        context.set_default_timeout(PATIENCE)
        console.listen(context)
        contexts.append(context)
        return context.new_page()

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture
def page(new_page: "Callable[..., Page]") -> "Page":
    return new_page()
