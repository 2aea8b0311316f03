"""Signals of this app, sent inside the transaction."""

from django.dispatch import Signal

activities_recorded = Signal()  # activities: all new rows of a unit of work, in the order in which they happened
alert_raised = Signal()  # alert
