"""Bring services and prices up to the provider's, as beat does by the hour."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from verifications import services
from verifications.providers.base import ProviderError


class Command(BaseCommand):
    help = __doc__ or ""

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            done = services.sync_catalogue(now=timezone.now())
        except ProviderError as error:
            raise CommandError(f"The provider does not list its services: {type(error).__name__} {error}") from error
        self.stdout.write(
            f"{done.services} services ({done.added} new, {done.gone} gone), {done.priced} prices renewed, "
            f"balance {'unknown' if done.balance is None else done.balance}"
        )
        if done.stopped:
            self.stdout.write(f"Prices stopped early ({done.stopped}): the next run goes on.")
