#!/usr/bin/env bash
# Runs a command with a PostgreSQL of its own: a new one in a temporary folder, on a free port of the loopback, gone
# afterwards. Its URL is in HOOKWRIGHT_TEST_POSTGRES. Tests that stop and start a server of their own find the binaries in
# HOOKWRIGHT_TEST_POSTGRES_BIN and a folder for their clusters in HOOKWRIGHT_TEST_CLUSTERS.
#
#   scripts/with-postgres.sh cargo test …
#
# POSTGRES_FSYNC=on makes it keep its promises on disk, for measuring; tests need none of that.
set -euo pipefail

say() { printf 'with-postgres: %s\n' "$*" >&2; }

find_binaries() {
  local folder
  for folder in $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V -r); do
    [[ -x $folder/postgres && -x $folder/initdb ]] && printf '%s\n' "$folder" && return
  done
  folder=$(dirname "$(command -v postgres || printf /)")
  [[ -x $folder/initdb ]] && printf '%s\n' "$folder"
}

as_root() { if [[ $(id -u) == 0 ]]; then "$@"; else sudo "$@"; fi; }

binaries=$(find_binaries) || true
if [[ -z $binaries ]]; then
  command -v apt-get >/dev/null || { say "please install PostgreSQL (initdb and postgres) first"; exit 1; }
  say "apt-get install postgresql"
  as_root apt-get update -qq >&2
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql >&2
  binaries=$(find_binaries) || { say "PostgreSQL was installed and is not found"; exit 1; }
fi

# PostgreSQL refuses to run as root.
as_owner=()
folder=$(mktemp -d)
if [[ $(id -u) == 0 ]]; then
  as_owner=(runuser -u postgres --)
  chown postgres "$folder"
fi

# A test that was killed may have left a cluster behind.
stop() {
  local data
  for data in "$folder/data" "$folder"/clusters/*; do
    [[ -e $data/postmaster.pid ]] || continue
    "${as_owner[@]}" "$binaries/pg_ctl" -D "$data" -m immediate -w stop >/dev/null 2>&1 || true
  done
  rm -rf "$folder"
}
trap stop EXIT

cd "$folder"
"${as_owner[@]}" mkdir clusters
"${as_owner[@]}" "$binaries/initdb" -D "$folder/data" -U hookwright -A trust -E UTF8 --no-locale --no-sync >/dev/null
# Somebody else may have the port already, so a few are tried. The system gives out those above by itself.
for _ in 1 2 3 4 5; do
  port=$((20000 + RANDOM % 12000))
  options="-p $port -k $folder -c listen_addresses=127.0.0.1 -c fsync=${POSTGRES_FSYNC:-off} -c max_connections=300"
  options+=" -c shared_buffers=256MB -c max_wal_size=4GB ${POSTGRES_OPTIONS:-}"
  if "${as_owner[@]}" "$binaries/pg_ctl" -D "$folder/data" -l "$folder/log" -w -o "$options" start >/dev/null; then
    started=yes
    break
  fi
done
if [[ ${started:-} != yes ]]; then
  say "PostgreSQL does not start:"
  cat "$folder/log" >&2
  exit 1
fi
cd "$OLDPWD"

export HOOKWRIGHT_TEST_POSTGRES="postgres://hookwright@127.0.0.1:$port/postgres"
export HOOKWRIGHT_TEST_POSTGRES_DATA="$folder/data"
export HOOKWRIGHT_TEST_POSTGRES_BIN="$binaries"
export HOOKWRIGHT_TEST_CLUSTERS="$folder/clusters"
"$@"
