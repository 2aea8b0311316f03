"""News of this app, sent inside the transaction of the event."""

from django.dispatch import Signal

activity_recorded = Signal()  # activity (the new row)
alert_raised = Signal()  # alert
