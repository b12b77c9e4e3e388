#!/usr/bin/env bash
# Sends folders to another machine, from cron: 17 3 * * * nightly-backup.sh backup@nas.example.org:/srv/backup /home/me
# That machine gets the code by ssh, and receives by itself; what it has already is not sent again.
# RECEIVE, if set, is the command that receives, in place of p2pcp over ssh. Needs jq.
set -euo pipefail
target=${1:?usage: nightly-backup.sh HOST:FOLDER [OPTION OR PATH]...}
shift
receive=${RECEIVE:-ssh "${target%%:*}" p2pcp recv --quiet --yes --overwrite --output "${target#*:}/"}

p2pcp send --json "$@" |
    jq --unbuffered -r '[.event, .code // .error // .files // "", .hint // .bytes // ""] | @tsv' |
    while IFS=$'\t' read -r event what more; do
        case $event in
        code) $receive "$what" </dev/null & ;;
        finished) echo "backup of $what files done, $more bytes went over the network" ;;
        failed) echo "backup failed: $what; $more" >&2 ;;
        esac
    done
