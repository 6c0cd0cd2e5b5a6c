#!/usr/bin/env bash
# The plant on SocketCAN: virtual interfaces in a network namespace of their own, so that nothing of them stays. Exit
# status 77 where the kernel has no CAN, or this is not root.
set -euo pipefail
test=${BASAL_TESTS:?}/test_can_vcan

[ "$(id -u)" = 0 ] || { echo "skipped: makes network interfaces, which takes root"; exit 77; }
for p in ip unshare; do command -v $p >/dev/null || { echo "skipped: $p is not installed"; exit 77; }; done
modprobe -q vcan 2>/dev/null || true
modprobe -q can-raw 2>/dev/null || true
unshare -n ip link add vcan0 type vcan 2>/dev/null || { echo "skipped: this kernel has no vcan"; exit 77; }

# shellcheck disable=SC2016 # for the inner shell
unshare -n bash -euc '
    ip link add vcan0 type vcan && ip link set vcan0 mtu 72 txqueuelen 10 up
    ip link add vcan1 type vcan && ip link set vcan1 mtu 16 txqueuelen 1000 up
    ip link add vcan2 type vcan
    exec "$0"' "$test"
