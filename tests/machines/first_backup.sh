#!/bin/bash
# README's steps up to the first backup, with this system's own borg: first_backup.sh REPORT
# Started in a checkout. What each program said is kept in files of the directory REPORT.
set -euo pipefail
report=$1
mkdir -p "$report" "$HOME/.ssh"

# step NAME COMMAND...: both streams go to a file, for the test to read
step() {
    local name=$1
    shift
    "$@" >"$report/$name" 2>&1 || { echo "$name ended with $?"; tail -n 40 "$report/$name"; exit 1; }
}

script/server --ssh 127.0.0.1:0 --web 127.0.0.1:0 >"$report/server.out" 2>"$report/server.log" &
server=$!
until grep -q '^ready ' "$report/server.out"; do
    kill -0 "$server" || { echo "the server ended"; tail -n 40 "$report/server.log"; exit 1; }
    sleep 0.2
done

export PATH=$PWD/.venv/bin:$PATH HIVE_DATA_DIR=$PWD/data
ssh-keygen -q -t ed25519 -N '' -f "$HOME/.ssh/id_ed25519"
step user hive user add alice
step key hive key add laptop --owner alice "$HOME/.ssh/id_ed25519.pub"
step location hive location set default --host 127.0.0.1
step repository hive repo add documents --owner alice --key laptop
hive repo show documents --json >"$report/repository.json"

BORG_REPO=$(sed -n 's/.*"url": "\([^"]*\)".*/\1/p' "$report/repository.json")
export BORG_REPO BORG_PASSPHRASE='a passphrase for tests'
export BORG_RSH='ssh -o BatchMode=yes -o StrictHostKeyChecking=accept-new -o LogLevel=ERROR'
step client-version borg --version
step client-init borg init --encryption=repokey-blake2
step client-create borg create ::first hive
step client-list borg list --short
step client-check borg check
step client-status ssh -o BatchMode=yes -o LogLevel=ERROR \
    -p "$(sed 's/.*127\.0\.0\.1:\([0-9]*\).*/\1/' <<<"$BORG_REPO")" \
    "$(sed 's,ssh://\([^@]*\)@.*,\1,' <<<"$BORG_REPO")@127.0.0.1"

hive doctor >"$report/doctor" 2>&1 || echo "exit status $?" >>"$report/doctor"
kill -TERM "$server"
wait "$server"
