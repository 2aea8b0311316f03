-- Refuses every UPDATE, DELETE and TRUNCATE of journal rows. Tests may TRUNCATE: it takes the setting ringfence.test and
-- membership in the role ringfence_test, which exists only on the tests' server.
CREATE OR REPLACE FUNCTION wallet_journal_is_immutable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' AND current_setting('ringfence.test', true) = 'on' AND EXISTS (
        SELECT FROM pg_catalog.pg_roles WHERE rolname = 'ringfence_test' AND pg_has_role(session_user, oid, 'MEMBER')
    ) THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'The journal only grows: % is refused. Post a correcting row instead.', TG_OP
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE OR REPLACE TRIGGER wallet_journal_is_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON wallet_transaction
    FOR EACH STATEMENT EXECUTE FUNCTION wallet_journal_is_immutable();
