#!/usr/bin/env bash
# Whether p2pcp still compiles, without a warning, for the systems that it is not tested on.
#
#     tools/check-targets.sh [TARGET]...     aarch64-apple-darwin and x86_64-pc-windows-gnu if nothing is said
#
# Nothing is linked and nothing runs, so no compiler for these systems is needed: where C is to be compiled, empty objects are
# made. What has been checked stays below `target/`. A target whose standard library cannot be had is skipped, and said to be.
set -euo pipefail
export LC_ALL=C

cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- aarch64-apple-darwin x86_64-pc-windows-gnu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# It says that it is clang, and not the one that takes flags of the form `/flag`, which knows `-?`.
cat >"$work/cc" <<'END'
#!/bin/sh
for argument in "$@"; do
    case $argument in -E) echo '#pragma message "clang"'; exit ;; '-?') exit 1 ;; esac
    [ "${before:-}" != -o ] || : >"$argument"
    before=$argument
done
END
chmod +x "$work/cc"

has() { [ -d "$(rustc --print sysroot)/lib/rustlib/$1/lib" ]; }

for target in "$@"; do
    if ! has "$target" && command -v rustup >/dev/null; then
        timeout 120 rustup target add "$target" >/dev/null 2>&1 || true
    fi
    if ! has "$target"; then
        printf 'skipped: %s, as its standard library is not here and rustup does not get it\n' "$target"
        continue
    fi
    name=${target//-/_}
    # Tests look at Linux's own ways too, and are not for other systems yet.
    env "CC_$name=$work/cc" "AR_$name=ar" cargo clippy --locked --quiet --target "$target" --lib --bins --examples -- -D warnings
    printf 'compiles without a warning: %s\n' "$target"
done
