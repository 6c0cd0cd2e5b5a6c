#!/bin/bash
# The loop's thread, traced while the robot is armed, runs, learns, ends episodes, is evaluated, stopped, armed again and
# unplugged: no system call but those that the tick may make, and those on the bus's descriptor only. Prints the table of calls.
# Setting up happens on another thread; the trace is of the loop alone.
set -eu
. tests/system/lib.sh
command -v strace >/dev/null || { echo "skipped: strace is not installed"; exit 77; }
if ! strace -o /dev/null true 2>/dev/null; then
    echo "skipped: the system refuses ptrace"
    exit 77
fi
# a traced tick is slow: it may be late and miss answers, this is about what it calls
slow=(--set control.loop_deadman_ms=5000 --set bus.servo.misses_max=1000 --set safety.stale_ticks_max=1000)
start_sim
start_daemon "${slow[@]}" --set task.episode_s=1 --set learner.learning_starts=20 --set learner.publish_every=1
go
tty=$(readlink -f "$work/servo")
tid=$(grep -l '^basald-loop$' /proc/"$daemon_pid"/task/*/comm | sed 's|.*/task/\([0-9]*\)/comm|\1|')
steps=$(number step) episodes=$(number episode) version=$(number weights_version)
urgent=()
chrt -f 95 true 2>/dev/null && urgent=(chrt -f 95)
"${urgent[@]}" strace -y -X raw -o "$work/calls" -p "$tid" 2>"$work/strace.err" &
strace_pid=$!
sleep 4
ctl episode end --reward 1 >/dev/null
ctl eval --seconds 1 >/dev/null || true
ctl arm >/dev/null 2>&1 || true # refused: it is running
sleep 1
ctl stop >/dev/null
wait_state limp 10
go
sleep 1
tell_sim "unplug 0.5"
wait_state fault 5
for _ in $(seq 100); do
    ctl status --json | grep -q '"devices": true' && break
    sleep 0.05
done
again=$(readlink -f "$work/servo")
sleep 1
steps=$(($(number step) - steps)) episodes=$(($(number episode) - episodes)) version=$(($(number weights_version) - version))
kill -INT $strace_pid
wait $strace_pid || true
[ -s "$work/calls" ] || { cat "$work/strace.err"; exit 77; }

judge='
    function bad(why) { if (!(why in seen)) { seen[why] = 1; print "NOT ALLOWED: " why ": " $0 } failed = 1 }
    /^(---|\+\+\+|strace:)/ { next }
    {
        name = $0; sub(/\(.*/, "", name)
        path = match($0, /<[^>]*>/) ? substr($0, RSTART + 1, RLENGTH - 2) : ""
        n[name]++
    }
    name ~ /^(clock_nanosleep|clock_gettime|restart_syscall|ppoll|recvmsg|sendmmsg|io_uring_enter)$/ { next }
    name !~ /^(read|write|ioctl)$/ { bad(name); next }
    name == "ioctl" && !/, 0x541b,/ { bad("ioctl that is not TIOCINQ"); next }
    { sub(/ \(deleted\)$/, "", path) }
    path != tty && path != again { bad(name " on " path) }
    END { for (k in n) printf "%-16s %d\n", k, n[k]; exit failed }'
good=yes
awk -v tty="$tty" -v again="$again" "$judge" "$work/calls" >"$work/table" || good=no
sort -k2,2nr "$work/table"
echo "meanwhile: $steps policy steps, $episodes episodes, $version weights"
[ "$steps" -gt 20 ] && [ "$episodes" -ge 3 ] && [ "$version" -ge 3 ] || { echo "too little happened"; good=no; }
for call in read write ioctl clock_nanosleep; do # a trace of the wrong thread would lack them
    grep -q "^$call " "$work/table" || { echo "no $call was seen"; good=no; }
done
[ $good = yes ]
