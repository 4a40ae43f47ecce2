#!/bin/sh
# citus-text, citus-int4, citus-int8, citus-uuid from a real PostgreSQL (apt-get install postgresql), in a cluster of its own that
# listens on a unix socket only. Run as root (it becomes the postgres user) or as a user who may run initdb.
# The encoding is SQL_ASCII so that text may hold any bytes but NUL. Citus hashes a distribution column with the type's own hash function; its shards are ranges of that int32.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
bin=$(pg_config --bindir)
folder=$(mktemp -d)
trap '[ -f "$folder/data/postmaster.pid" ] && as "$bin/pg_ctl -D $folder/data -m immediate stop >/dev/null"; rm -rf "$folder"' EXIT
if [ "$(id -u)" = 0 ]; then
  chown postgres "$folder"
  as() { su postgres -s /bin/sh -c "$1"; }
else
  as() { sh -c "$1"; }
fi
as "$bin/initdb -D $folder/data -A trust -E SQL_ASCII --locale=C -U postgres >/dev/null"
as "$bin/pg_ctl -D $folder/data -w -o \"-c listen_addresses='' -k $folder\" -l $folder/log start >/dev/null"
node "$here/postgres.mjs" keys > "$folder/keys.copy"
psql -h "$folder" -U postgres -qAt -v ON_ERROR_STOP=1 -f "$here/postgres.sql" \
  < "$folder/keys.copy" > "$folder/answers"
node "$here/postgres.mjs" write < "$folder/answers"
