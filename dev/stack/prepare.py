"""`python -m dev.stack.prepare`: migrate and seed in one process, since setting Django up costs more than either."""

import os

import django
from django.core.management import call_command

from config.lib.postgres import limits


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    os.environ.setdefault("LOG_LEVEL", "WARNING")  # the demo's history would fill the log
    django.setup()
    limits.use("command")
    call_command("migrate", interactive=False)
    call_command("seed_demo")


if __name__ == "__main__":
    main()
