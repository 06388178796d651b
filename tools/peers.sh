#!/bin/sh
# Installs the real peers that the tests talk to: DCMTK, dicom3tools, OpenSSL, Chromium, HAProxy and docker-compose (for
# its check of files; no Docker), from Debian's packages.
set -eu
missing=""
command -v storescu >/dev/null || missing="$missing dcmtk"
command -v dciodvfy >/dev/null || missing="$missing dicom3tools"
command -v chromium >/dev/null || missing="$missing chromium"
command -v unzip    >/dev/null || missing="$missing unzip"
[ -x /usr/sbin/haproxy ] || command -v haproxy >/dev/null || missing="$missing haproxy"
command -v docker-compose >/dev/null || missing="$missing docker-compose"
command -v openssl  >/dev/null || missing="$missing openssl"
[ -f /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf ] || missing="$missing fonts-dejavu-core"
[ -z "$missing" ] && exit 0
as_root=""
[ "$(id -u)" = 0 ] || as_root="sudo"
command -v apt-get >/dev/null || { echo "The tests need:$missing. Install them with your package manager." >&2; exit 1; }
echo "Installing the tests' peers:$missing ..."
$as_root apt-get update -qq
# shellcheck disable=SC2086
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
