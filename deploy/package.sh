#!/usr/bin/env bash
# Build the Debian package of the release build, and let lintian judge it: whatever it says fails, unless it stands with
# its reason in deploy/debian/basald.lintian-overrides. The last line is the package's path, build/release/package/*.deb.
# Nothing is done again while nothing has changed. BUILD_DIR may be set in the environment, to another build folder.
set -euo pipefail
cd "$(dirname "$0")/.."

die() { echo "package: $1" >&2; exit 1; }
build=$(realpath -m "${BUILD_DIR:-build/release}")
out=$build/package
for tool in dpkg-buildpackage dh lintian; do
    command -v $tool >/dev/null || die "there is no $tool: deploy/install-deps.sh --dev"
done
[ -e "$build/CMakeCache.txt" ] || cmake --preset release -B "$build" >/dev/null
cmake --build "$build" -j "$(nproc)" --target basald basalctl basalsim basal-bench man -- -s >/dev/null

if [ -e "$out/judged" ] && [ -z "$(find "$build/bin" deploy README.md CHANGELOG.md -newer "$out/judged" -print -quit)" ]; then
    cat "$out/judged"
    exit 0
fi

# debian/ is wanted at the top of a folder, and scratch is left in it
rm -rf "$out"
mkdir -p "$out/source"
cp -r deploy/debian CHANGELOG.md "$out/source/"
cd "$out/source"
version=$(dpkg-parsechangelog -S Version)
said=$("$build/bin/basald" --version)
[ "${said##* }" = "${version%-*}" ] || die "deploy/debian/changelog has version $version, but \"$said\""
BASAL_BUILD=$build dpkg-buildpackage -b -us -uc >../build.log 2>&1 || { tail -n 40 ../build.log >&2; die "see $out/build.log"; }

awk '/^[^#]/ && !explained { print FILENAME ": no comment says why: " $0; bad = 1 } { explained = /^#/ } END { exit bad }' \
    debian/basald.lintian-overrides >&2 || die "an override is not explained"
lintian --allow-root --display-info --pedantic --fail-on error,warning,info,pedantic ../basald_"$version"_*.changes ||
    die "lintian: see above"
ls "$out"/basald_"$version"_*.deb | tee ../judged
