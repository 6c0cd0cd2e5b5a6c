#!/bin/bash
# A pendulum's recorded swing, whose mass, inertia and friction are known, through basalctl identify; what is wrong with a
# recording is said with its line.
set -eu
bin=${BASAL_BIN:?}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

sed -e 's/^name: pendulum/name: swing/' deploy/robots/pendulum.yaml >"$work/pendulum.yaml"
cat >>"$work/pendulum.yaml" <<'END'
links:
  - {name: pole, axis: [0, 1, 0], mass_kg: 1, com_m: [0, 0, -0.5], inertia_kgm2: [0.1, 0.1, 0.1, 0, 0, 0]}
END

# tau = 0.35 qdd + 0.8 x 9.81 x 0.4 sin q + 0.1 qd + 0.2 sign(qd), q a sum of two waves
awk 'BEGIN {
    print "t_s,tau_nm.pole,q_rad.pole"
    for (k = 0; k < 4000; k++) {
        t = k * 0.005
        q = sin(3 * t) + 0.7 * cos(4.3 * t); w = 3 * cos(3 * t) - 3.01 * sin(4.3 * t); a = -9 * sin(3 * t) - 12.943 * cos(4.3 * t)
        printf "%.3f,%.9f,%.9f\n", t, 0.35 * a + 0.8 * 9.81 * 0.4 * sin(q) + 0.1 * w + (w > 0 ? 0.2 : -0.2), q
    }
}' >"$work/swing.csv"

"$bin/basalctl" identify --config "$work/pendulum.yaml" "$work/swing.csv" | tee "$work/out"
near() { # PARAMETER WANTED TOLERANCE
    awk -v name="$1" -v want="$2" -v most="$3" 'index($0, name) { d = $1 - want; good = d < most && d > -most } END { exit !good }' "$work/out" ||
        { echo "FAILED: $1 is not $2"; exit 1; }
}
near "pole.m_cz" -0.32 0.002
near "pole.m_cx" 0 0.002
near "pole.Iyy + 1 pole.armature" 0.35 0.002
near pole.damping 0.1 0.002
near pole.friction 0.2 0.005
# 30 lines that are missing are a gap: they and the 30 ms about them are left out, nothing is made up between
count() { sed -n 's/.*alone or in sums; \([0-9]*\) torques.*/\1/p' "$work/out"; }
whole=$(count)
sed '2001,2030d' "$work/swing.csv" >"$work/gap.csv"
"$bin/basalctl" identify --config "$work/pendulum.yaml" "$work/gap.csv" >"$work/out"
near "pole.Iyy + 1 pole.armature" 0.35 0.002
near pole.friction 0.2 0.005
[ "$(count)" -ge $((whole - 42)) ] && [ "$(count)" -lt "$whole" ] || { echo "FAILED: $(count) torques of $whole beside a gap"; exit 1; }
grep -q "^5 of 13 parameters" "$work/out"
grep "^in no torque:" "$work/out" | grep -q " pole.m pole.m_cy"

"$bin/basalctl" identify --constants --config "$work/pendulum.yaml" "$work/swing.csv" >"$work/out"
near "pole.Iyy + 1 pole.armature" 0.35 0.002
grep -q "that of pole counts as right" "$work/out" || { echo "FAILED: whose constant counts as right"; exit 1; }
"$bin/basalctl" identify --json --config "$work/pendulum.yaml" "$work/swing.csv" | grep -q '"unseen": \["pole.m", "pole.m_cy"'

refused() { # STATUS SENTENCE ARGUMENTS
    local status=0
    "$bin/basalctl" identify "${@:3}" 2>"$work/why" || status=$?
    [ "$status" = "$1" ] || { echo "FAILED: ${*:3}: status $status"; exit 1; }
    grep -q "$2" "$work/why" || { cat "$work/why"; exit 1; }
}
sed 's/^1.000,/1.000,x/' "$work/swing.csv" >"$work/bad.csv"
refused 1 "bad.csv:202: column 2 is no finite number" --config "$work/pendulum.yaml" "$work/bad.csv"
refused 1 "cannot read" --config "$work/pendulum.yaml" "$work/none.csv"
refused 78 "links must be set" --config deploy/robots/pendulum.yaml "$work/swing.csv"
refused 2 "identify --config FILE RECORDING" "$work/swing.csv"
