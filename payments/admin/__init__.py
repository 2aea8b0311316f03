"""The console's pages of this app."""

from payments.admin import events, payments

__all__ = ["events", "payments"]
