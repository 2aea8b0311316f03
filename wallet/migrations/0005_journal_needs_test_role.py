"""TRUNCATE of the journal needs the role `ringfence_test` besides the setting; only the tests' server has that role."""

from django.db import migrations

from wallet import sql


class Migration(migrations.Migration):
    dependencies = [("wallet", "0004_staff_permissions")]

    operations = [migrations.RunSQL(sql.read("journal_is_immutable"), migrations.RunSQL.noop)]
