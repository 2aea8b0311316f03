"""Give the settlement of an ended number a state of its own, instead of a boolean of which empty meant a third thing.

The version before this one goes on running for a moment: it reads and writes `cancelled_at_provider`. So that column
stays in the table, out of the model, and a trigger keeps both columns equal whichever of them is written; it fires for
writes of these columns alone, which is once or twice a number. Column, trigger and function can be dropped by the
release after this one. Going back is safe for the same reason: the old column holds what the new one says.

The table is locked for as long as a column with a constant default takes, which rewrites nothing, and one scan for the
constraint. 0008 copies what ended before.
"""

from django.db import migrations, models

CREATE = """
CREATE FUNCTION verifications_sync_settlement() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.settlement IS DISTINCT FROM OLD.settlement THEN
        NEW.cancelled_at_provider :=
            CASE NEW.settlement WHEN 'returned' THEN true WHEN 'lost' THEN false END;
    ELSIF NEW.cancelled_at_provider IS DISTINCT FROM OLD.cancelled_at_provider THEN
        NEW.settlement :=
            CASE NEW.cancelled_at_provider WHEN true THEN 'returned' WHEN false THEN 'lost' ELSE 'unsettled' END;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER verifications_sync_settlement
    BEFORE UPDATE OF settlement, cancelled_at_provider ON verifications_verification
    FOR EACH ROW EXECUTE FUNCTION verifications_sync_settlement();
"""
DROP = """
DROP TRIGGER verifications_sync_settlement ON verifications_verification;
DROP FUNCTION verifications_sync_settlement();
"""


class Migration(migrations.Migration):
    dependencies = [("verifications", "0006_message_vendor_id_and_unclear")]

    operations = [
        migrations.AddField(
            model_name="verification",
            name="settlement",
            field=models.CharField(
                choices=[
                    ("unsettled", "Not settled"),
                    ("returned", "Returned by the provider"),
                    ("lost", "Kept by the provider"),
                ],
                db_default="unsettled",
                default="unsettled",
                help_text="What became of our cost at the provider, after an end without a code",
                max_length=10,
            ),
        ),
        migrations.AddConstraint(
            model_name="verification",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("settlement", "unsettled"),
                    models.Q(
                        ("settlement__in", ["returned", "lost"]),
                        ("status__in", ["timed_out", "cancelled", "failed"]),
                    ),
                    _connector="OR",
                ),
                name="verifications_settlement_after_end",
            ),
        ),
        migrations.RunSQL(CREATE, DROP),
        migrations.SeparateDatabaseAndState(
            state_operations=[migrations.RemoveField(model_name="verification", name="cancelled_at_provider")]
        ),
    ]
