#!/usr/bin/env bash
# Machines on one network, nothing configured: network namespaces joined by virtual cables and a switch. `send` runs in one and
# `recv` in another, over every kind of address that a local network may have, on machines with many interfaces, with ten senders
# at a time, with a server that only one side has, and with somebody who listens and guesses. Then the cable is pulled. Nothing
# leaves the namespaces. Needs root and iproute2, and python3 for listening; says so and passes if there are none.
#
#   tools/lan-test.sh [PROGRAM]
set -euo pipefail

program=${1:-"$(cd "$(dirname "$0")/.." && pwd)/target/release/p2pcp"}
prefix="p2pcp-${NETLAB_NAME:-lan$$}"
left="$prefix-l" right="$prefix-r" switch="$prefix-s" other="$prefix-o"
work=$(mktemp -d)
pids=()
passed=0

skip() { printf 'SKIPPED: %s\n' "$1"; exit 0; }
fail() { printf 'FAILED: %s\n' "$1"; shift; [ $# -eq 0 ] || tail -n 30 "$@"; exit 1; }
pass() { passed=$((passed + 1)); printf '%s: ok%s\n' "$1" "${2:+ ($2)}"; }
clean() {
    local pid name
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    for name in "$left" "$right" "$switch" "$other" "$prefix"-t{0..9}; do ip netns del "$name" 2>/dev/null || true; done
    rm -rf "$work"
}
trap clean EXIT

[ "$(id -u)" = 0 ] || skip "not root"
command -v ip >/dev/null || { apt-get install -y iproute2 >/dev/null 2>&1 || skip "no iproute2"; }
ip netns add "$left" 2>/dev/null || skip "network namespaces are not allowed here"
ip netns del "$left"

mkdir "$work/photos" "$work/empty"
head -c 3000000 /dev/urandom >"$work/photos/a.jpg"
printf 'hello\n' >"$work/photos/b.txt"

# machine NAME: a machine without a network.
machine() { ip netns add "$1" && ip -n "$1" link set lo up; }
# cable: two machines, joined, without addresses but those that IPv6 gives by itself.
cable() {
    ip netns del "$left" 2>/dev/null || true
    ip netns del "$right" 2>/dev/null || true
    machine "$left" && machine "$right"
    ip link add p2l netns "$left" type veth peer name p2r netns "$right" || skip "no veth"
    ip -n "$left" link set p2l up
    ip -n "$right" link set p2r up
}
# ipv6 on|off: of both machines; what IPv6 gives by itself comes or goes.
ipv6() {
    local off=1 side
    [ "$1" = off ] || off=0
    for side in "$left" "$right"; do ip netns exec "$side" sysctl -qw net.ipv6.conf.all.disable_ipv6=$off; done
}
# settled MACHINE: waits until no IPv6 address is being tested for duplicates.
settled() {
    for _ in $(seq 100); do
        [ -n "$(ip -n "$1" -6 addr show tentative)" ] || return 0
        sleep 0.05
    done
}
# quiet COMMAND..: in the folder without files, and without this environment.
quiet() { cd "$work/empty" && exec env -i PATH="$PATH" "$@"; }

# sender MACHINE NAME FOLDER [FLAG..]: starts to send; `code` and `sender` tell which code, and which process.
sender() {
    local machine=$1 log="$work/send-$2.log" folder=$3
    shift 3
    : >"$log"
    (quiet ip netns exec "$machine" "$program" send "$@" "$folder") 2>"$log" &
    sender=$!
    pids+=("$sender")
    code=''
    for _ in $(seq 300); do
        code=$(grep -oE '[0-9]{3}-[a-z]+-[a-z]+' "$log" | tail -n 1 || true)
        [ -z "$code" ] || return 0
        sleep 0.05
    done
    fail "no code" "$log"
}
# receiver MACHINE NAME CODE [FLAG..]: receives.
receiver() {
    local machine=$1 name=$2 code=$3
    shift 3
    (quiet timeout 60 ip netns exec "$machine" "$program" recv --yes "$@" -o "$work/got-$name" "$code") 2>"$work/recv-$name.log"
}
# transfer FROM TO NAME [FLAG..]: sends the folder from one machine to another and compares.
transfer() {
    local from=$1 to=$2 name=$3 begun
    shift 3
    sender "$from" "$name" ../photos "$@"
    begun=$(date +%s%N)
    receiver "$to" "$name" "$code" || fail "$name: recv" "$work/send-$name.log" "$work/recv-$name.log"
    took=$((($(date +%s%N) - begun) / 1000000))
    wait "$sender" || fail "$name: send" "$work/send-$name.log"
    diff -r "$work/photos" "$work/got-$name/photos"
    path=$(grep -m 1 connected "$work/recv-$name.log")
}
# over NAME REGEX: a transfer between the two machines, whose path is like this.
over() {
    settled "$left" && settled "$right"
    transfer "$left" "$right" "$1"
    [[ $path =~ $2 ]] || fail "$1: $path, not $2"
    pass "$1" "$path, $took ms"
}

cable && ipv6 off
ip -n "$left" addr add 10.77.0.1/24 dev p2l
ip -n "$right" addr add 10.77.0.2/24 dev p2r
over "two machines, IPv4 only" 10.77.0.1
transfer "$left" "$left" "one machine"
pass "one machine" "$path"

printf 'SIGNALING_SERVER_ADDR=10.77.0.1\r\nSIGNALING_SERVER_PORT=8091\r\nSTUN_SERVERS=stun.invalid:3478\r\n' >"$work/empty/.env"
(quiet ip netns exec "$left" "$program" signal) 2>"$work/signal.log" &
pids+=("$!")
until grep -q listening "$work/signal.log" 2>/dev/null; do sleep 0.05; done
transfer "$left" "$right" "server from .env"
pass "a server that both take from .env with CRLF, and STUN servers that are none" "$path"

# Only the receiver has a server: it does not know the code, so the receiver looks around.
transfer "$left" "$right" "only the receiver has a server" --local
grep -q 'looking on the local network' "$work/recv-only the receiver has a server.log" || fail "it did not ask its server first"
pass "a server that only the receiver has" "$path, $took ms"
# Only the sender has one: nobody here knows the code, and the receiver is told what it may be.
sender "$left" "only the sender has a server" ../photos
receiver "$right" "only the sender has a server" "$code" --local && fail "found without a server"
grep -q 'need the same `--server`' "$work/recv-only the sender has a server.log" || fail "no hint" "$work"/recv-only*.log
kill "$sender"
pass "a server that only the sender has: told, and nothing is used up"
rm "$work/empty/.env"

cable && ipv6 off
ip -n "$left" addr add 169.254.3.1/16 dev p2l
ip -n "$right" addr add 169.254.9.2/16 dev p2r
over "IPv4 link-local only" 169.254.3.1
cable
over "IPv6 link-local only" fe80::
ip -n "$left" addr add fd77::1/64 dev p2l nodad
ip -n "$right" addr add fd77::2/64 dev p2r nodad
over "IPv6 only" "fd77::1|fe80::"
# The receiver has an address that leads nowhere, beside the one that every machine has.
cable
ip -n "$right" addr add 192.168.44.2/24 dev p2r
over "IPv6 link-local on one side, another network on the other" fe80::

# Twenty interfaces, containers and a VPN whose route is dead, on both. What is on them leads to a machine that is nobody.
cable
machine "$other"
for side in "$left:1:p2l" "$right:2:p2r"; do
    IFS=: read -r name host device <<<"$side"
    for number in $(seq 20); do
        ip link add "net$number" netns "$name" type veth peer name "n$host-$number" netns "$other"
        ip -n "$name" addr add "10.1.$number.$host/24" dev "net$number"
        ip -n "$name" link set "net$number" up
        ip -n "$other" link set "n$host-$number" up
    done
    ip -n "$name" link set net19 name docker0
    ip -n "$name" link set net20 name vpn0 2>/dev/null || { ip -n "$name" link set net20 down; ip -n "$name" link set net20 name vpn0 up; }
    ip -n "$name" link set vpn0 multicast off
    ip -n "$name" route add default dev vpn0
    ip -n "$name" addr add "192.168.7.$host/24" dev "$device"
done
over "twenty interfaces, containers and a dead VPN" "192.168.7.1|fe80::"

# A switch with ten senders, one who receives from all of them, and a neighbour.
ip netns del "$left" && ip netns del "$right"
ip netns del "$other"
machine "$switch" && ip -n "$switch" link add bridge type bridge mcast_snooping 0 && ip -n "$switch" link set bridge up
host=0
for name in "$right" "$other" "$prefix"-t{0..9}; do
    host=$((host + 1))
    machine "$name"
    ip link add eth0 netns "$name" type veth peer name "port$host" netns "$switch"
    ip -n "$switch" link set "port$host" master bridge up
    ip -n "$name" addr add "10.99.0.$host/24" dev eth0
    ip -n "$name" link set eth0 up
done
codes=() senders=() receivers=()
for number in {0..9}; do
    mkdir "$work/folder$number"
    printf 'from %s\n' "$number" >"$work/folder$number/which"
    # Two that begin at the same moment may draw the same number, one time in 900.
    while sender "$prefix-t$number" "many-$number" "../folder$number" && [[ " ${codes[*]:-}" == *" ${code%%-*}-"* ]]; do
        kill "$sender"
    done
    codes+=("$code") senders+=("$sender")
done
for number in {0..9}; do
    receiver "$right" "many-$number" "${codes[$number]}" &
    receivers+=("$!")
done
for number in {0..9}; do
    wait "${receivers[$number]}" || fail "sender $number was not found" "$work/send-many-$number.log" "$work/recv-many-$number.log"
    wait "${senders[$number]}" || fail "sender $number" "$work/send-many-$number.log"
    diff -r "$work/folder$number" "$work/got-many-$number/folder$number"
done
pass "ten senders at a time, each found by its receiver"

# The neighbour hears all (a switch is no wall) and guesses once. Then comes the receiver.
if command -v python3 >/dev/null; then
    ip netns exec "$switch" python3 "$(dirname "$0")/lan-listen.py" record bridge "$work/heard" &
    listener=$!
    pids+=("$listener")
    until [ -e "$work/heard" ]; do sleep 0.05; done
    sender "$prefix-t0" "guessed" ../photos
    guess="${code%%-*}-aloe-aloe"
    receiver "$other" "guess" "$guess" && fail "a wrong code got in"
    grep -q 'did not match' "$work/recv-guess.log" || fail "the guess" "$work/recv-guess.log"
    for _ in $(seq 100); do
        second=$(grep -oE '[0-9]{3}-[a-z]+-[a-z]+' "$work/send-guessed.log" | tail -n 1)
        [ "$second" = "$code" ] || break
        sleep 0.05
    done
    [ "$second" != "$code" ] || fail "the code was not burnt" "$work/send-guessed.log"
    grep -qi 'wrong' "$work/send-guessed.log" || fail "the guess was not loud" "$work/send-guessed.log"
    receiver "$other" "late" "$code" && fail "the burnt code was good for another guess"
    receiver "$right" "guessed" "$second" || fail "recv" "$work/send-guessed.log" "$work/recv-guessed.log"
    wait "$sender"
    diff -r "$work/photos" "$work/got-guessed/photos"
    pass "a neighbour guesses once, the sender says so, and the code is spent"
    kill -INT "$listener"
    wait "$listener" || true
    python3 "$(dirname "$0")/lan-listen.py" search "$work/heard" "$code" "$second" || fail "the network heard the words"
    pass "neither words nor anything made of them alone is heard"
else
    printf 'SKIPPED: python3 is not here; nobody listens to what is said on the network\n'
fi

ip -n "$prefix-t1" link set eth0 down
transfer "$prefix-t1" "$prefix-t1" "cable pulled"
pass "one machine with the cable pulled" "$path"
echo "$passed passed, 0 failed"
