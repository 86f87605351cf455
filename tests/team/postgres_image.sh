#!/bin/bash
# What the entrypoint of PostgreSQL's image does, as its documentation says: a cluster on an empty volume, then the scripts
# of /docker-entrypoint-initdb.d with the server on a socket alone, then the server.
set -euo pipefail

as_postgres=(setpriv --reuid=postgres --regid=postgres --clear-groups)
install -d -o postgres -g postgres -m 700 "$PGDATA"
install -d -o postgres -g postgres -m 2775 /var/run/postgresql

if [ ! -s "$PGDATA/PG_VERSION" ]; then
  "${as_postgres[@]}" initdb --username="$POSTGRES_USER" --pwfile="$POSTGRES_PASSWORD_FILE" $POSTGRES_INITDB_ARGS
  echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
  "${as_postgres[@]}" pg_ctl start --wait --options="-c listen_addresses='' -c unix_socket_directories=/var/run/postgresql"
  export PGHOST=/var/run/postgresql PGPASSWORD
  PGPASSWORD="$(cat "$POSTGRES_PASSWORD_FILE")"
  createdb --username="$POSTGRES_USER" "$POSTGRES_DB"
  for each in /docker-entrypoint-initdb.d/*.sh; do
    "${as_postgres[@]}" env PGPASSWORD="$PGPASSWORD" "$each"
  done
  "${as_postgres[@]}" pg_ctl stop --wait --mode=fast
fi
exec "${as_postgres[@]}" postgres -c listen_addresses='*' -c unix_socket_directories=/var/run/postgresql
