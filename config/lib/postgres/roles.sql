-- Two roles and the database: one that owns it and migrates, and a lesser one that the product runs as.
-- Run once, as a superuser, with psql 15 or newer and both passwords in the environment:
--     RINGFENCE_OWNER_PASSWORD=... RINGFENCE_APP_PASSWORD=... psql -v ON_ERROR_STOP=1 -f roles.sql postgres
-- docs/deployment.md says what each may, and how an existing database gets there.

\getenv owner_password RINGFENCE_OWNER_PASSWORD
\getenv app_password RINGFENCE_APP_PASSWORD
-- Fails here, before anything is made, where one is missing.
SELECT length(:'owner_password') > 0 AND length(:'app_password') > 0 AS both_passwords_are_here;

CREATE ROLE ringfence_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE ringfence_app LOGIN PASSWORD :'app_password';
CREATE DATABASE ringfence OWNER ringfence_owner TEMPLATE template0 ENCODING 'UTF8';
REVOKE ALL ON DATABASE ringfence FROM PUBLIC;
GRANT CONNECT ON DATABASE ringfence TO ringfence_app;

\connect ringfence
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO ringfence_app;
-- What a later migration makes is granted as it is made. No TRUNCATE, no trigger, no definition of anything.
ALTER DEFAULT PRIVILEGES FOR ROLE ringfence_owner IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO ringfence_app;
ALTER DEFAULT PRIVILEGES FOR ROLE ringfence_owner IN SCHEMA public
    GRANT USAGE, SELECT ON SEQUENCES TO ringfence_app;
