"""Take off sale what the shipped table does not name and nobody has looked at, and the vendor's catch-all services.

Until now a service that no row of the table names went to "Other" and was sold. One that staff have touched (another
title, a fixed price, another category) stays as it is.
"""

from typing import Any

from django.db import migrations
from django.db.models.functions import Lower

CATCH_ALLS = ("servicenotlisted", "allservices")


def humanised(name: str) -> str:
    words = name.replace("_", " ").replace("-", " ").split()
    return (" ".join(word if any(map(str.isupper, word)) else word.capitalize() for word in words) or name)[:80]


def take_off_sale(apps: Any, _schema_editor: Any) -> None:
    category_model = apps.get_model("verifications", "Category")
    service_model = apps.get_model("verifications", "Service")
    lowered = service_model.objects.annotate(lowered=Lower("name"))
    service_model.objects.filter(pk__in=lowered.filter(lowered__in=CATCH_ALLS).values("pk")).update(blocked=True)
    others = service_model.objects.filter(category__slug="other", fixed_price=None, blocked=False)
    untouched = [service.pk for service in others.iterator() if service.title == humanised(service.name)]
    if untouched:
        unclassified, _created = category_model.objects.get_or_create(
            slug="unclassified", defaults={"name": "Not classified yet", "blocked": True}
        )
        service_model.objects.filter(pk__in=untouched).update(category=unclassified)


class Migration(migrations.Migration):
    dependencies = [("verifications", "0004_verification_lock_failures")]

    operations = [migrations.RunPython(take_off_sale, migrations.RunPython.noop)]
