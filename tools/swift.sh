#!/bin/sh
# Installs OpenStack Swift, a real S3 server that the tests start and stop, beside the environment of the tests.
set -eu
python=$1 place=$2
here=$(dirname "$0")
stamp="$place/.installed"
[ -f "$stamp" ] && [ "$stamp" -nt "$here/swift.txt" ] && exit 0
echo "Installing OpenStack Swift into $place (once) ..."
"$python" -m venv "$place"
"$place/bin/pip" --disable-pip-version-check install -q --only-binary :all: -r "$here/swift.txt"
touch "$stamp"
