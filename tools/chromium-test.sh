#!/usr/bin/env bash
# Data channels between headless Chromium and the stack below p2pcp: `tools/chromium-test.sh [MIB]`, 64 MiB each way if
# nothing is said, 1024 for the long version. Says that it is skipped where there is no chromium.
set -euo pipefail
cd "$(dirname "$0")/.."
exec cargo run --locked --quiet ${PROFILE:+--profile "$PROFILE"} --example chromium-test -- "$@"
