#!/usr/bin/env bash
# Watches the system calls of a real `recv` on loopback and checks their order: bytes are synced before the
# journal speaks of them, files with their times before they are renamed, folders after the renames and before
# `send` is told. Needs strace that may trace; says so and passes if not.
#
#     tools/strace-order.sh [PROGRAM [MEBIBYTES]]
set -euo pipefail

program=${1:-"$(cd "$(dirname "$0")/.." && pwd)/target/release/p2pcp"}
mebibytes=${2:-256}
work=$(mktemp -d)
sender=''

skip() { printf 'SKIPPED: %s\n' "$1"; exit 0; }
clean() {
    [ -z "$sender" ] || kill "$sender" 2>/dev/null || true
    rm -rf "$work"
}
trap clean EXIT

command -v strace >/dev/null || skip "no strace"
strace -o /dev/null true 2>/dev/null || skip "strace may not trace here"

mkdir -p "$work/tree/sub" "$work/tree/many" "$work/got" "$work/empty"
head -c "${mebibytes}M" /dev/urandom >"$work/tree/big"
head -c 100000 /dev/urandom >"$work/tree/sub/small"
for number in $(seq 40); do printf '%s\n' "$number" >"$work/tree/many/$number"; done
ln -s small "$work/tree/sub/link"

cd "$work/empty"
strace -f -ttt -e trace=exit_group -o "$work/send.trace" "$program" send --loopback ../tree 2>"$work/send.log" &
sender=$!
code=''
for _ in $(seq 600); do
    code=$(grep -oE '[0-9]+-[a-z]+-[a-z]+' "$work/send.log" | head -n 1 || true)
    [ -n "$code" ] && break
    sleep 0.05
done
[ -n "$code" ] || { cat "$work/send.log"; echo "FAILED: no code"; exit 1; }
calls=pwrite64,fsync,fdatasync,syncfs,rename,renameat,renameat2,linkat,symlinkat,mkdirat,utimensat,fchmod,ftruncate
strace -f -ttt -y -xx -s 16384 -e "trace=$calls" -o "$work/recv.trace" \
    "$program" recv --loopback --yes -o ../got "$code" 2>"$work/recv.log" \
    || { cat "$work/send.log" "$work/recv.log"; echo "FAILED: recv"; exit 1; }
wait "$sender"
sender=''
diff -r "$work/tree" "$work/got/tree"

# A call counts from the line that begins it to the line that ends it; a sync covers what had ended when it began.
told=$(awk '/exit_group\(/ { print $2; exit }' "$work/send.trace")
awk -v root="$work/got" -v told="$told" '
    function fail(text) { print "FAILED: " text; failed++ }
    function unhex(text,    out, at) {
        out = ""
        for (at = 1; at < length(text); at += 4) out = out sprintf("%c", number(substr(text, at + 2, 2)))
        return out
    }
    function digit(c) { return index("0123456789abcdef", c) - 1 }
    function number(two) { return digit(substr(two, 1, 1)) * 16 + digit(substr(two, 2, 1)) }
    function byte(text, at) { return number(substr(text, at * 4 + 3, 2)) }
    function word(text, at) {
        return byte(text, at) + 256 * (byte(text, at + 1) + 256 * (byte(text, at + 2) + 256 * byte(text, at + 3)))
    }
    function fd_path(text) { sub(/^[^<]*</, "", text); sub(/>.*/, "", text); if (text ~ /^\\x/) text = unhex(text); return text }
    function strings(text,    rest) {
        count = 0; rest = text
        while (match(rest, /"[^"]*"/)) { name[count++] = substr(rest, RSTART + 1, RLENGTH - 2); rest = substr(rest, RSTART + RLENGTH) }
    }
    function synced(path, at) { return (path in sync_began && sync_began[path] > at) || all_began > at }
    # Chunks that a journal write speaks of: records of 4 + 44 + 8 bytes whose kind is 2.
    function journal(stage, text, began,    at, size, file, chunk, key) {
        size = length(text) / 4
        for (at = 0; at + 4 <= size; at += 12 + word(text, at)) {
            if (word(text, at) != 44 || word(text, at + 4) != 2) continue
            file = stage "/data/" word(text, at + 8); chunk = word(text, at + 12); key = file " " chunk
            spoken++
            if (!(key in written)) fail("the journal speaks of chunk " key ", which was never written")
            else if (!((data_began[file] > written[key] && data_ended[file] < began) || (all_began > written[key] && all_ended < began)))
                fail("the journal speaks of chunk " key " before it is synced")
        }
    }
    /<unfinished \.\.\.>/ {
        line = $0; sub(/ *<unfinished \.\.\.>.*/, "", line); open_line[$1] = line; open_at[$1] = NR; next
    }
    {
        line = $0; began = NR
        if ($0 ~ /<\.\.\. [a-z0-9]+ resumed>/) {
            rest = $0; sub(/.* resumed>/, "", rest); line = open_line[$1] rest; began = open_at[$1]
        }
        if (line !~ /\) += +[0-9]/) next
        time = $2
        call = line; sub(/^[0-9]+ +[0-9.]+ +/, "", call); arguments = call; sub(/^[a-z0-9]+\(/, "", arguments); sub(/\(.*/, "", call)
        path = fd_path(arguments)
        if (call == "pwrite64") {
            strings(arguments); size = arguments; sub(/.*\) += +/, "", size)
            offset = arguments; sub(/\) += .*/, "", offset); sub(/.*, /, "", offset)
            if (path ~ /\/journal$/) { stage = path; sub(/\/journal$/, "", stage); journal(stage, name[0], began) }
            else { written[path " " int(offset / 1048576)] = NR; changed[path] = NR; writes++ }
        } else if (call == "utimensat" || call == "fchmod" || call == "ftruncate") {
            changed[path] = NR
        } else if (call == "fsync") {
            if (began > sync_began[path]) sync_began[path] = began
            data_began[path] = began; data_ended[path] = NR
            if (path in named) named_synced[path] = time
            syncs++
        } else if (call == "fdatasync") {
            data_began[path] = began; data_ended[path] = NR; syncs++
        } else if (call == "syncfs") {
            all_began = began; all_ended = NR; all_time = time; syncs++
        } else if (call ~ /^rename|^linkat/) {
            strings(arguments); from = path "/" unhex(name[0])
            rest = arguments; sub(/^[^>]*>[^>]*"[^<]*/, "", rest); to = fd_path(rest)
            if (to ~ /\/data$/) next
            if (!synced(from, changed[from])) fail("renamed before it is synced: " from)
            named[to] = NR; renames++
        } else if (call == "symlinkat") {
            sub(/^[^<]*/, "", arguments); path = fd_path(arguments)
            named[path] = NR; renames++
        } else if (call == "mkdirat") {
            strings(arguments)
            if (path !~ /\.p2pcp-/ && unhex(name[0]) !~ /^\.p2pcp-/) { named[path] = NR; folders++ }
        }
    }
    END {
        for (folder in named) {
            if (!synced(folder, named[folder])) fail("not synced after the last name: " folder)
            synced_at = named_synced[folder] > all_time ? named_synced[folder] : all_time
            if (synced_at > told) fail("synced only after `send` was told: " folder)
        }
        if (!spoken) fail("no chunk was journaled: send more")
        if (folders < 3) fail("only " folders + 0 " folders were made")
        if (renames < 43) fail("only " renames " names were given")
        printf "%d writes, %d syncs, %d journaled chunks, %d names, %d folders; %d failures\n", writes, syncs, spoken, renames, folders, failed
        exit failed > 0
    }
' "$work/recv.trace"
