"""`manage.py create_api_key EMAIL --name NAME`: prints a new key, once."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts import services
from accounts.models import ApiKey, User
from config.lib.errors.base import DomainError


class Command(BaseCommand):
    help = "Makes an API key for a customer and prints it. It is shown this once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--name", required=True)
        parser.add_argument("--scope", action="append", choices=ApiKey.SCOPES, help="repeat for several; default all")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(email__iexact=options["email"], is_active=True).first()
        if user is None:
            raise CommandError(f"There is no active customer with the address {options['email']}.")
        try:
            _key, secret = services.create_api_key(
                user=user, name=options["name"][:80], scopes=options["scope"] or ApiKey.SCOPES
            )
        except DomainError as error:
            raise CommandError(str(error.detail)) from error
        self.stdout.write(secret)
