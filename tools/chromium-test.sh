#!/usr/bin/env bash
# Data channels between headless Chromium and the stack below p2pcp: `tools/chromium-test.sh [MIB]`, 64 MiB each way if
# nothing is said, 1024 for the long version. Says that it is skipped where there is no chromium that starts.
set -euo pipefail
cd "$(dirname "$0")/.."
# The name that the program will take, too. It may be a mere hint at another way to install it.
for browser in chromium chromium-browser google-chrome none; do command -v "$browser" >/dev/null && break; done
if ! "$browser" --version >/dev/null 2>&1; then
    echo "SKIPPED: no chromium that starts (Debian: apt-get install --no-install-recommends chromium)"
    exit 0
fi
exec cargo run --locked --quiet ${PROFILE:+--profile "$PROFILE"} --example chromium-test -- "$@"
