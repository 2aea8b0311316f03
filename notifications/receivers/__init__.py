"""What this app does on the signals of the apps to its left, one file an app: inbox rows, and hints for the sockets."""

from notifications.receivers import accounts, activity, payments, verifications, wallet  # noqa: F401  connects them
