#!/bin/sh
# Makes the secrets that docker-compose.yml names, each once: what is there already stays as it is.
# For a trial it also makes a certificate for LYSBRO_HOST; put your own into secrets/web.pem (certificate, its
# intermediates, key). The folder is for its owner alone; the files are readable in the containers, whose user is another.
set -eu
cd "$(dirname "$0")/.."
folder=${1:-secrets}
host=${LYSBRO_HOST:-localhost}
mkdir -p "$folder"
chmod 700 "$folder"
keep() { # name: what standard input has, unless there is such a file
    if [ ! -s "$folder/$1" ]; then
        cat >"$folder/.$1.new"
        chmod 444 "$folder/.$1.new"
        mv "$folder/.$1.new" "$folder/$1"
    fi
}
for name in database-password s3-secret-key node-secret; do
    openssl rand -hex 32 | keep "$name"
done
printf 'lysbro%s\n' "$(openssl rand -hex 6)" | keep s3-access-key
if [ ! -s "$folder/web.pem" ]; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 90 -subj "/CN=$host" \
        -addext "subjectAltName=DNS:$host" -keyout "$work/key" -out "$work/cert" 2>/dev/null
    cat "$work/cert" "$work/key" | keep web.pem
    echo "secrets/web.pem is a certificate for a trial: browsers will warn of it."
fi
