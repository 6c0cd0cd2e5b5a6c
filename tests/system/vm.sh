#!/bin/bash
# A whole machine: Debian with its PREEMPT_RT kernel in a virtual machine whose clock counts instructions (vm-run), systemd
# its first process. The package is installed, upgraded, removed and purged in it (package_inside.sh), learns with another
# processor's instructions than the one it was built on, and ci_vcan.sh runs, which most build machines skip; six motors on a
# virtual CAN bus at a kilohertz, and what goes wrong there (can_inside.sh). Each "ok" line is a test that ran inside. One JSON
# line.
#
#   vm.sh          ten seconds of the machine's own time for each measurement on the bus
#   vm.sh --long   sixty
set -euo pipefail
bin=${BASAL_BIN:?}
tests=14 seconds=10
[ "${1:-}" != --long ] || seconds=60
. tests/system/service_lib.sh
packages "$bin/.."
cp tests/system/{vm,package,can}_inside.sh tests/system/{service_steps,ci_vcan}.sh "$bin/../tests/test_can_vcan" "$work/"
cp -r deploy/robots "$work/"
start=$SECONDS status=0
tests/system/vm-run -s "$work" -t $((900 + 60 * seconds)) bash /host/vm_inside.sh "$PWD" $seconds | tee "$work/said" || status=${PIPESTATUS[0]}
if [ "$status" = 126 ]; then
    echo "skipped: no virtual machine can be made here"
    exit 77
fi
ok=$(grep -c '^ok - ' "$work/said" || true)
good=false
[ "$status" = 0 ] && [ "$ok" = $tests ] && good=true
echo "{\"test\": \"vm\", \"good\": $good, \"ok\": $ok, \"of\": $tests, \"wall_s\": $((SECONDS - start))}"
[ $good = true ]
