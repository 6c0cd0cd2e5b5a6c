#!/usr/bin/env bash
# Install, build, and watch a simulated crawler robot learn to crawl: basalsim speaks its servos' bytes on a pseudo-
# terminal, basald drives it as it would drive the real one. Ctrl-C leaves nothing running.
#
#   deploy/quickstart.sh              in real time, three minutes
#   deploy/quickstart.sh --lockstep   the same bytes on virtual time, as fast as this machine can
#
# SECONDS_TO_LEARN, SEED, BUILD_DIR and RUN_DIR may be set in the environment.
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
judged=30
robot=deploy/robots/crawler.yaml
build=$(realpath -m "${BUILD_DIR:-build/release}")
run=$(realpath -m "${RUN_DIR:-build/quickstart}")
bin=$build/bin
sockets=$run/sockets
loose=

die() { echo "quickstart: $1" >&2; exit 1; }
[[ $seconds =~ ^[1-9][0-9]*$ ]] || die "SECONDS_TO_LEARN is \"$seconds\": a whole number of seconds is wanted"
[[ $seed =~ ^[0-9]+$ ]] || die "SEED is \"$seed\": a whole number is wanted"

pids=()
stop_all() {
    trap - EXIT
    trap '' INT TERM # a second Ctrl-C does not leave half of it running
    local i
    for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
        kill "${pids[i]}" 2>/dev/null || true
        wait "${pids[i]}" 2>/dev/null || true
    done
    [ -z "$loose" ] || rm -rf "$loose"
}
trap 'stop_all; exit 130' INT TERM HUP
trap stop_all EXIT

deploy/install-deps.sh

# a former run's folder is made new; another folder is nobody's to delete
mkdir -p "$build" "$(dirname "$run")"
if [ "$run" != "$PWD/build/quickstart" ] && [ -e "$run" ] && [ -n "$(ls -A "$run")" ] && [ ! -e "$run/.quickstart" ]; then
    die "$run is not empty and no quickstart made it; give another RUN_DIR"
fi
mkdir -p "$run"
touch "$run/.quickstart"
exec 9<"$run/.quickstart"
flock -n 9 || die "another quickstart runs in $run; wait for it, or give another RUN_DIR"
find "$run" -mindepth 1 -not -name .quickstart -delete

echo "building ..."
{ cmake --preset release -B "$build" && cmake --build "$build" -j "$(nproc)" -- -s; } >"$run/build.log" 2>&1 9<&- ||
    { cat "$run/build.log" >&2; die "it does not build"; }

field() { sed -n "s/.*\"$2\": \"\{0,1\}\([^,\"}]*\).*/\1/p" "$1" | tail -n 1; }

# The learning curve from metrics.jsonl as a picture.
draw() {
    sed -n 's/.*"time\/total_timesteps": *\([0-9]*\).*"rollout\/ep_rew_mean": *\([-0-9.e]*\).*/\1 \2/p' "$run/metrics.jsonl" |
        awk '{ print $1 / 20, $2 }' >"$run/curve.dat"
    [ -s "$run/curve.dat" ] || return 0
    (cd "$run" && gnuplot -e "set terminal png size 900,500; set output 'curve.png'; set grid; set key off;
        set xlabel 'seconds of robot time'; set ylabel 'return per episode';
        set title 'the crawler learns to crawl'; plot 'curve.dat' with linespoints lw 2 pt 7" 2>"$run/gnuplot.log") &&
        echo "learning curve   $run/curve.png"
}

summary() { # speed
    local best
    best=$(sed -n 's/^best_known_speed_m_s: \([0-9.]*\).*/\1/p' $robot)
    awk -v v="$1" -v b="$best" 'BEGIN { printf "speed            %.4f m/s, %.0f %% of the best gait known (%.4f m/s)\n", v, 100 * v / b, b }'
    draw || echo "learning curve   not drawn: $(tail -n 1 "$run/gnuplot.log")"
    echo "checkpoint       $(readlink -e "$run/last" 2>/dev/null || echo none)"
}

if [ $lockstep = yes ]; then
    steps=$((seconds * 20))
    [ "$seconds" = 180 ] && steps=2400
    echo "learning $steps policy steps in lockstep, $((steps / 20)) s of robot time ..."
    "$bin/basald" --lockstep --config $robot --seed "$seed" --steps $steps --run-dir "$run" --checkpoint-steps $((steps < 800 ? steps : 800)) --json >"$run/result.json" 9<&-
    echo
    printf 'learned          %s updates in %.1f s\n' "$(field "$run/result.json" updates)" "$(field "$run/result.json" wall_s)"
    summary "$(field "$run/result.json" final_speed_m_s)"
    exit 0
fi

# a socket's path has 107 characters at most
if [ ${#sockets} -gt 85 ]; then
    loose=$(mktemp -d /tmp/basald-quickstart.XXXXXX)
    sockets=$loose/sockets
fi
ctl() { "$bin/basalctl" --runtime-dir "$sockets" "$@" 9<&-; }
log() { tail -n 20 "$1" >&2; die "$2"; }

"$bin/basalsim" --config $robot --link "$run/servo" --seed "$seed" --truth "$run/truth.jsonl" </dev/null >"$run/basalsim.log" 2>&1 9<&- &
pids+=($!)
for _ in $(seq 100); do [ -e "$run/servo" ] && break; sleep 0.05; done
[ -e "$run/servo" ] || log "$run/basalsim.log" "basalsim does not start"
"$bin/basald" --config $robot --set bus.servo.device="$run/servo" --runtime-dir "$sockets" --run-dir "$run" \
    --seed "$seed" </dev/null 2>"$run/basald.log" 9<&- &
pids+=($!)
for _ in $(seq 200); do ctl health >/dev/null 2>&1 && break; sleep 0.05; done
ctl health || log "$run/basald.log" "basald is not healthy"
ctl arm || log "$run/basald.log" "the robot cannot be armed"
ctl run || log "$run/basald.log" "the robot cannot run"
echo "it learns for $seconds s; from another terminal: $(printf %q "$bin/basalctl") --runtime-dir $(printf %q "$sockets") monitor"
how=(--until-fault --seconds "$seconds")
[ -t 1 ] || how+=(--lines --hz 0.1)
see() { # a command that a signal to this script interrupts at once
    "$@" <&0 &
    pids+=($!)
    wait $!
}
began=$SECONDS
see "$bin/basalctl" --runtime-dir "$sockets" monitor "${how[@]}" 9<&- || log "$run/basald.log" "the robot stopped"

learned=$((SECONDS - began)) # q in the monitor ends it sooner

# without exploring, judged by the body's true way
echo "judging it for $judged s, without exploring ..."
ctl run --no-explore --no-learn >/dev/null
way() { sed -n 's/.*"q": \[\([^]]*\)\].*/\1/p' "$run/truth.jsonl" | tail -n 1 | awk -F', ' '{ print $3 * 0.02 }'; }
see sleep 1
from=$(way)
see sleep $judged
to=$(way)
ctl health >/dev/null || log "$run/basald.log" "the robot stopped while it was judged"
ctl stop >/dev/null
updates=$(ctl status --json | sed -n 's/.*"updates": \([0-9]*\).*/\1/p')
stop_all
echo
echo "learned          $updates updates in $learned s of robot time"
summary "$(awk -v a="$from" -v b="$to" -v s=$judged 'BEGIN { print (b - a) / s }')"
