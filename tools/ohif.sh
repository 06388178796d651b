#!/bin/sh
# Fetches OHIF's prebuilt viewer, which a test opens a study with, from npm into the environment of the tests.
set -eu
venv=$1
version=3.13.2
sha256=b189d3963bfc58e9394a9db8c7be75d07beb029ec211dbb126d47b62969dd3f1
folder="$venv/ohif"
[ "$(cat "$folder/.installed" 2>/dev/null)" = "$version" ] && exit 0
echo "Fetching OHIF $version into $folder (once) ..."
venv=$(cd "$venv" && pwd)
rm -rf "$folder" && mkdir -p "$folder"
cd "$folder"
"$venv/bin/npm" pack --silent --ignore-scripts "@ohif/app@$version" >/dev/null
echo "$sha256  ohif-app-$version.tgz" | sha256sum --check --quiet
tar -xzf "ohif-app-$version.tgz" --strip-components=1 package/dist
rm "ohif-app-$version.tgz"
echo "$version" >.installed
