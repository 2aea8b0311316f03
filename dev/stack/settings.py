"""`python -m dev.stack.settings`: reads the settings and says in one sentence what keeps them from being read.

Before the others start, each of which would say it in a traceback, and again at each new try.
"""

import os
import sys

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        settings.DEBUG  # noqa: B018  the first look at one reads them all
    except ImproperlyConfigured as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
