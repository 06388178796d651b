#!/bin/sh
# Installs the S3 servers that the tests start and stop, OpenStack Swift and moto, each in an environment of its own
# beside that of the tests. (rclone, the third, is a package of the tests.)
set -eu
python=$1 venv=$2
here=$(dirname "$0")
for server in swift moto; do
  stamp="$venv/$server/.installed"
  [ -f "$stamp" ] && [ "$stamp" -nt "$here/$server.txt" ] && continue
  echo "Installing $server into $venv/$server (once) ..."
  "$python" -m venv "$venv/$server"
  "$venv/$server/bin/pip" --disable-pip-version-check install -q --only-binary :all: -r "$here/$server.txt"
  touch "$stamp"
done
