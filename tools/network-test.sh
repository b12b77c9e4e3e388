#!/usr/bin/env bash
# What a bad network does to a transfer: loses packets, cuts, moves and stops the link of two real
# processes in the middle of a transfer, and looks at how it ends. Prints a table.
#
#   tools/network-test.sh [short|long|SCENARIO...] [--program FILE] [--runs N] [--keep DIR]
#
#   short       one run each of what fits into 4 to 5 minutes (the default; CI runs this)
#   long        every scenario, 3 runs each, about an hour and a half
#   SCENARIO    these only; `list` names them
#   --program   the binary under test (default target/release/p2pcp)
#   --runs      runs of each scenario; every other run sends the other way
#   --keep      leaves the logs of every run in DIR (else they are shown when a run fails, and removed)
#
# A run is `ok` when both sides ended with 0; `resumable` when they ended with 5 and the same two
# commands, repeated over a sound network, finished the job; `hang` when no byte came for 60 s over
# a network that works; `late` when it did end well, but the first new byte came more than 10 s after
# the network was back; `failed` otherwise. What arrived is compared byte by byte in each of them.
# `back` is the longest time from the network's return to the first new byte on the receiver's disk;
# `peak` is the highest resident set of either side (VmHWM), `grew` by how much it rose during the fault.
#
# Everything happens in namespaces made by tools/netlab; nothing leaves the machine. Needs root, gcc,
# iproute2, nftables and /dev/net/tun (slow-disk: also a loop device and fsfreeze). Ends with 0 when
# every run ended as its scenario wants, 1 otherwise, and says so and passes when it cannot run here.
set -euo pipefail
export LC_ALL=C

root=$(cd "$(dirname "$0")/.." && pwd)
program=$root/target/release/p2pcp
short=(loss-1 loss-5 loss-20 mtu cut-5 address rebind restart stop-short give-up)
long=(loss-1 loss-5 loss-20 mtu cut-5 cut-30 unplug address rebind restart server-late flap again lan
    stop-recv stop-send memory slow-disk give-up peer-gone)
hang_after=60 late_after=10000 # seconds; milliseconds
work=$(mktemp -d) keep='' runs='' names=() lab=n$$
export NETLAB_NAME=$lab NETLAB_RUN=$work/netlab
pids=() mounted=''

fail() { printf 'network-test: %s\n' "$1" >&2; exit 2; }
skip() { printf 'SKIPPED: %s\n' "$1"; exit 0; }
netlab() { "$root/tools/netlab/netlab.sh" "$@"; }

# end PID...: ends processes of ours, stopped ones too.
end() {
    local pid
    for pid; do kill -CONT "$pid" 2>/dev/null || true; kill "$pid" 2>/dev/null || true; done
    for pid; do { wait "$pid" || true; } 2>/dev/null; done
}
# A frozen file system first, else who writes to it cannot end.
thaw() {
    [ -n "$mounted" ] || return 0
    [ -z "${pulse:-}" ] || end "$pulse"
    fsfreeze -u "$mounted" 2>/dev/null || true
}
clean_run() {
    thaw
    end ${pids[@]+"${pids[@]}"}
    netlab down --kill >/dev/null 2>&1 || true
    [ -z "$mounted" ] || umount "$mounted" || true
}
# The run under way cleans up first: it needs what is in the work folder.
clean_all() {
    trap '' INT TERM
    [ -z "${running:-}" ] || { kill "$running" && wait "$running"; } 2>/dev/null || true
    rm -rf "$work"
}
trap clean_all EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# ------------------------------------------------------------------ two processes and what they did

now_ms() { echo $((${EPOCHREALTIME/./} / 1000)); }

# within SECONDS COMMAND...: waits until the command is true.
within() {
    local until=$(($(now_ms) + $1 * 1000))
    shift
    until "$@"; do
        [ "$(now_ms)" -lt "$until" ] || return 1
        sleep 0.05
    done
}

alive() { kill -0 "$1" 2>/dev/null; }
on() { # on HOST COMMAND...: an exec, so that the process keeps its id
    local host=$1
    shift
    exec env -i PATH="$PATH" ip netns exec "p2pcp-$lab-$host" "$@"
}

