#!/usr/bin/env bash
# p2pcp as it is when installed from a registry, where no patch puts our own SCTP below it: packages this tree, unpacks that
# elsewhere, and there runs the tests that make real connections, over the stock SCTP. Then each of the two builds sends
# 64 MiB to the other: on this machine, and from one network namespace to another (needs root and iproute2; says so if not).
#
#     tools/registry-test.sh [package|tests|mixed]...     all three if nothing is said; the first is part of any
#
# Everything is built for debugging, and stays below `target/`.
set -euo pipefail
export LC_ALL=C

root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
work=$(mktemp -d)
sender='' left="p2pcp-rl$$" right="p2pcp-rr$$"
# Artefacts are named by a hash of where a package comes from and of what it is built upon: those over the stock SCTP lie
# beside those over our own, and what is the same for both is not built again. What would have the same name, the programs,
# goes to a folder of its own (before cargo 1.91 the dependencies do, too, which takes longer).
own_target=${CARGO_TARGET_DIR:-$root/target}
source=$own_target/registry/source stock_target=$own_target/registry/target

fail() { printf 'FAILED: %s\n' "$1"; exit 1; }
end_pair() {
    [ -z "$sender" ] || kill "$sender" 2>/dev/null || true
    sender=''
}
clean() {
    end_pair
    ip netns del "$left" 2>/dev/null || true
    ip netns del "$right" 2>/dev/null || true
    rm -rf "$work"
}
trap clean EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

stock_cargo() {
    (cd "$source" && CARGO_BUILD_BUILD_DIR=$own_target CARGO_TARGET_DIR=$stock_target cargo "$@" --locked)
}

package() {
    rm -rf "$own_target/package" "$source"
    cargo package --quiet -p p2pcp --no-verify --allow-dirty --target-dir "$own_target"
    mkdir -p "$source"
    # As new (-m): cargo gives every packaged file one and the same time, and builds only what is newer than the last build.
    tar -xzmf "$own_target"/package/p2pcp-*.crate --strip-components 1 -C "$source"
    [ ! -e "$source/sctp" ] || fail "our own SCTP is in the package"
    ! grep -q '^\[patch' "$source/Cargo.toml" || fail "the patch is in the package"
    # It lies below our workspace and is none of its members.
    printf '\n[workspace]\n' >>"$source/Cargo.toml"
    stock_cargo tree --quiet -p p2pcp -i rtc-sctp --depth 0
}

# stock_test AT_LEAST ARGUMENT...: a filter that matches nothing would pass.
stock_test() {
    local least=$1 passed
    shift
    stock_cargo test "$@" >"$work/tests.log" 2>&1 || { cat "$work/tests.log"; fail "cargo test $*"; }
    passed=$(sed -n 's/^test result: ok\. \([0-9]*\) passed.*/\1/p' "$work/tests.log")
    [ "${passed:-0}" -ge "$least" ] || fail "cargo test $*: $passed passed, at least $least should"
    printf 'cargo test %s: %s passed\n' "$*" "$passed"
}

tests() {
    stock_test 1 --lib the_engine_is_our_own_where_its_sources_are_and_the_stock_one_elsewhere
    stock_test 25 --lib transport
    stock_test 75 --test it transfer
    stock_test 4 --test it lanes
}

# transfer NAME SENDER RECEIVER: as `at_sender` and `at_receiver` say where; leaves the logs.
transfer() {
    local name=$1 code=''
    rm -rf "$work/got"
    (cd "$work/empty" && exec env -i PATH="$PATH" "${at_sender[@]}" "$2" send --verbose "${options[@]}" ../big) 2>"$work/send.log" &
    sender=$!
    for _ in $(seq 600); do
        code=$(grep -m 1 -oE '[0-9]{3}-[a-z]+-[a-z]+' "$work/send.log" || true)
        [ -z "$code" ] && kill -0 "$sender" 2>/dev/null || break
        sleep 0.05
    done
    [ -n "$code" ] || { cat "$work/send.log"; fail "$name: no code"; }
    (cd "$work/empty" && env -i PATH="$PATH" "${at_receiver[@]}" timeout 120 \
        "$3" recv --verbose "${options[@]}" --yes -o "$work/got/" "$code") 2>"$work/recv.log" \
        || { cat "$work/send.log" "$work/recv.log"; fail "$name: recv"; }
    wait "$sender" || { cat "$work/send.log" "$work/recv.log"; fail "$name: send"; }
    sender=''
    cmp "$work/big" "$work/got/big" || fail "$name: other bytes arrived"
    printf '%s: ok (%s)\n' "$name" "$(grep -m 1 '^received' "$work/recv.log")"
}

# cable: two network namespaces and a virtual cable between them.
cable() {
    [ "$(id -u)" = 0 ] && command -v ip >/dev/null && ip netns add "$left" 2>/dev/null && ip netns add "$right" \
        && ip link add rgl netns "$left" type veth peer name rgr netns "$right" || return 1
    ip -n "$left" addr add 10.78.0.1/24 dev rgl
    ip -n "$right" addr add 10.78.0.2/24 dev rgr
    for side in "$left" "$right"; do ip -n "$side" link set lo up; done
    ip -n "$left" link set rgl up
    ip -n "$right" link set rgr up
}

mixed() {
    cargo build --quiet --locked --target-dir "$own_target" -p p2pcp
    stock_cargo build --quiet
    # What is sent from cannot change meanwhile, whoever builds.
    cp "$own_target/debug/p2pcp" "$work/own"
    cp "$stock_target/debug/p2pcp" "$work/stock"
    # Panics name the file that they are in: a build tells by itself what it is made of.
    grep -qa '/rtc-sctp-[0-9.]*/src/' "$work/stock" || fail "the packaged build is not made with the stock SCTP"
    ! grep -qa '/rtc-sctp-[0-9.]*/src/' "$work/own" || fail "the build of this repository is made with the stock SCTP"
    mkdir "$work/empty"
    head -c 64M /dev/urandom >"$work/big"

    local at_sender=() at_receiver=() options=(--loopback)
    transfer "one machine, own to stock" "$work/own" "$work/stock"
    transfer "one machine, stock to own" "$work/stock" "$work/own"

    cable || { printf 'SKIPPED: two machines (not root, or no network namespaces here)\n'; return 0; }
    at_sender=(ip netns exec "$left") at_receiver=(ip netns exec "$right") options=()
    transfer "two machines, own to stock" "$work/own" "$work/stock"
    transfer "two machines, stock to own" "$work/stock" "$work/own"
    # Near by neither asks for more lanes on its own, or only on many cores.
    options=(--lanes 4)
    transfer "two machines, four lanes, own to stock" "$work/own" "$work/stock"
    grep -q '4 lanes are open' "$work/send.log" || { cat "$work/send.log"; fail "four lanes were not opened"; }
    transfer "two machines, four lanes, stock to own" "$work/stock" "$work/own"
    grep -q '4 lanes are open' "$work/send.log" || { cat "$work/send.log"; fail "four lanes were not opened"; }
}

[ $# -gt 0 ] || set -- package tests mixed
[ "$1" = package ] || set -- package "$@"
for part; do
    case $part in
        package | tests | mixed) "$part" ;;
        *) sed -n '2,/^set /s/^# \{0,1\}//p' "$0" | sed '$d'; exit 2 ;;
    esac
done
