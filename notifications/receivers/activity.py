"""Events become rows in the inbox and frames, alerts become frames for the console."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.dispatch import receiver
from msgspec import structs

from activity import selectors, signals
from activity.models import Activity, Alert
from notifications.inbox import services
from notifications.realtime import frames, hints


@receiver(signals.activities_recorded, dispatch_uid="notifications.activities_recorded")
def notify_customers(activities: Sequence[Activity], **_kwargs: Any) -> None:
    services.notify(activities=activities)

    def build() -> Iterator[tuple[int, frames.Activity]]:
        rendered: dict[Any, frames.Activity] = {}
        for activity in activities:
            if activity.content not in rendered:
                rendered[activity.content] = frames.activity(selectors.render(activity))
            yield activity.user_id, structs.replace(rendered[activity.content], id=activity.pk)

    hints.push_many(build=build)


@receiver(signals.alert_raised, dispatch_uid="notifications.alert_raised")
def push_alert(alert: Alert, **_kwargs: Any) -> None:
    frame = frames.alert(alert)
    hints.push_staff(build=lambda: frame)