serve() { # serve HOST ADDRESS: the signaling server
    : >"$out/server.log"
    (cd "$out/empty" && on "$1" "$program" signal --listen "$2" --port 8091 --verbose) >>"$out/server.log" 2>&1 &
    server_pid=$!
    pids+=("$server_pid")
    server_host=$1 server_ip=$2
    within 10 grep -qs listening "$out/server.log" || die "the server does not listen"
}

# What is sent. Small files lie before and after the large one. Of what is to be hit in the middle, the first half is
# files of 128 KiB: they reach the disk one by one, so the first byte after a fault is seen soon.
data() { # data MEBIBYTES
    local i large=$1
    mkdir -p "$out/tree/a" "$out/tree/z" "$out/empty" "$got"
    for i in 1 2 3 4 5; do head -c $((i * 777)) /dev/urandom >"$out/tree/a/$i" && cp "$out/tree/a/$i" "$out/tree/z/$i"; done
    if [ "$1" = 24 ]; then
        large=12
        head -c 12M /dev/urandom | (cd "$out/tree/a" && split -b 128K)
    fi
    head -c "${large}M" /dev/urandom >"$out/tree/large"
    size=$(($1 << 20))
}

# told PREFIX FILE PID: copies what a process says into one timeline of both.
told() {
    tail -n +1 -f --pid="$3" "$2" | while IFS= read -r line; do
        printf '%7d ms  %s: %s\n' $(($(now_ms) - epoch)) "$1" "$line"
    done >>"$out/timeline.log" &
    pids+=("$!")
}

# transfer [FLAG...]: starts both sides; the flags are for both.
transfer() {
    local meet=(--server "ws://$server_ip:8091" --stun none) which=$1
    [ "$server_ip" != none ] || meet=(--local --stun none)
    shift
    send_log=$out/send-$which.log recv_log=$out/recv-$which.log send_code='' recv_code=''
    : >"$send_log"
    : >"$recv_log"
    (cd "$out/empty" && on "$from" "$program" send "${meet[@]}" "$@" --verbose ../tree) 2>>"$send_log" &
    send_pid=$!
    pids+=("$send_pid")
    told send "$send_log" "$send_pid"
    # Under heavy loss connecting may fail; `send` then shows another code, as a person would see it.
    for codes in 1 2 3; do
        within 60 code_number "$codes" || die "no code"
        (cd "$out/empty" && on "$to" "$program" recv "${meet[@]}" "$@" --verbose --yes -o "$got" "$code") 2>>"$recv_log" &
        recv_pid=$!
        pids+=("$recv_pid")
        [ "$codes" != 1 ] || told recv "$recv_log" "$send_pid"
        within 90 connected_or_over || die "neither connected nor over"
        began=$(now_ms)
        ! grep -qs '^connected' "$recv_log" || return 0
    done
    die "no connection: $(last_words)"
}

code_number() { # code_number N: puts the Nth code that `send` showed into `code`
    code=$(grep -s '^code: ' "$send_log" | sed -n "$1s/^code: *//p")
    [ -n "$code" ]
}
connected_or_over() { grep -qs '^connected' "$recv_log" || ! alive "$recv_pid"; }

# die WHY: ends the run as failed.
die() {
    outcome=failed note="$1"
    report
    exit 0
}

# Bytes that the receiver has on disk, staged or named.
arrived() {
    local line
    have=0
    while read -r line; do have=$((have + line)); done \
        < <(find "$got" -type f ! -name 'journal*' -printf '%s\n' 2>/dev/null)
}

# Remembers the peak resident set of both sides, in KiB.
sample() {
    local key value rest
    while read -r key value rest; do [ "$key" != VmHWM: ] || send_peak=$value; done \
        < <(cat "/proc/$send_pid/status" 2>/dev/null || true)
    while read -r key value rest; do [ "$key" != VmHWM: ] || recv_peak=$value; done \
        < <(cat "/proc/$recv_pid/status" 2>/dev/null || true)
}

# until_share PERCENT: waits until that share is on the receiver's disk.
until_share() {
    local since last=-1
    since=$(now_ms)
    while :; do
        arrived
        [ "$have" -lt $((size / 100 * $1)) ] || break
        [ "$have" = "$last" ] || { last=$have since=$(now_ms); }
        alive "$send_pid" && alive "$recv_pid" || die "ended before the fault: $(last_words)"
        [ $(($(now_ms) - since)) -lt $((hang_after * 1000)) ] || { outcome=hang note="before the fault, at $have bytes"; report; exit 0; }
        sample
        sleep 0.05
    done
    [ "$have" -lt $((size / 100 * 90)) ] || die "the fault would come too late ($have of $size bytes)"
    sample
    calm_peak=$((send_peak + recv_peak))
}

