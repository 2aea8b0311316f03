from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("payments", "0004_staff_permissions"),
    ]

    operations = [
        migrations.AlterField(
            model_name="gatewayevent",
            name="payload",
            field=models.JSONField(null=True),
        ),
        migrations.AddIndex(
            model_name="gatewayevent",
            index=models.Index(
                condition=models.Q(("payload__isnull", False), ("processed_at__isnull", False)),
                fields=["received_at"],
                name="payments_event_to_purge",
            ),
        ),
    ]
