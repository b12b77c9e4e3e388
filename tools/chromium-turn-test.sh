#!/usr/bin/env bash
# Two connections of headless Chromium through the relay of `p2pcp signal`, over UDP and TCP: `tools/chromium-turn-test.sh [PROGRAM]`,
# the release build if nothing is said. Says that it is skipped where there is no chromium that starts.
set -euo pipefail
cd "$(dirname "$0")/.."
# The name that the program will take, too. It may be a mere hint at another way to install it.
for browser in chromium chromium-browser google-chrome none; do command -v "$browser" >/dev/null && break; done
if ! "$browser" --version >/dev/null 2>&1; then
    echo "SKIPPED: no chromium that starts (Debian: apt-get install --no-install-recommends chromium)"
    exit 0
fi
exec cargo run --locked --quiet ${PROFILE:+--profile "$PROFILE"} --example chromium-turn-test -- "$@"
