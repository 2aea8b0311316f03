-- Posts a journal row in one round trip. It locks the wallet first and looks the reference up second, so that of two
-- callers with the same reference the second finds the row of the first. Expected outcomes never raise, so that the
-- caller's transaction can go on:
--   a row with is_new: posted;
--   a row without: the reference or the reversal exists already, and the service compares its content;
--   no row: too little is available, or the hold that is captured (its id is p_unhold) is not active.
-- The journal row is inserted before anything else changes, so that a conflict with another wallet's row leaves no trace.
CREATE OR REPLACE FUNCTION wallet_post(
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
