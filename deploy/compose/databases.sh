#!/bin/bash
# PostgreSQL's image runs this once, on an empty volume: a user and a database for Airflow, and for MLflow.
set -euo pipefail

for name in airflow mlflow; do
  psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
    --set name="$name" --set password="$(cat "/secrets/postgres/password_$name")" <<'SQL'
CREATE ROLE :"name" LOGIN PASSWORD :'password';
CREATE DATABASE :"name" OWNER :"name";
SQL
done
