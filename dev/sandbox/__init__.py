"""A stand-in for the outside world: TextVerified, Stripe, the hosted checkout and a mail page, on one port.

It is a separate process reached over real sockets. It imports no app, keeps its state in memory, and is for
development and tests alone. `manage.py sandbox` runs it; `dev.sandbox.testing` runs it in a thread for tests.
"""

from dev.sandbox.config import SandboxConfig

__all__ = ["SandboxConfig"]
