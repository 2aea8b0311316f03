"""Copy what the boolean said of numbers that ended before: true is returned, false is lost.

Only these rows are locked, and nothing else writes to them but a late settlement. Going back copies nothing: the
trigger of 0007 has kept the boolean.
"""

from django.db import migrations

COPY = """
UPDATE verifications_verification
SET settlement = CASE WHEN cancelled_at_provider THEN 'returned' ELSE 'lost' END
WHERE cancelled_at_provider IS NOT NULL AND settlement = 'unsettled'
"""


class Migration(migrations.Migration):
    dependencies = [("verifications", "0007_verification_settlement")]

    operations = [migrations.RunSQL(COPY, migrations.RunSQL.noop)]
