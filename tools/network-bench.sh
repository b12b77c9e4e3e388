#!/usr/bin/env bash
# Measures p2pcp over long, narrow and lossy paths, against other tools in turn. Prints a table.
#
#   sudo tools/network-bench.sh [CASE...] [--rounds N] [--limit SECONDS] [--seconds N] [--program [NAME=]FILE]... [--also TOOLS] [--json FILE]
#   sudo tools/network-bench.sh curve CSV [--rounds N] [--seconds N] [--program [NAME=]FILE]... [--also TOOLS]
#   tools/network-bench.sh list | draw CSV... SVG
#
#   CASE        these only; `list` names them
#   --rounds    how often each case is measured with each tool, in turn (5)
#   --limit     a run that takes longer is stopped, and what it reached until then is told (60 s)
#   --seconds   how long iperf3 (12 s) and a point of a curve (5 s) are measured
#   --program   a build of p2pcp; several are compared with each other (default: this tree's release build)
#   --also      what it is compared with: iperf3,scp,rsync,croc or none (default: all that is installed)
#   --json      every run, for programs
#   curve       throughput over round trip and loss at 100 Mbit/s, as comma-separated values
#   draw        a picture of that
#
# Everything happens in namespaces made by tools/netlab; nothing leaves the machine. Needs root, cargo, gcc,
# iproute2 and /dev/net/tun; iperf3, scp with sshd, rsync, croc and ping are used where they are installed.
# benches/README.md says what the columns mean.
set -euo pipefail
export LC_ALL=C

root=$(cd "$(dirname "$0")/.." && pwd)
fail() { printf 'network-bench: %s\n' "$1" >&2; exit 2; }

# Who called sudo builds: what root builds is root's for ever, and cargo is rarely in root's PATH.
cargo_of_caller() {
    if [ -n "${SUDO_USER:-}" ] && [ "$SUDO_USER" != root ]; then
        sudo --login --user "$SUDO_USER" cargo "$@"
    else
        cargo "$@"
    fi
}

case ${1:-} in
    -h | --help) sed -n '2,/^set /s/^# \{0,1\}//p' "$0" | sed '$d'; exit 0 ;;
    list | draw) ;;
    *) [ "$(id -u)" = 0 ] || fail "labs of network namespaces need root: sudo tools/network-bench.sh" ;;
esac

built=$(cargo_of_caller bench --manifest-path "$root/Cargo.toml" --bench network --no-run 2>&1) || fail "$built"
bench=$(sed -n 's/^ *Executable .*(\(.*\))$/\1/p' <<<"$built")
case $bench in /*) ;; *) bench=$root/$bench ;; esac
[ -x "$bench" ] || fail "no bench was built: $built"

work=$(mktemp -d -p "$([ -d /dev/shm ] && echo /dev/shm || echo "${TMPDIR:-/tmp}")")
export NETLAB_NAME=${NETLAB_NAME:-bench$$} NETLAB_RUN=$work/netlab P2PCP_BENCH_DIR=${P2PCP_BENCH_DIR:-$work}
running='' sshd_folder=$([ -e /run/sshd ] || echo /run/sshd) # made where sshd will not start without it
# Whatever happens: no process, no namespace and no tree is left.
clean() {
    trap '' INT TERM
    [ -z "$running" ] || { kill "$running" && wait "$running"; } 2>/dev/null || true
    [ "$(id -u)" != 0 ] || "$root/tools/netlab/netlab.sh" down --kill >/dev/null 2>&1 || true
    [ -z "$sshd_folder" ] || rmdir "$sshd_folder" 2>/dev/null || true
    rm -rf "$work" "$P2PCP_BENCH_DIR/p2pcp-bench-${running:-none}"
}
trap clean EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

"$bench" "$@" &
running=$!
wait "$running"
