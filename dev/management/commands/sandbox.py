import asyncio
import contextlib
import os
import signal
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from aiohttp import web
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from dev.sandbox.app import create_app
from dev.sandbox.config import SandboxConfig


class Command(BaseCommand):
    help = "Runs the stand-in for SMS provider, payment gateway and mailbox, for development and tests."
    requires_system_checks: list[str] = []  # it needs neither database nor apps

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=settings.SANDBOX_PORT)

    def handle(self, *args: Any, host: str, port: int, **options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError("The sandbox takes no real money and sends no real codes: it only runs with DEBUG on.")
        try:
            asyncio.run(self._serve(host, port))
        except OSError as error:
            raise CommandError(f"The sandbox can't listen on {host}:{port}: {error.strerror}.") from None

    async def _serve(self, host: str, port: int) -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for name in (signal.SIGINT, signal.SIGTERM):
            with contextlib.suppress(NotImplementedError):
                loop.add_signal_handler(name, stop.set)
        runner = web.AppRunner(create_app(sandbox_config()), access_log=None, shutdown_timeout=1)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
            self.stdout.write(f"The sandbox listens on http://{host}:{port} (mail at /mail)")
            self.stdout.flush()
            await stop.wait()
        finally:
            await runner.cleanup()


def sandbox_config() -> SandboxConfig:
    state_file = os.environ.get("SANDBOX_STATE")
    return SandboxConfig.from_settings(
        settings,
        mail_dir=Path(settings.MAIL_DIR),
        state_file=Path(state_file) if state_file else None,
        base_url=getattr(settings, "SANDBOX_URL", ""),
    )
