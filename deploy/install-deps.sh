#!/usr/bin/env bash
# Install what basald needs on Debian 12: to build and run; with --dev also what its tests and analysis need, and MuJoCo,
# without which robots on MuJoCo's bodies are refused and their tests skipped.
set -euo pipefail

build=(gcc libc6-dev cmake make pkg-config ca-certificates
    libzmq3-dev libprotobuf-c-dev protobuf-c-compiler protobuf-compiler liblapacke-dev libopenblas-serial-dev
    libsystemd-dev liburing-dev libyaml-dev libjansson-dev gnuplot-nox)
dev=(build-essential debhelper lintian libcmocka-dev clang clang-tidy clang-format libclang-rt-14-dev cppcheck shellcheck rt-tests strace systemd
    systemd-container dbus mmdebstrap mandoc python3-zmq python3-protobuf python3-venv python3 git procps util-linux
    gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static libmujoco-dev
    qemu-system-x86 cpio xz-utils)

packages=("${build[@]}")
[ "${1:-}" = --dev ] && packages+=("${dev[@]}")

missing=()
for p in "${packages[@]}"; do
    dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing+=("$p")
done
[ ${#missing[@]} -eq 0 ] && exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "install-deps: run as root, or install sudo" >&2; exit 77; }
    as_root=(sudo)
fi
echo "install-deps: installing ${#missing[@]} packages: ${missing[*]}"
"${as_root[@]}" apt-get update -qq
DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
