-- Creates a hold in one round trip. The order of steps and the returned rows are those of wallet_post.
CREATE OR REPLACE FUNCTION wallet_reserve(
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
