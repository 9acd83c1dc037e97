# Sourced by ops/test: PostgreSQL to test against is that of DATABASE_URL, else the tests start one from this machine's
# binaries. Where those are missing, Debian's are installed if we may; if not, the tests that need them fail.
ensure_postgres() {
  [ -n "${DATABASE_URL:-}" ] && return
  compgen -G "/usr/lib/postgresql/*/bin/initdb" >/dev/null && return
  command -v initdb >/dev/null 2>&1 && return
  if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "PostgreSQL is missing and cannot be installed from here: its tests will fail (or set DATABASE_URL)" >&2
    return
  fi
  echo "PostgreSQL is missing: installing Debian's, without a cluster of its own" >&2
  local conf=/etc/postgresql-common/createcluster.conf
  mkdir -p "$(dirname "$conf")"
  [ -e "$conf" ] || echo "create_main_cluster = false" >"$conf"
  apt-get update --quiet >&2 || true
  DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --no-install-recommends \
    --option Dpkg::Options::=--force-confold postgresql >&2 || echo "that failed: PostgreSQL's tests will fail" >&2
}
