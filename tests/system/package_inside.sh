#!/bin/bash
# Inside of a container or a virtual machine with a real systemd: the Debian package installed, upgraded under a running
# robot, removed, purged. basalsim is the robot, whose learner is small: how well it learns is not what is tested.
#
#   package_inside.sh FOLDER SCENARIO...   which holds old.deb, new.deb and newer.deb; each goes on where the one before ended
set -euo pipefail
. "$(dirname "$0")/service_steps.sh"
debs=$1
shift

everything() { find /etc /lib /usr /var /opt /srv -xdev \( -path /var/log -o -path /var/tmp -o -path /var/lib/dpkg \) -prune -o -print | sort; }
dpkg_i() { dpkg -i "$debs/$1.deb" >/tmp/dpkg.log 2>&1 || fail "dpkg -i $1.deb: $(cat /tmp/dpkg.log)"; }
version() { dpkg-query -W -f '${Version}' basald; }
state_of_unit() { echo "$(systemctl is-enabled basald 2>/dev/null), $(systemctl is-active basald 2>/dev/null)"; }
second() { basalctl --runtime-dir /run/basald-arm status --json 2>/dev/null | grep -qE "\"state\": *\"$1\""; }

# Nothing starts: a robot is its owner's to start, and there is none.
install_() {
    dpkg_i old
    [ "$(state_of_unit)" = "disabled, inactive" ] || fail "the unit is $(state_of_unit)"
    [ "$(dpkg --verify basald)" = "" ] || fail "what was installed differs: $(dpkg --verify basald)"
    getent passwd basald >/dev/null && getent group basald >/dev/null || fail "there is no user basald"
    [ -d /etc/basald ] && [ -z "$(ls -A /etc/basald)" ] || fail "/etc/basald is not an empty folder"
    [ ! -e /var/lib/basald ] || fail "there is state before there was a robot"
    cursor_here
    if systemctl start basald 2>/dev/null; then fail "it starts without a robot file"; fi
    [ "$(systemctl show -p ExecMainStatus --value basald)" = 78 ] || fail "without a robot file it does not leave with 78"
    said_it "/etc/basald/basald.yaml" || fail "it does not say which file it wants"
    [ "$(restarts)" = 0 ] || fail "it tries again without a robot file"
    systemctl reset-failed basald
}

learn() {
    a_robot
    sed -i 's/^\( *net_arch\): .*/\1: [16, 16]/; s/^\( *\(batch_size\|learning_starts\)\): [0-9]*/\1: 16/; s/^\( *gradient_steps\): [0-9]*/\1: 1/' /etc/basald/basald.yaml
    systemctl enable --quiet basald
    start_limp
    go
    until_true "updates" 60 at_least updates 20
    until_true "the policy drives" 20 test "$(field driven_by)" = policy
}

# The running robot stops under control and is limp in its next life, with what it learnt; so does the one beside it.
upgrade() {
    second_robot
    basalctl --runtime-dir /run/basald-arm arm >/dev/null || fail "the second arms"
    until_true "the second is ready" 10 second ready
    local p q rows before order
    p=$(pid) q=$(systemctl show -p MainPID --value basald@arm) rows=$(number replay_rows) before=$(version)
    cursor_here
    dpkg_i new
    dpkg --compare-versions "$(version)" gt "$before" || fail "version $(version) is installed"
    until_true "another life" 20 another_pid "$p"
    until_true "limp" 10 is limp
    until_true "torque off" 5 torques_off
    order=$(order_of 'SIGTERM: stopping|running -> stopping|stopping -> limp|make safe: torque is off on every device')
    [ "$order" = 'SIGTERM: stopping|running -> stopping|stopping -> limp|make safe: torque is off on every device|' ] ||
        fail "the order of the stop was $order"
    at_least replay_rows "$rows" || fail "$(number replay_rows) rows, there were $rows"
    at_least updates 20 || fail "$(number updates) updates: the networks are gone"
    [ "$(state_of_unit)" = "enabled, active" ] || fail "the unit is $(state_of_unit)"
    until_true "the second is limp" 20 second limp
    [ "$(systemctl show -p MainPID --value basald@arm)" != "$q" ] || fail "basald@arm still runs the old program"
    systemctl stop basald@arm armsim
}

latch() {
    go --random
    basalctl estop >/dev/null
    until_true "estop" 10 is estop
    local p
    p=$(pid)
    dpkg_i newer
    until_true "another life" 20 another_pid "$p"
    until_true "estop after the upgrade" 10 is estop
    if basalctl arm >/dev/null 2>&1; then fail "armed under an estop"; fi
    until_true "cleared" 10 basalctl clear >/dev/null 2>&1
    until_true "limp" 10 is limp
}

# One that its owner stopped stays stopped over an upgrade, enabled or not.
stopped() {
    systemctl stop basald
    dpkg_i newer
    [ "$(state_of_unit)" = "enabled, inactive" ] || fail "the unit is $(state_of_unit)"
    start_limp
}

remove() {
    go --random
    cursor_here
    dpkg -r basald >/tmp/dpkg.log 2>&1 || fail "dpkg -r: $(cat /tmp/dpkg.log)"
    [ "$(systemctl is-active basald)" = inactive ] || fail "the service is $(systemctl is-active basald)"
    said_it "make safe: torque is off on every device" || fail "nobody made the robot safe"
    [ ! -e /usr/bin/basald ] && [ ! -e /run/basald ] || fail "programs or sockets are still there"
    [ -e /var/lib/basald/last/state.pb ] && [ -e /etc/basald/basald.yaml ] || fail "what it learnt, or its robot file, is gone"
    dpkg_i newer
    start_limp
    at_least updates 20 || fail "installed again, it does not go on"
}

# What is left: its user, whose number must not go to another, and the robot files, which are somebody's work.
purge() {
    local left
    go --random
    dpkg -P basald >/tmp/dpkg.log 2>&1 || fail "dpkg -P: $(cat /tmp/dpkg.log)"
    systemctl stop basalsim 2>/dev/null || true
    rm -f /etc/systemd/system/basalsim.service
    systemctl daemon-reload
    left=$(comm -13 /tmp/before <(everything) | grep -vE '^(/etc/(passwd|group|shadow|gshadow)-|/var/cache/.*)$' | tr '\n' ' ')
    [ "$left" = "/etc/basald /etc/basald/arm.yaml /etc/basald/basald.yaml " ] || fail "left behind: $left"
    [ -z "$(comm -23 /tmp/before <(everything))" ] || fail "it took along $(comm -23 /tmp/before <(everything))"
    systemctl cat basald >/dev/null 2>&1 && fail "systemd still knows the unit"
    [ -z "$(pgrep -x basald || true)" ] || fail "it still runs"
}

rm -f /usr/sbin/policy-rc.d # a build machine's: nothing may start
rm -f /var/lib/man-db/auto-update
everything >/tmp/before
scenarios "$@"
echo "{\"test\": \"package\", \"good\": true, \"scenarios\": [${done_list%, }]}"
