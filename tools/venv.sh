#!/bin/sh
# Makes the isolated environment. Debian keeps the venv module's pip in a package of its own.
set -eu
python=$1 venv=$2
"$python" - <<'PY' || { echo "Lysbro needs Python 3.11 or newer; set PYTHON=/path/to/python3 for make." >&2; exit 1; }
import sys
sys.exit(sys.version_info < (3, 11))
PY
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv >/dev/null
  else
    echo "Python's venv module is missing. On Debian and Ubuntu: sudo apt-get install python3-venv" >&2
    exit 1
  fi
fi
exec "$python" -m venv "$venv"
