"""The errors of every remote party: number providers, payment gateways, and whatever else is asked over the network.

An adapter translates its vendor's errors into these; what only one kind of vendor knows (no stock, a price that moved)
is a subclass beside the adapters' protocol. The text of an error is for logs and staff, never for customers.

    RemoteError
    ├── Unavailable       not done: it could not be asked, or would not listen
    ├── Throttled         not done: too many requests
    ├── OutcomeUnknown    perhaps done: it was asked, and gave no readable answer
    ├── Rejected          not done: it refuses this request
    │   └── NotFound      it does not know what the request is about
    ├── BadSignature      a webhook that it did not sign
    └── BadPayload        a webhook that it signed, but that can't be read
"""

from __future__ import annotations


class RemoteError(Exception):
    """Something that a remote party answered, or did not answer."""


class Unavailable(RemoteError):
    """It could not be asked at all, or would not listen. Nothing was done."""


class Throttled(RemoteError):
    """It has had too many requests, and nothing was done. `retry_after` in seconds."""

    def __init__(self, message: str = "", *, retry_after: float = 5.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class OutcomeUnknown(RemoteError):
    """It was asked and gave no readable answer: the request may be done.

    `remote_id` is its id of what it may have done, where it named that before.
    """

    def __init__(self, message: str = "", *, remote_id: str = "") -> None:
        super().__init__(message)
        self.remote_id = remote_id


class Rejected(RemoteError):
    """It refuses this request as it is. Nothing was done."""


class NotFound(Rejected):
    """It does not know what the request is about."""


class BadSignature(RemoteError):
    """The webhook has no valid signature, or one that is too old or ahead of our clock."""


class BadPayload(RemoteError):
    """The webhook was signed, but could not be read."""
