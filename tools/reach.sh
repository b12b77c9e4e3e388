#!/usr/bin/env bash
# Whether any two hosts connect, by which path, and how soon: real processes behind every pair of routers, and in
# networks that are odd in other ways. Prints tables.
#
#   sudo tools/reach.sh [short|matrix|scenarios|all|SCENARIO...|KIND:KIND...] [--program FILE] [--rounds N]
#                       [--delay MS] [--write FILE]
#
#   short       each pair once and some scenarios, in under 2 minutes; times are shown and not judged (CI runs this)
#   matrix      every kind of router at one end with every kind at the other, both ways
#   scenarios   one NAT for both, no internet, IPv6 only, dead servers, many interfaces, a VPN, proxies, hidden addresses, coturn
#   all         both (the default)
#   SCENARIO    these only, KIND:KIND these pairs only (kinds as in tools/netlab, cone:symmetric)
#   --program   the binary under test (default target/release/p2pcp)
#   --rounds    transfers of each cell of the matrix (20)
#   --delay     one way on the emulated link, in ms (20)
#   --write     puts the tables of whatever ran completely into this document: docs/REACH.md
#
# Ends with 0 when every transfer went through on the path and in the time that are promised, 1 otherwise.
# Everything happens in namespaces made by tools/netlab; nothing leaves the machine. Needs root, cargo, gcc,
# iproute2, nftables, openssl and /dev/net/tun; says so and passes when it cannot run here. coturn is used where it is
# installed.
set -euo pipefail
export LC_ALL=C

root=$(cd "$(dirname "$0")/.." && pwd)
fail() { printf 'reach: %s\n' "$1" >&2; exit 2; }
skip() { printf 'SKIPPED: %s\n' "$1"; exit 0; }

case ${1:-} in -h | --help) sed -n '2,/^set /s/^# \{0,1\}//p' "$0" | sed '$d'; exit 0 ;; esac
[ "$(id -u)" = 0 ] || skip "labs of network namespaces need root: sudo tools/reach.sh"
[ -c /dev/net/tun ] || skip "no /dev/net/tun"
for tool in ip nft gcc openssl; do command -v $tool >/dev/null || skip "no $tool"; done
probe=p2pcp-probe$$
ip netns add $probe 2>/dev/null || skip "network namespaces are not allowed here"
ip netns del $probe

# Who called sudo builds: what root builds is root's for ever, and cargo is rarely in root's PATH.
cargo_of_caller() {
    if [ -n "${SUDO_USER:-}" ] && [ "$SUDO_USER" != root ]; then
        sudo --login --user "$SUDO_USER" cargo "$@"
    else
        cargo "$@"
    fi
}
if [ -z "${REACH_HARNESS:-}" ]; then
    built=$(cargo_of_caller build --locked --manifest-path "$root/Cargo.toml" --example reach --message-format short 2>&1) || fail "$built"
    REACH_HARNESS=$root/target/debug/examples/reach
fi

words=() given=''
while [ $# -gt 0 ]; do
    case $1 in
        --program | --write) words+=("$1" "$(realpath "${2:?}")"); shift 2 ;;
        --*) words+=("$1" "${2:?}"); shift 2 ;;
        *) words+=("$1") given=1; shift ;;
    esac
done
[ -n "$given" ] || words+=(all)

work=$(mktemp -d -p "$([ -d /dev/shm ] && echo /dev/shm || echo "${TMPDIR:-/tmp}")")
export REACH_WORK=$work NETLAB_NAME=${NETLAB_NAME:-reach$$} NETLAB_RUN=$work/netlab NETLAB_BIN=$work/netlab/netlab
running=''
# Whatever happens: no process and no namespace is left.
clean() {
    trap '' INT TERM
    [ -z "$running" ] || { kill "$running" && wait "$running"; } 2>/dev/null || true
    [ ! -x "$NETLAB_BIN" ] || "$root/tools/netlab/netlab.sh" down --kill >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap clean EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
"$root/tools/netlab/netlab.sh" build "$NETLAB_BIN" || fail "netlab does not compile"

"$REACH_HARNESS" "${words[@]}" &
running=$!
wait "$running"
