# Sourced by ops/up and ops/test: finds or installs uv inside the repo, then syncs the locked environment.
# $sync_groups says which dependency groups; touches only the repo and uv's own caches. Leaves us in the repo's root.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root" || exit 1
mkdir -p .cache

find_uv() {
  if command -v uv >/dev/null 2>&1 && uv --version >/dev/null 2>&1; then
    command -v uv
  elif .cache/uv/bin/uv --version >/dev/null 2>&1; then
    echo "$root/.cache/uv/bin/uv"
  fi
}

# Debian splits ensurepip out of python3: without python3-venv no venv can be made, but pip alone is enough for a
# private copy. An interrupted install leaves a folder without a working uv; it is made anew.
install_uv() {
  echo "uv is not installed: putting a private copy into .cache/uv" >&2
  rm -rf .cache/uv
  if python3 -m venv .cache/uv >/dev/null 2>&1; then
    .cache/uv/bin/python -m pip install --quiet --disable-pip-version-check uv >&2 && return
  fi
  rm -rf .cache/uv
  python3 -m pip install --quiet --disable-pip-version-check --target .cache/uv uv >&2 && return
  echo "cannot install uv: python3 needs pip and a package index it can reach (Debian: apt-get install python3-pip)" >&2
  return 1
}

# 3.13 (.python-version) is what we develop on; the others serve a machine that cannot download an interpreter.
sync_environment() {
  local choice log=".cache/sync.$$.log"
  local -a groups
  read -r -a groups <<<"${sync_groups:-}"
  : >"$log"
  for choice in "" "$(command -v python3)" 3.12; do
    if "$uv_bin" sync --locked --quiet ${groups[@]+"${groups[@]}"} ${choice:+--python "$choice"} 2>>"$log"; then
      rm -f "$log"
      return
    fi
  done
  cat "$log" >&2
  rm -f "$log"
  return 1
}

uv_bin=$(find_uv)
if [ -z "$uv_bin" ]; then
  install_uv || exit 1
  uv_bin="$root/.cache/uv/bin/uv"
fi
export UV="$uv_bin" # tests that need an environment of their own make it with the same uv
export UV_PROJECT_ENVIRONMENT="$root/.venv"
unset VIRTUAL_ENV
# An interpreter that uv has to download stays in the repo, unless uv keeps some for its user already.
[ -d "$("$uv_bin" python dir 2>/dev/null)" ] || export UV_PYTHON_INSTALL_DIR="$root/.cache/python"
sync_environment || exit 1
