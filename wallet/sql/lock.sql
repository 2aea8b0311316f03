-- Locks and returns a wallet: the one with the id p_wallet if it is given, else the user's, created if there is none yet.
CREATE OR REPLACE FUNCTION wallet_lock(p_user bigint, p_wallet bigint) RETURNS wallet_wallet LANGUAGE plpgsql AS $$
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
