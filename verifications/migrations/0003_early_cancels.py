from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("verifications", "0002_favourite"),
    ]

    operations = [
        migrations.AddField(
            model_name="verification",
            name="cancel_not_before",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="verification",
            name="early_cancels",
            field=models.PositiveSmallIntegerField(db_default=0, default=0),
        ),
    ]
