#!/bin/bash
# What needs libc and libm alone, on 64-bit ARM: the floor, the codecs on both sides of the bus, the networks with their
# NEON kernels. Cross-compiled as the release is, without BLAS; its unit tests run under qemu.
set -eu
cd "$(dirname "$0")/../.."
cc=aarch64-linux-gnu-gcc
qemu="qemu-aarch64-static"
for tool in $cc aarch64-linux-gnu-ar $qemu; do
    command -v $tool >/dev/null || { echo "skipped: no $tool here"; exit 77; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

flags=(-std=c17 -D_GNU_SOURCE -DBASAL_NO_CBLAS -DBASALD_VERSION='"test"' -O2 -Wall -Wextra -Werror -fno-math-errno
    -I . -I tests/aarch64 -DTEST_DATA='"tests"' -DSOURCE_DIR='"."' -pthread)
compile() { # source: as CMakeLists.txt says
    local contract=off object
    [ "$1" != policies/nn/kernel_neon.c ] || contract=fast
    object=$work/$(echo "${1%.c}" | tr / _).o
    "$cc" "${flags[@]}" -ffp-contract=$contract -c "$1" -o "$object"
}

for source in daemon/base/*.c policies/*.c policies/nn/*.c drivers/*.c sim/firmware/*.c; do
    [ "$source" = policies/nn/kernel_cblas.c ] || compile "$source"
done
aarch64-linux-gnu-ar rcs "$work/libbasal.a" "$work"/*.o

failed=0
for name in base base_threads team kernel priority dynamixel_packet dynamixel_decode dynamixel_setup firmware \
    feetech_packet feetech_decode feetech_setup feetech_firmware; do
    "$cc" "${flags[@]}" -static tests/unit/test_$name.c "$work/libbasal.a" -lm -o "$work/test_$name"
    start=$SECONDS
    status=0
    "$qemu" "$work/test_$name" >"$work/out" 2>&1 || status=$?
    if [ $status -ne 0 ]; then
        echo "test_$name on aarch64: exit status $status"
        tail -n 20 "$work/out"
        failed=1
    else
        echo "test_$name: $((SECONDS - start)) s"
        grep '^skipped' "$work/out" || true
    fi
done
exit $failed
