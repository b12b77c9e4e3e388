#!/usr/bin/env bash
# `p2pcp doctor` behind each kind of NAT: builds networks of namespaces (tools/netlab), runs `p2pcp signal` on a public host and
# `p2pcp doctor` behind the NAT, and compares what it found with what was built. Nothing leaves the namespaces. Needs root, gcc,
# iproute2 and nftables; says so and passes if not.
#
#     tools/doctor-test.sh [PROGRAM [SERVER-PROGRAM]]
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
program=$(realpath "${1:-"$here/../target/release/p2pcp"}")
server=$(realpath "${2:-$program}")
export NETLAB_NAME=${NETLAB_NAME:-doctor}
lab() { "$here/netlab/netlab.sh" "$@"; }
work=$(mktemp -d)
pid='' failed=0

skip() { printf 'SKIPPED: %s\n' "$1"; exit 0; }
end() {
    [ -z "$pid" ] || { kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null || true; }
    pid=''
    lab down --kill >/dev/null 2>&1 || true
}
trap 'end; rm -rf "$work"' EXIT

[ "$(id -u)" = 0 ] || skip "not root"
for tool in gcc ip nft; do command -v "$tool" >/dev/null || skip "no $tool"; done
ip netns add "p2pcp-$$" 2>/dev/null && ip netns del "p2pcp-$$" || skip "network namespaces are not allowed here"

# examine NAME EXIT-CODE "OPTIONS OF netlab up nat" PATTERN...: each pattern must be in the document.
examine() {
    local name=$1 expect=$2 options=$3 code=0 begun=$EPOCHREALTIME document="$work/$1.json"
    shift 3
    # shellcheck disable=SC2086
    lab up nat $options --nat-b none --delay 10 --no-reflect >"$work/lab.log" 2>&1 || { cat "$work/lab.log"; skip "no laboratory"; }
    (cd "$work" && exec "$here/netlab/netlab.sh" exec pub "$server" signal --listen 198.18.0.10) 2>"$work/signal.log" &
    pid=$!
    for _ in $(seq 200); do grep -q listening "$work/signal.log" && break; sleep 0.05; done
    begun=$EPOCHREALTIME
    (cd "$work" && lab exec a "$program" doctor --server 198.18.0.10 --stun none --json) >"$document" 2>"$work/$name.log" || code=$?
    local took=$(((${EPOCHREALTIME/./} - ${begun/./}) / 1000))
    local verdict bad=''
    verdict=$(grep -o '"verdict":"[^"]*"' "$document" || true)
    [ "$code" = "$expect" ] || bad="exit code $code and not $expect; "
    [ "$took" -lt 6000 ] || bad="${bad}it took $took ms; "
    for pattern in "$@"; do grep -q -- "$pattern" "$document" || bad="${bad}no $pattern; "; done
    printf '%-12s %s, %s ms: %s\n' "$name" "${bad:-ok}" "$took" "$verdict"
    [ -z "$bad" ] || { failed=1; cat "$document" "$work/$name.log"; }
    end
}

mapping() { printf '"mapping":"%s"' "$1"; }
filtering() { printf '"filtering":"%s"' "$1"; }

examine none 0 '--nat-a none' "$(mapping none)" "$(filtering other-ports-too)" '"reach":"anyone"'
examine firewall 0 '--nat-a firewall' "$(mapping none)" "$(filtering only-who-was-asked)"
examine cone 0 '--nat-a cone' "$(mapping endpoint-independent)" "$(filtering only-who-was-asked)" '"largest":1500' '"hairpin":false'
examine fullcone 0 '--nat-a fullcone' "$(mapping endpoint-independent)" "$(filtering other-ports-too)"
examine symmetric 0 '--nat-a symmetric' "$(mapping symmetric)" 'symmetric NAT directly only' '"reach":"anyone"'
examine udp-blocked 0 '--nat-a udp-blocked' "$(mapping no-answer)" 'always through the relay' '"reach":"anyone"'
examine narrow 0 '--nat-a cone --mtu 1400' '"largest":1400'
exit "$failed"
