#!/usr/bin/env bash
# Install, build, and watch a simulated crawler robot learn to crawl: basalsim speaks its servos' bytes on a pseudo-
# terminal, basald drives it as it would drive the real one. Ctrl-C leaves nothing running.
#
#   deploy/quickstart.sh              in real time, three minutes
#   deploy/quickstart.sh --lockstep   the same bytes on virtual time, as fast as this machine can
#
# SECONDS_TO_LEARN, SEED and RUN_DIR may be set in the environment.
set -euo pipefail
cd "$(dirname "$0")/.."

lockstep=no
case "${1:-}" in
'') ;;
--lockstep) lockstep=yes ;;
*)
    sed -n '2,8s/^# \{0,1\}//p' "$0"
    exit 2
    ;;
esac

seconds=${SECONDS_TO_LEARN:-180}
seed=${SEED:-1}
robot=deploy/robots/crawler.yaml
bin=build/release/bin
run=${RUN_DIR:-$PWD/build/quickstart}

deploy/install-deps.sh
echo "building ..."
cmake --preset release >/dev/null
cmake --build --preset release -j "$(nproc)" -- -s >"${TMPDIR:-/tmp}/basald-build.log" 2>&1 ||
    { cat "${TMPDIR:-/tmp}/basald-build.log" >&2; exit 1; }
rm -rf "$run"
mkdir -p "$run"

field() { sed -n "s/.*\"$2\": \"\{0,1\}\([^,\"}]*\).*/\1/p" "$1" | tail -n 1; }

# The learning curve from metrics.jsonl as a picture.
draw() {
    sed -n 's/.*"time\/total_timesteps": *\([0-9]*\).*"rollout\/ep_rew_mean": *\([-0-9.e]*\).*/\1 \2/p' "$run/metrics.jsonl" >"$run/curve.dat"
    [ -s "$run/curve.dat" ] || return 0
    gnuplot -e "set terminal png size 900,500; set output '$run/curve.png'; set grid; set key off;
        set xlabel 'policy steps (20 a second)'; set ylabel 'return per episode';
        set title 'the crawler learns to crawl'; plot '$run/curve.dat' with linespoints lw 2 pt 7" 2>/dev/null &&
        echo "learning curve   $run/curve.png"
}

summary() { # speed
    local best
    best=$(sed -n 's/^best_known_speed_m_s: \([0-9.]*\).*/\1/p' $robot)
    awk -v v="$1" -v b="$best" 'BEGIN { printf "speed            %.4f m/s, %.0f %% of the best gait known (%.4f m/s)\n", v, 100 * v / b, b }'
    draw
    echo "checkpoint       $(readlink -f "$run/last" 2>/dev/null || echo none)"
}

if [ $lockstep = yes ]; then
    steps=$((seconds * 20))
    [ "$seconds" = 180 ] && steps=2400
    echo "learning $steps policy steps in lockstep ..."
    $bin/basald --lockstep --config $robot --seed "$seed" --steps $steps --run-dir "$run" --checkpoint-steps 800 --json >"$run/result.json"
    echo
    echo "learned          $(field "$run/result.json" updates) updates in $(field "$run/result.json" wall_s) s"
    summary "$(field "$run/result.json" final_speed_m_s)"
    exit 0
fi

pids=()
stop_all() {
    trap - EXIT INT TERM
    for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
        kill "${pids[i]}" 2>/dev/null || true
        wait "${pids[i]}" 2>/dev/null || true
    done
}
trap 'stop_all; exit 130' INT TERM
trap stop_all EXIT

ctl() { $bin/basalctl --runtime-dir "$run/sockets" "$@"; }

$bin/basalsim --config $robot --link "$run/servo" --seed "$seed" --truth "$run/truth.jsonl" </dev/null >"$run/basalsim.log" 2>&1 &
pids+=($!)
for _ in $(seq 50); do [ -e "$run/servo" ] && break; sleep 0.1; done
$bin/basald --config $robot --set bus.servo.device="$run/servo" --runtime-dir "$run/sockets" --run-dir "$run" \
    --seed "$seed" --set comms.telemetry=off 2>"$run/basald.log" &
pids+=($!)
for _ in $(seq 100); do ctl health >/dev/null 2>&1 && break; sleep 0.1; done
ctl health || { cat "$run/basald.log" >&2; exit 1; }

ctl arm >/dev/null
for _ in $(seq 50); do ctl run >/dev/null 2>&1 && break; sleep 0.1; done
echo "the robot learns for $seconds s; follow it closer with: $bin/basalctl --runtime-dir $run/sockets monitor"
how=(--until-fault --seconds "$seconds")
[ -t 1 ] || how+=(--lines --hz 0.1)
ctl monitor "${how[@]}" || { echo "quickstart: the robot stopped; $run/basald.log says more" >&2; exit 1; }

# thirty seconds without exploring, judged by the body's true way
ctl run --no-explore --no-learn >/dev/null
way() { sed -n 's/.*"q": \[\([^]]*\)\].*/\1/p' "$run/truth.jsonl" | tail -n 1 | awk -F', ' '{ print $3 * 0.02 }'; }
sleep 1
from=$(way)
sleep 30
to=$(way)
ctl stop >/dev/null
sleep 1
updates=$(ctl status --json | sed -n 's/.*"updates": \([0-9]*\).*/\1/p')
stop_all
trap - EXIT
echo
echo "learned          $updates updates in $seconds s of robot time"
summary "$(awk -v a="$from" -v b="$to" 'BEGIN { print (b - a) / 30 }')"
