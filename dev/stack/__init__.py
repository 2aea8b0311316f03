"""The embedded stack: one command that starts everything and stops it together (`python -m dev.stack run`).

It runs before Django is set up, so nothing here but `settings` and `prepare`, children of their own, imports Django.
The tests use its database and Redis too.
"""


class StackError(Exception):
    """A problem that the user at the terminal can fix; the message says how."""
