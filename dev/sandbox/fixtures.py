"""`sandbox` for every test that asks: one process-wide server, forgotten between tests, named in the settings."""

from collections.abc import Iterator
from typing import Any

import pytest

from dev.sandbox.config import SandboxConfig
from dev.sandbox.testing import RunningSandbox, running_sandbox


@pytest.fixture(scope="session")
def sandbox_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    from django.conf import settings

    mail_dir = tmp_path_factory.mktemp("mail")
    with running_sandbox(SandboxConfig.from_settings(settings, mail_dir=mail_dir, webhook_enabled=False)) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(sandbox_process: RunningSandbox, settings: Any) -> RunningSandbox:
    """Webhooks are written down and not sent, unless `sandbox.settings(webhook_enabled=True, public_url=…)`."""
    sandbox_process.reset()
    settings.TEXTVERIFIED_BASE_URL = sandbox_process.textverified_url
    settings.STRIPE_API_BASE = sandbox_process.stripe_url
    return sandbox_process
