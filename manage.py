#!/usr/bin/env python
"""Django's command line for Ringfence."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    from config.lib.postgres import limits

    try:
        if sys.argv[1:2] != ["runserver"]:
            limits.use("command")  # what an operator started may take its time
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        if settings.configured:
            raise
        sys.exit(str(error))  # the settings refused a variable: the sentence says all


if __name__ == "__main__":
    main()
