#!/bin/bash
# The Debian package is built, lintian has nothing to say that is not explained, and under a real systemd it installs,
# upgrades under a running robot, and leaves nothing behind.
set -eu
bin=${BASAL_BIN:?}
ldd "$bin/basald" | grep -qE 'lib[at]san' && { echo "skipped: nobody packages sanitizers"; exit 77; }
command -v dpkg-buildpackage >/dev/null || { echo "skipped: there is no dpkg-buildpackage"; exit 77; }
. tests/system/service_lib.sh
packages "$bin/.."
container package_inside.sh /t install_ learn upgrade latch stopped remove purge
