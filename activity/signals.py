"""News of this app, sent inside the transaction of the event."""

from django.dispatch import Signal

activity_recorded = Signal()  # activity (the new row)
activities_recorded = Signal()  # activities (new rows of one event, each of another customer)
alert_raised = Signal()  # alert
