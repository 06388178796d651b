#!/bin/sh
# Installs the real peers that the tests talk to: DCMTK, dicom3tools, OpenSSL, Chromium, HAProxy and docker-compose (for
# its check of files; no Docker), from Debian's packages. And Orthanc with its DICOMweb plugin, where the system has it:
# its service is not started, and its tests are skipped where it is not to be had.
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
orthanc=""
[ -x /usr/sbin/Orthanc ] && [ -e /usr/share/orthanc/plugins/libOrthancDicomWeb.so ] || orthanc="orthanc orthanc-dicomweb"
[ -z "$missing$orthanc" ] && exit 0
as_root=""
[ "$(id -u)" = 0 ] || as_root="sudo"
if ! command -v apt-get >/dev/null; then
  [ -z "$missing" ] && exit 0
  echo "The tests need:$missing. Install them with your package manager." >&2
  exit 1
fi
install() {
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}
without_service() { # a policy of "start nothing" for as long as the packages are unpacked
  policy=/usr/sbin/policy-rc.d
  if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' | $as_root tee $policy >/dev/null
    $as_root chmod +x $policy
    trap '$as_root rm -f $policy' EXIT
  fi
  install "$@" && { $as_root systemctl disable --quiet orthanc 2>/dev/null || true; }
}
echo "Installing the tests' peers:$missing $orthanc ..."
$as_root apt-get update -qq
# shellcheck disable=SC2086
[ -z "$missing" ] || install $missing
# shellcheck disable=SC2086
[ -z "$orthanc" ] || without_service $orthanc || echo "Orthanc is not to be had here; its tests are skipped."
