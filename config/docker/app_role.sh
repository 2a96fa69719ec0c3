#!/bin/sh
# The role that the application signs in as: it owns nothing, so triggers and row security hold against it.
set -eu
psql -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d "$POSTGRES_DB" -v password="$VIGIL_APP_PASSWORD" <<SQL
CREATE ROLE vigil_app LOGIN PASSWORD :'password';
SQL
