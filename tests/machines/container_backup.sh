#!/bin/bash
# Runs the image on its own ports and backs up to it: container_backup.sh REPORT BORG BUILDAH...
# Started in namespaces of its own, where no other program listens.
set -euo pipefail
report=$1 borg=$2
shift 2
buildah=("$@")
ip link set lo up
container=$("${buildah[@]}" from --pull-never borg-hive)

# As an engine does: the image's user and environment, no capabilities.
inside() { "${buildah[@]}" run --isolation chroot --cap-drop all "$container" -- "$@"; }
step() {
    local name=$1
    shift
    "$@" >"$report/$name" 2>&1 || { echo "$name ended with $?"; tail -n 40 "$report/$name"; exit 1; }
}

step doctor-before inside hive doctor
inside hive serve >"$report/server.out" 2>"$report/server.log" &
server=$!
until grep -q '^ready ' "$report/server.out"; do
    kill -0 "$server" || { echo "the server ended"; tail -n 40 "$report/server.log"; exit 1; }
    sleep 0.2
done
export HOME=$report/home
mkdir -p "$HOME/.ssh"
ssh-keygen -q -t ed25519 -N '' -f "$HOME/.ssh/id_ed25519"
step identity inside id -u
step user inside hive user add alice
inside hive key add laptop --owner alice - <"$HOME/.ssh/id_ed25519.pub" >"$report/key" 2>&1
step location inside hive location set default --host 127.0.0.1
step repository inside hive repo add documents --owner alice --key laptop
inside hive repo show documents --json >"$report/repository.json"
BORG_REPO=$(sed -n 's/.*"url": "\([^"]*\)".*/\1/p' "$report/repository.json")
export BORG_REPO BORG_PASSPHRASE='a passphrase for tests'
BORG_RSH="ssh -F none -i $HOME/.ssh/id_ed25519 -o BatchMode=yes -o StrictHostKeyChecking=no"
export BORG_RSH="$BORG_RSH -o UserKnownHostsFile=$HOME/.ssh/known_hosts -o LogLevel=ERROR"
step client-init "$borg" init --encryption=repokey-blake2
step client-create "$borg" create ::first "$report/server.log"
step client-list "$borg" list --short
step client-check "$borg" check
step doctor inside hive doctor
mapfile -t healthcheck <"$report/healthcheck"
step healthz inside "${healthcheck[@]}"
step healthz-from-outside python3 -c \
    "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8080/healthz').read())"
