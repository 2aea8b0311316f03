from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("verifications", "0003_early_cancels")]

    operations = [
        migrations.AddField(
            model_name="verification",
            name="lock_failures",
            field=models.PositiveSmallIntegerField(
                default=0,
                db_default=0,
                help_text="How often in a row background work found it, or its wallet, locked",
            ),
        ),
    ]
