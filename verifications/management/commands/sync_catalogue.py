"""Bring services and prices up to the provider's, as beat does by the hour."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from config.lib.remote.errors import RemoteError
from verifications import services


class Command(BaseCommand):
    help = __doc__ or ""

    def add_arguments(self, parser: ArgumentParser) -> None:
        words = "take the list over though it lacks more than a fifth of what is for sale"
        parser.add_argument("--force", action="store_true", help=words)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            done = services.sync_catalogue(now=timezone.now(), force=options["force"])
        except RemoteError as error:
            raise CommandError(f"The provider does not list its services: {type(error).__name__} {error}") from error
        self.stdout.write(
            f"{done.services} services ({done.added} new, {done.gone} gone), {done.priced} prices renewed, "
            f"balance {'unknown' if done.balance is None else done.balance}"
        )
        if done.stopped:
            self.stdout.write(f"Prices stopped early ({done.stopped}): the next run goes on.")
        if done.unreadable:
            self.stdout.write(f"{done.unreadable} rows of the list can't be read and were left out.")
        if done.refused:
            raise CommandError(
                f"The list lacks {done.refused} of the {done.for_sale} services that are for sale, so it was not taken "
                "over. Compare it with what the provider sells, then run this again with --force if it is right."
            )
