#!/usr/bin/env bash
# Install, build and pass the tests.
#
#   tests/run.sh            unit, loop and system tests that need no real time
#   tests/run.sh --long     what takes longer: five seeds, real-time quickstart, faults, unplug, kill9, partners, gymnasium,
#                           service, vm, fuzzing, what the arm learns
#   tests/run.sh NAME       one of: faults unplug kill9 partner partner_feetech partner_can gymnasium service vm fuzz arm; each
#                           prints JSON lines. service and vm want root: a real systemd in a container, a test build whose
#                           threads hang and crash on order; a virtual machine with a PREEMPT_RT kernel and CAN, in which a
#                           measurement lasts ten seconds of its clock, with vm --long and in --long sixty.
set -euo pipefail
cd "$(dirname "$0")/.."

build() {
    deploy/install-deps.sh --dev
    cmake --preset "$1" >/dev/null
    cmake --build --preset "$1" -j "$(nproc)" -- -s
}

# 77: cannot run here, which the test has said itself
skipped() { [ "$1" -eq 77 ] || exit "$1"; }

case "${1:-}" in
'')
    build release
    ctest --test-dir build/release --output-on-failure -j "$(nproc)"
    ;;
--long)
    build release
    ctest --test-dir build/release --output-on-failure -j "$(nproc)"
    for name in faults unplug kill9 partner partner_feetech partner_can gymnasium service; do
        tests/run.sh $name || skipped $?
    done
    . tests/beside.sh
    beside_begins tests/run.sh vm --long # no clock judges what runs beside it
    BASAL_BIN=$PWD/build/release/bin bash tests/learn/ci_crawl.sh --long
    tests/run.sh arm
    FUZZ_SECONDS=60 tests/run.sh fuzz
    beside_ends || skipped $?
    deploy/quickstart.sh
    ;;
faults | unplug | kill9 | partner | partner_feetech | partner_can | gymnasium | service | vm)
    build release >&2
    BASAL_BIN=$PWD/build/release/bin bash "tests/system/$1.sh" "${@:2}"
    ;;
arm)
    build release >&2
    BASAL_BIN=$PWD/build/release/bin bash tests/learn/arm.sh
    ;;
fuzz)
    build analyze >&2
    bash tests/fuzz/run.sh "${FUZZ_SECONDS:-15}"
    ;;
*)
    sed -n '2,10s/^# \{0,1\}//p' "$0"
    exit 2
    ;;
esac
