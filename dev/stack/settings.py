"""`python -m dev.stack.settings`: read the settings, and print in one sentence why they can't be read.

It runs before the other processes, each of which would print a traceback at each of its restarts.
"""

import os
import sys

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        settings.DEBUG  # noqa: B018  the first access reads them all
    except ImproperlyConfigured as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