last_words() { tail -qn 1 "$send_log" "$recv_log" | tr '\n' ' '; }

# lasts SECONDS: the length of a fault; memory is watched.
lasts() {
    local until=$(($(now_ms) + $1 * 1000))
    while [ "$(now_ms)" -lt "$until" ]; do sample; sleep 0.2; done
}

# returned: the network is back; times the first new byte (or the end).
returned() {
    local base=$have since
    since=$(now_ms)
    printf '%7d ms  the network is back, %s bytes on disk\n' $((since - epoch)) "$have" >>"$out/timeline.log"
    sample
    grew=$((send_peak + recv_peak - calm_peak))
    while :; do
        arrived
        back=$(($(now_ms) - since))
        if [ "$have" -gt "$base" ]; then
            printf '%7d ms  %s bytes on disk\n' $(($(now_ms) - epoch)) "$have" >>"$out/timeline.log"
            return 0
        fi
        alive "$send_pid" || alive "$recv_pid" || { back=''; return 0; }
        [ "$back" -lt $((hang_after * 1000)) ] || { outcome=hang note="no byte for $hang_after s after the network's return, at $have bytes"; report; exit 0; }
        sample
        sleep 0.05
    done
}

# The bytes on disk at the moment a fault ends, for `returned`.
before_return() { arrived; }

# Both sides over, or no byte for hang_after seconds. Bytes that the receiver has and did not write yet
# (up to a chunk) are in its own count: under heavy loss one chunk takes minutes.
ended() {
    local since last='' said
    since=$(now_ms)
    while alive "$send_pid" || alive "$recv_pid"; do
        arrived
        said=$(grep -E '^[0-9]+% ' "$recv_log" | tail -n 1 | cut -d, -f1) || true
        if [ "$have $said" != "$last" ]; then
            last="$have $said" since=$(now_ms)
            printf '%7d ms  %s bytes on disk\n' $((since - epoch)) "$have" >>"$out/timeline.log"
        fi
        if [ $(($(now_ms) - since)) -gt $((hang_after * 1000)) ]; then
            outcome=hang note="at $have of $size bytes"
            report
            exit 0
        fi
        sample
        sleep 0.1
    done
    took=$(($(now_ms) - began)) send_code=0 recv_code=0
    { wait "$send_pid" || send_code=$?; } 2>/dev/null
    { wait "$recv_pid" || recv_code=$?; } 2>/dev/null
}

same() { diff -r "$out/tree" "$got/tree" >/dev/null; }
stages() { find "$got" -maxdepth 1 -name '.p2pcp-*' | wc -l; }

# judge: follows a transfer to its end and says what it was.
judge() {
    local lost again shown=$codes
    ended
    lost=$(cat "$send_log" "$recv_log" | grep -cE '^(warning: )?connection lost' || true)
    again=$(cat "$send_log" "$recv_log" | grep -c '^connected again' || true)
    note="$((took / 1000)).$((took / 100 % 10)) s, lost $lost, again $again, codes $shown${note:+, $note}"
    case $send_code/$recv_code in
        0/0)
            outcome=ok
            same || { outcome=failed; note="DIFFERENT BYTES, $note"; }
            [ "$(stages)" = 0 ] || { outcome=failed; note="a stage was left, $note"; }
            [ "$(grep -c '^code: ' "$send_log")" = "$shown" ] || { outcome=failed; note="a new code, $note"; }
            [ $((lost > 0 || again == 0)) = 1 ] || { outcome=failed; note="a loss was not told, $note"; }
            [ $outcome != ok ] || [ -z "$back" ] || [ "$back" -le $late_after ] || outcome=late ;;
        5/5) repeat ;;
        *) outcome=failed note="exit codes $send_code/$recv_code, $note" ;;
    esac
    report
}

