# Sourced by ops/up and ops/test: finds or installs uv inside the repo, then syncs the locked environment.
# $sync_groups says which dependency groups; touches only the repo and uv's own caches.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root" || exit 1

find_uv() {
  if command -v uv >/dev/null 2>&1 && uv --version >/dev/null 2>&1; then
    command -v uv
  elif [ -x .cache/uv/bin/uv ]; then
    echo "$root/.cache/uv/bin/uv"
  fi
}

uv_bin=$(find_uv)
if [ -z "$uv_bin" ]; then
  echo "uv is not installed: putting a private copy into .cache/uv" >&2
  if ! python3 -m venv .cache/uv 2>.cache-venv.log; then
    # Debian splits ensurepip into python3-venv; pip alone is enough for a private copy.
    rm -rf .cache/uv
    python3 -m pip install --quiet --target .cache/uv uv >&2 || {
      echo "cannot install uv: python3 needs the venv module or pip (Debian: apt-get install python3-venv)" >&2
      exit 1
    }
    uv_bin="$root/.cache/uv/bin/uv"
  else
    .cache/uv/bin/python -m pip install --quiet --disable-pip-version-check uv >&2 || exit 1
    uv_bin="$root/.cache/uv/bin/uv"
  fi
  rm -f .cache-venv.log
fi

# 3.13 is what we develop on; 3.12 serves a machine that has only that and cannot download an interpreter.
read -r -a sync_args <<<"sync --locked --quiet ${sync_groups:-}"
if ! "$uv_bin" "${sync_args[@]}" 2>.venv-sync.log; then
  "$uv_bin" "${sync_args[@]}" --python 3.12 2>>.venv-sync.log || { cat .venv-sync.log >&2; rm -f .venv-sync.log; exit 1; }
fi
rm -f .venv-sync.log
