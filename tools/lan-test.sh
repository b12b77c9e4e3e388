#!/usr/bin/env bash
# Two machines on one network, nothing configured: builds two network namespaces joined by a virtual
# cable, runs `send` in one and `recv` in the other, and compares; the same with a server that both take
# from a `.env` with CRLF line ends, whose STUN servers cannot be reached; then pulls the cable and does it
# within one of them. Nothing leaves the namespaces. Needs root and iproute2; says so and passes if not.
set -euo pipefail

program=${1:-"$(cd "$(dirname "$0")/.." && pwd)/target/release/p2pcp"}
left="p2pcp-l$$" right="p2pcp-r$$"
work=$(mktemp -d)
pids=()

skip() { printf 'SKIPPED: %s\n' "$1"; exit 0; }
clean() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    ip netns del "$left" 2>/dev/null || true
    ip netns del "$right" 2>/dev/null || true
    rm -rf "$work"
}
trap clean EXIT

[ "$(id -u)" = 0 ] || skip "not root"
command -v ip >/dev/null || { apt-get install -y iproute2 >/dev/null 2>&1 || skip "no iproute2"; }
ip netns add "$left" 2>/dev/null || skip "network namespaces are not allowed here"
ip netns add "$right"
ip link add p2l netns "$left" type veth peer name p2r netns "$right" || skip "no veth"
ip -n "$left" addr add 10.77.0.1/24 dev p2l
ip -n "$right" addr add 10.77.0.2/24 dev p2r
for side in "$left" "$right"; do ip -n "$side" link set lo up; done
ip -n "$left" link set p2l up
ip -n "$right" link set p2r up

mkdir "$work/photos" "$work/empty"
head -c 3000000 /dev/urandom >"$work/photos/a.jpg"
printf 'hello\n' >"$work/photos/b.txt"

# transfer FROM TO NAME: sends the folder from one namespace to another and compares.
transfer() {
    local from=$1 to=$2 name=$3 code='' log="$work/send-$3.log" sender
    (cd "$work/empty" && exec env -i PATH="$PATH" ip netns exec "$from" "$program" send ../photos) 2>"$log" &
    sender=$!
    pids+=("$sender")
    for _ in $(seq 300); do
        code=$(grep -oE '[0-9]{3}-[a-z]+-[a-z]+' "$log" | head -n 1 || true)
        [ -n "$code" ] && break
        sleep 0.05
    done
    [ -n "$code" ] || { cat "$log"; echo "FAILED: no code"; exit 1; }
    (cd "$work/empty" && env -i PATH="$PATH" ip netns exec "$to" "$program" recv --yes -o "$work/got-$name" "$code") \
        2>"$work/recv-$name.log" || { cat "$log" "$work/recv-$name.log"; echo "FAILED: recv"; exit 1; }
    wait "$sender"
    diff -r "$work/photos" "$work/got-$name/photos"
    printf '%s: ok (%s)\n' "$name" "$(grep -m 1 connected "$work/recv-$name.log")"
}

transfer "$left" "$right" "two-machines"
transfer "$left" "$left" "one-machine"

printf 'SIGNALING_SERVER_ADDR=10.77.0.1\r\nSIGNALING_SERVER_PORT=8091\r\nSTUN_SERVERS=stun.invalid:3478\r\n' \
    >"$work/empty/.env"
(cd "$work/empty" && exec env -i PATH="$PATH" ip netns exec "$left" "$program" signal) 2>"$work/signal.log" &
pids+=("$!")
until grep -q listening "$work/signal.log" 2>/dev/null; do sleep 0.05; done
transfer "$left" "$right" "server-from-env"
rm "$work/empty/.env"

ip -n "$left" link set p2l down
transfer "$left" "$left" "cable-pulled"
echo "4 passed, 0 failed"