# repeat: what ended with 5 must be finished by the same commands over a sound network.
repeat() {
    outcome=failed
    [ "$(stages)" -ge 1 ] || { note="no stage was left, $note"; return 0; }
    local hints
    hints=$(grep -hc 'p2pcp \(recv\|send\)' "$send_log" "$recv_log" | paste -sd/ || true)
    [[ $hints != *0* ]] || note="no line to resume ($hints), $note"
    arrived
    local had=$have
    netlab set --loss 0 --delay 1 >/dev/null 2>&1 || true
    alive "$server_pid" || serve "$server_host" "$server_ip"
    transfer again
    ended
    if [ "$send_code/$recv_code" = 0/0 ] && same; then outcome=resumable; fi
    note="repeated with $((had >> 10)) KiB there: $send_code/$recv_code, $note"
}

report() {
    printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$name" "$outcome" "${back:-}" "$send_peak" "$recv_peak" "$grew" "$note" >>"$work/outcomes"
    printf '%-10s %-9s %s\n' "$name" "$outcome" "back ${back:--} ms, peak $send_peak/$recv_peak KiB, grew ${grew:-0} KiB, $note" >&2
    [ "$outcome" = "$want" ] || [ -n "$keep" ] || tail -vn 15 "$out"/*.log >&2
}

# ------------------------------------------------------------------ labs

# Two hosts on one emulated cable; the server runs on b.
two_hosts() {
    netlab up wan --seed "$run" "$@" >/dev/null 2>&1 || fail "no lab"
    serve b 10.77.0.2
}

# Two hosts behind routers of the kinds given, both a and b far from the server; all that a says and
# hears crosses the emulated link. 40 Mbit/s make the middle of a transfer long enough to be hit.
three_hosts() {
    local a=$1 b=$2
    shift 2
    netlab up nat --seed "$run" --no-reflect --nat-a "$a" --nat-b "$b" --delay 10 "$@" >/dev/null 2>&1 || fail "no lab"
    serve pub 198.18.0.10
}
slowly=(--rate 40)

host() { ip -n "p2pcp-$lab-$1" "${@:2}"; }
sever() { netlab set --loss 100 >/dev/null 2>&1; }
mend() { before_return; netlab set --loss 0 >/dev/null 2>&1; }

# ------------------------------------------------------------------ scenarios

lossy() { # lossy PERCENT MEBIBYTES: from the first packet on
    data "$2"
    two_hosts --delay 10 --loss "$1"
    transfer first
    judge
}
scenario_loss-1() { lossy 1 64; }
scenario_loss-5() { lossy 5 64; }
scenario_loss-20() { lossy 20 32; }

# Both hosts think that 1500 bytes fit; the link between them takes 1280.
scenario_mtu() {
    data 32
    three_hosts none none --mtu 1280
    transfer first
    judge
}

outage() { # outage SECONDS: nothing passes, no interface says so
    data 24
    three_hosts none none "${slowly[@]}"
    transfer first
    until_share 25
    sever
    lasts "$1"
    mend
    returned
    judge
}
scenario_cut-5() { outage 5; }
scenario_cut-30() { outage 30; }

# The cable of a is pulled and put back: addresses and routes go and come.
scenario_unplug() {
    data 24
    three_hosts none none "${slowly[@]}"
    transfer first
    until_share 25
    host a link set lan0 down
    lasts 15
    before_return
    host a link set lan0 up
    host a route replace default via 198.18.11.1
    returned
    judge
}

# From Wi-Fi to cable: another interface with another address, the first one goes away.
scenario_address() {
    data 24
    three_hosts none none "${slowly[@]}"
    transfer first
    until_share 25
    host a link add lan1 type veth peer name lan1 netns "p2pcp-$lab-nata"
    host a addr add 198.18.13.2/24 dev lan1
    host nata addr add 198.18.13.1/24 dev lan1
    host nata link set lan1 up
    host inet route add 198.18.13.0/24 via 198.18.1.2
    host a link set lan0 down
    host a addr flush dev lan0
    before_return
    host a link set lan1 up
    host a route replace default via 198.18.13.1
    returned
    judge
}

# a's NAT forgets all it knew and maps to other ports. Taking its address away for a moment makes the
# kernel drop the translations that masquerade made.
scenario_rebind() {
    data 24
    three_hosts cone none "${slowly[@]}"
    transfer first
    until_share 25
    host nata addr del 198.18.1.2/24 dev wan0
    ip netns exec "p2pcp-$lab-nata" nft "flush chain ip netlab post; add rule ip netlab post oifname wan0 meta l4proto udp masquerade to :20000-29999; add rule ip netlab post oifname wan0 masquerade"
    before_return
    host nata addr add 198.18.1.2/24 dev wan0
    host nata route replace default via 198.18.1.1
    returned
    judge
}

# The server has forgotten everything when the link is lost; transfers do not need it until then.
restarted() { # restarted SECONDS: the new server comes that long after the network
    data 24
    three_hosts none none "${slowly[@]}"
    transfer first
    until_share 25
    end "$server_pid"
    [ "$1" != 0 ] || serve pub 198.18.0.10
    until_share 40
    sever
    lasts 10
    mend
    if [ "$1" != 0 ]; then
        lasts "$1"
        before_return
        serve pub 198.18.0.10
    fi
    returned
    judge
}
scenario_restart() { restarted 0; }
scenario_server-late() { restarted 15; }

# A link that never stays up long.
scenario_flap() {
    data 24
    three_hosts none none "${slowly[@]}"
    transfer first
    until_share 10
    local i
    for i in 1 2 3 4 5; do
        sever
        lasts 4
        mend
        lasts 3
    done
    before_return
    returned
    judge
}

# The network comes back for a moment, while both sides are meeting, and goes again.
scenario_again() {
    data 24
    three_hosts none none "${slowly[@]}"
    transfer first
    until_share 25
    sever
    lasts 20
    mend
    lasts 1
    sever
    lasts 20
    mend
    returned
    judge
}

# The rendezvous is inside send; both hosts are on one network, a cable that drops all for 20 s.
scenario_lan() {
    data 512
    netlab up wan >/dev/null 2>&1 || fail "no lab"
    local h
    host a link add lan0 type veth peer name lan0 netns "p2pcp-$lab-b"
    host a addr add 10.78.0.1/24 dev lan0
    host b addr add 10.78.0.2/24 dev lan0
    for h in a b; do
        host "$h" addr flush dev wan0
        host "$h" link set lan0 up
    done
    server_pid=$BASHPID server_host=none server_ip=none
    transfer first
    until_share 5
    for h in pre:input post:output; do
        ip netns exec "p2pcp-$lab-b" nft "add table ip cut; add chain ip cut ${h%:*} { type filter hook ${h#*:} priority 0; policy drop; }"
    done
    lasts 20
    before_return
    ip netns exec "p2pcp-$lab-b" nft "delete table ip cut"
    returned
    judge
}

stopped() { # stopped ROLE SECONDS: a laptop sleeps
    data 24
    three_hosts none none "${slowly[@]}"
    transfer first
    until_share 25
    local pid=$send_pid
    [ "$1" = send ] || pid=$recv_pid
    kill -STOP "$pid"
    lasts "$2"
    before_return
    kill -CONT "$pid"
    returned
    judge
}
scenario_stop-short() { stopped recv 40; }
scenario_stop-recv() { stopped recv 120; }
scenario_stop-send() { stopped send 120; }

# A stopped receiver behind a fast link: what the sender reads has nowhere to go.
scenario_memory() {
    data 1024
    three_hosts none none
    transfer first
    until_share 25
    kill -STOP "$recv_pid"
    lasts 60
    before_return
    kill -CONT "$recv_pid"
    returned
    judge
}

# The receiver's file system takes writes for one tenth of the time only: ext4 on a loop device, frozen
# and thawed by fsfreeze, which works on every kernel and without device mapper or I/O controllers.
scenario_slow-disk() {
    truncate -s 1G "$out/disk.img"
    mkfs.ext4 -q "$out/disk.img" || die "no ext4"
    mkdir -p "$out/disk"
    mount -o loop "$out/disk.img" "$out/disk" || die "no loop device"
    mounted=$out/disk got=$out/disk/got
    data 256
    two_hosts
    transfer first
    until_share 5
    (
        trap 'fsfreeze -u "$mounted" 2>/dev/null; exit 0' TERM
        while :; do
            fsfreeze -f "$mounted" && sleep 0.9
            fsfreeze -u "$mounted" && sleep 0.1
        done
    ) 2>/dev/null &
    pulse=$!
    pids+=("$pulse")
    ended
    thaw
    grew=$((send_peak + recv_peak - calm_peak))
    judge
}

# The network never comes back: both sides say so in time, and the job can be finished later.
scenario_give-up() {
    data 24
    three_hosts none none "${slowly[@]}"
    transfer first --reconnect 15
    until_share 25
    sever
    judge
}

# The other process dies without a word: nobody will come to the meeting.
scenario_peer-gone() {
    data 24
    three_hosts none none "${slowly[@]}"
    transfer first --reconnect 15
    until_share 25
    local gone=$send_pid
    [ $((run % 2)) = 1 ] || gone=$recv_pid
    kill -KILL "$gone"
    { wait "$gone" || true; } 2>/dev/null
    ended
    case $send_code/$recv_code in
        137/5 | 5/137) repeat ;;
        *) outcome=failed note="exit codes $send_code/$recv_code" ;;
    esac
    report
}

# ------------------------------------------------------------------ runs and table

one_run() { # in a subshell of its own, so that whatever happens is cleaned up
    out=$work/$name-$run
    got=$out/got outcome='' back='' send_peak=0 recv_peak=0 grew='' note='' want=ok calm_peak=0
    case $name in give-up | peer-gone) want=resumable ;; esac
    mkdir -p "$out"
    epoch=$(now_ms)
    from=a to=b
    [ $((run % 2)) = 1 ] || { from=b to=a; }
    trap clean_run EXIT
    trap 'exit 143' TERM
    "scenario_$name"
}

while [ $# -gt 0 ]; do
    case $1 in
        --program) program=$(realpath "$2"); shift 2 ;;
        --runs) runs=$2; shift 2 ;;
        --keep) mkdir -p "$2"; keep=$(realpath "$2"); shift 2 ;;
        short) names+=("${short[@]}"); shift ;;
        long) names+=("${long[@]}"); runs=${runs:-3}; shift ;;
        list) printf '%s\n' "${long[@]}" stop-short; exit 0 ;;
        -*) fail "unknown option $1" ;;
        *) declare -F "scenario_$1" >/dev/null || fail "no scenario '$1'"; names+=("$1"); shift ;;
    esac
done
[ ${#names[@]} -gt 0 ] || names=("${short[@]}")
[ "$(id -u)" = 0 ] || skip "not root"
[ -x "$program" ] || fail "$program: not there; cargo build --release"
[ -c /dev/net/tun ] || skip "no /dev/net/tun"
for tool in ip nft gcc; do command -v $tool >/dev/null || skip "no $tool"; done
netlab build "$work/netlab/netlab" || fail "netlab does not compile"
export NETLAB_BIN=$work/netlab/netlab

: >"$work/outcomes"
for name in "${names[@]}"; do
    for ((run = 1; run <= ${runs:-1}; run++)); do
        before=$(wc -l <"$work/outcomes")
        set +e
        (set -e; one_run) &
        running=$!
        wait "$running"
        code=$?
        running=''
        set -e
        if [ "$(wc -l <"$work/outcomes")" = "$before" ]; then
            printf '%s\tfailed\t\t0\t0\t\tthe harness ended with %s\n' "$name" "$code" >>"$work/outcomes"
            printf '%-10s failed    the harness ended with %s\n' "$name" "$code" >&2
        fi
        if [ -n "$keep" ]; then
            mkdir -p "$keep/$name-$run"
            cp "$work/$name-$run"/*.log "$keep/$name-$run/" 2>/dev/null || true
        fi
        rm -rf "${work:?}/$name-$run"
    done
done

awk -F'\t' '
    !($1 in runs) { order[++n] = $1 }
    { runs[$1]++; count[$1, $2]++ }
    $3 != "" && $3 > back[$1] { back[$1] = $3 }
    $4 > peak[$1] { peak[$1] = $4 }
    $5 > peak[$1] { peak[$1] = $5 }
    $6 != "" && $6 > grew[$1] { grew[$1] = $6 }
    END {
        print "| scenario | runs | ok | resumable | late | hang | failed | back s | peak MiB | grew MiB |"
        print "|---|---|---|---|---|---|---|---|---|---|"
        for (i = 1; i <= n; i++) {
            s = order[i]
            expected = s ~ /^(give-up|peer-gone)$/ ? "resumable" : "ok"
            if (count[s, expected] < runs[s]) bad = 1
            printf "| %s | %d | %d | %d | %d | %d | %d | %s | %.0f | %s |\n", s, runs[s], count[s, "ok"], count[s, "resumable"],
                count[s, "late"], count[s, "hang"], count[s, "failed"], s in back ? sprintf("%.1f", back[s] / 1000) : "",
                peak[s] / 1024, s in grew ? sprintf("%.1f", grew[s] / 1024) : ""
        }
        exit bad
    }' "$work/outcomes"
