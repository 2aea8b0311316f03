"""The trigger that protects the journal, and the two functions that move money in one round trip."""

from django.db import migrations

from wallet import sql


class Migration(migrations.Migration):
    dependencies = [("wallet", "0001_initial")]

    operations = [
        migrations.RunSQL(
            sql.read("journal_is_immutable"),
            """
            DROP TRIGGER wallet_journal_is_immutable ON wallet_transaction;
            DROP FUNCTION wallet_journal_is_immutable();
            """,
        ),
        migrations.RunSQL(sql.read("lock"), "DROP FUNCTION wallet_lock(bigint, bigint);"),
        migrations.RunSQL(sql.read("post"), "DROP FUNCTION wallet_post;"),
        migrations.RunSQL(sql.read("reserve"), "DROP FUNCTION wallet_reserve;"),
    ]
