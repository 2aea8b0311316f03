"""The journal's guards, and the two functions that move money in one round trip.

Both lock the wallet, then look the reference up, so that of two callers with one reference the second finds the first's
row. Expected outcomes (a replay, too little money, a hold that is resolved) never raise: the caller's transaction lives.
"""

from django.db import migrations

JOURNAL_GUARDS = """
CREATE FUNCTION wallet_journal_is_immutable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' AND current_setting('ringfence.test', true) = 'on' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'The journal only grows: % is refused. Post a correcting row instead.', TG_OP
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER wallet_journal_is_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON wallet_transaction
    FOR EACH STATEMENT EXECUTE FUNCTION wallet_journal_is_immutable();
"""

DROP_JOURNAL_GUARDS = """
DROP TRIGGER wallet_journal_is_immutable ON wallet_transaction;
DROP FUNCTION wallet_journal_is_immutable();
"""

LOCK = """
CREATE FUNCTION wallet_lock(p_user bigint, p_wallet bigint) RETURNS wallet_wallet LANGUAGE plpgsql AS $$
DECLARE
    locked wallet_wallet;
BEGIN
    IF p_wallet IS NOT NULL THEN
        SELECT w.* INTO STRICT locked FROM wallet_wallet w WHERE w.id = p_wallet FOR NO KEY UPDATE;
        RETURN locked;
    END IF;
    SELECT w.* INTO locked FROM wallet_wallet w WHERE w.user_id = p_user FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        INSERT INTO wallet_wallet (user_id, balance, held, version, created_at)
            VALUES (p_user, 0, 0, 0, clock_timestamp()) ON CONFLICT (user_id) DO NOTHING;
        SELECT w.* INTO STRICT locked FROM wallet_wallet w WHERE w.user_id = p_user FOR NO KEY UPDATE;
    END IF;
    RETURN locked;
END $$;
"""

# A row with is_new: posted. A row without: the reference (or the reversal) is there already, the service compares.
# No row: too little is available, or the hold to be captured (p_unhold, its id) is not active.
# The journal row goes in before anything else moves, so that a conflict with another wallet's row leaves no trace.
POST = """
CREATE FUNCTION wallet_post(
    p_user bigint, p_wallet bigint, p_amount bigint, p_type text, p_counterparty text, p_reference text,
    p_description text, p_service text, p_resource_type text, p_resource_id text,
    p_reverses bigint, p_unhold bigint, p_now timestamptz
) RETURNS TABLE (posted wallet_transaction, is_new boolean, wallet wallet_wallet) LANGUAGE plpgsql AS $$
DECLARE
    unheld bigint := 0;
BEGIN
    wallet := wallet_lock(p_user, p_wallet);
    is_new := false;
    SELECT t.* INTO posted FROM wallet_transaction t WHERE t.reference = p_reference;
    IF NOT FOUND AND p_reverses IS NOT NULL THEN
        SELECT t.* INTO posted FROM wallet_transaction t WHERE t.reverses_id = p_reverses;
    END IF;
    IF FOUND THEN
        RETURN NEXT;
        RETURN;
    END IF;

    IF p_unhold IS NOT NULL THEN
        SELECT h.amount INTO unheld FROM wallet_hold h
            WHERE h.id = p_unhold AND h.wallet_id = wallet.id AND h.status = 'active' FOR NO KEY UPDATE;
        IF NOT FOUND THEN
            RETURN;
        END IF;
    END IF;
    IF p_amount < 0 AND wallet.balance - wallet.held + unheld + p_amount < 0 THEN
        RETURN;
    END IF;

    INSERT INTO wallet_transaction (
        wallet_id, sequence, amount, type, counterparty, balance_after, reference, reverses_id,
        description, service, resource_type, resource_id, status, created_at
    ) VALUES (
        wallet.id, wallet.version + 1, p_amount, p_type, p_counterparty, wallet.balance + p_amount, p_reference,
        p_reverses, p_description, p_service, p_resource_type, p_resource_id, 'completed',
        coalesce(p_now, clock_timestamp())
    ) ON CONFLICT (reference) DO NOTHING RETURNING * INTO posted;
    IF NOT FOUND THEN
        SELECT t.* INTO STRICT posted FROM wallet_transaction t WHERE t.reference = p_reference;
        RETURN NEXT;
        RETURN;
    END IF;
    UPDATE wallet_wallet w SET balance = w.balance + p_amount, held = w.held - unheld, version = w.version + 1
        WHERE w.id = wallet.id RETURNING w.* INTO wallet;
    IF p_unhold IS NOT NULL THEN
        UPDATE wallet_hold h SET status = 'captured', resolved_at = posted.created_at WHERE h.id = p_unhold;
    END IF;
    is_new := true;
    RETURN NEXT;
END $$;
"""

RESERVE = """
CREATE FUNCTION wallet_reserve(
    p_user bigint, p_amount bigint, p_reference text, p_description text, p_service text,
    p_resource_type text, p_resource_id text, p_now timestamptz
) RETURNS TABLE (reserved wallet_hold, is_new boolean, wallet wallet_wallet) LANGUAGE plpgsql AS $$
BEGIN
    wallet := wallet_lock(p_user, NULL);
    is_new := false;
    SELECT h.* INTO reserved FROM wallet_hold h WHERE h.reference = p_reference;
    IF FOUND THEN
        RETURN NEXT;
        RETURN;
    END IF;
    IF wallet.balance - wallet.held < p_amount THEN
        RETURN;
    END IF;

    INSERT INTO wallet_hold (
        wallet_id, amount, status, reference, description, service, resource_type, resource_id, created_at
    ) VALUES (
        wallet.id, p_amount, 'active', p_reference, p_description, p_service, p_resource_type, p_resource_id,
        coalesce(p_now, clock_timestamp())
    ) ON CONFLICT (reference) DO NOTHING RETURNING * INTO reserved;
    IF NOT FOUND THEN
        SELECT h.* INTO STRICT reserved FROM wallet_hold h WHERE h.reference = p_reference;
        RETURN NEXT;
        RETURN;
    END IF;
    UPDATE wallet_wallet w SET held = w.held + p_amount
        WHERE w.id = wallet.id AND w.balance - w.held >= p_amount RETURNING w.* INTO STRICT wallet;
    is_new := true;
    RETURN NEXT;
END $$;
"""

DROP_LOCK = "DROP FUNCTION wallet_lock(bigint, bigint);"
DROP_POST = "DROP FUNCTION wallet_post;"
DROP_RESERVE = "DROP FUNCTION wallet_reserve;"


class Migration(migrations.Migration):
    dependencies = [("wallet", "0001_initial")]

    operations = [
        migrations.RunSQL(JOURNAL_GUARDS, DROP_JOURNAL_GUARDS),
        migrations.RunSQL(LOCK, DROP_LOCK),
        migrations.RunSQL(POST, DROP_POST),
        migrations.RunSQL(RESERVE, DROP_RESERVE),
    ]
