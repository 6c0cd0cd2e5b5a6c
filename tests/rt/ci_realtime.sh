#!/bin/bash
# What the running daemon got from the system, read from /proc: the loop's class, priority, processor and locked memory, no
# huge pages, no deep sleep, no fault after the first tick, no io_uring worker at the loop's priority; the learner idle and
# elsewhere. Then the same daemon where the system refuses: enforce does not start and says why in one sentence, prefer says
# what is missing, off asks for nothing.
set -eu
. tests/system/lib.sh
[ "$(id -u)" -eq 0 ] && chrt -f 80 true 2>/dev/null || { echo "skipped: SCHED_FIFO is not allowed here"; exit 77; }
bad=0
say() { echo "WRONG: $*"; bad=1; }
same() { [ "$2" = "$3" ] || say "$1 is \"$2\", not \"$3\""; }
task() { grep -l "^$1\$" /proc/"$daemon_pid"/task/*/comm | sed 's|/comm$||'; }
cpus() { sed -n 's/^Cpus_allowed_list:\t//p' "$1/status"; }
class() { chrt -p "$(basename "$1")" | sed -n 's/.*policy: //p'; }
priority() { chrt -p "$(basename "$1")" | sed -n 's/.*priority: //p'; }
verdict() { ctl status --json | sed -n 's/.*"realtime": "\([^"]*\)".*/\1/p'; }
sanitized() { ldd "$bin/basald" | grep -q -E 'lib[at]san'; } # its mlock locks nothing, and its own pages would be counted
last_cpu() { taskset -cp $$ | sed 's/.*[ ,-]//'; }

start_sim
start_daemon --set control.realtime=enforce --set control.priority=70 --set learner.learning_starts=20 --set learner.checkpoint_s=1
loop=$(task basald-loop) learner=$(task basald-learner)
same "the loop's class" "$(class "$loop")" "SCHED_FIFO|SCHED_RESET_ON_FORK"
same "the loop's priority" "$(priority "$loop")" 70
same "the loop's processor" "$(cpus "$loop")" "$(last_cpu)"
same "the learner's class" "$(class "$learner")" SCHED_IDLE
case ",$(cpus "$learner")," in
*",$(last_cpu),"*) [ "$(nproc)" -eq 1 ] || say "the learner may use the loop's processor" ;;
esac
same "main's class" "$(class "/proc/$daemon_pid/task/$daemon_pid")" SCHED_OTHER
same "huge pages" "$(sed -n 's/^THP_enabled:\t//p' /proc/"$daemon_pid"/status)" 0
sanitized || [ "$(sed -n 's/^VmLck:\t *\([0-9]*\) kB/\1/p' /proc/"$daemon_pid"/status)" -gt 100000 ] || say "memory is not locked"
[ -n "$(find /proc/"$daemon_pid"/fd -lname /dev/cpu_dma_latency)" ] || say "/dev/cpu_dma_latency is not held open"
same "the verdict" "$(verdict)" "yes: SCHED_FIFO 70 on CPU $(last_cpu), memory locked"

go
sleep 3 # the ring of records wraps after ten seconds, checkpoints and metrics are written
ps -T -o tid,cls,rtprio,psr,comm -p "$daemon_pid"
# a worker inherits the class of the thread that submitted: none may have the loop's, none may be the loop's
ps -T -o cls=,comm= -p "$daemon_pid" | awk '$1 == "FF" && $2 != "basald-loop" { print; found = 1 } END { exit !found }' &&
    say "another thread has the loop's class"
ps -T -o comm= -p "$daemon_pid" | grep -q "^iou-wrk-$(basename "$loop")" && say "the loop has an io_uring worker"
sleep 8
sanitized || same "page faults of the loop since its first tick" "$(number page_faults)" 0
[ "$(number context_switches)" -ge 0 ] || say "context switches are not in status"
for phase in read observe act safety write push last_byte; do
    ctl status --json | grep -q -E "\"$phase\": \{ *\"p50_us\": [0-9.e-]+, *\"p99_us\": [0-9.e-]+, *\"max_us\": [0-9.]*[1-9]" ||
        say "phase $phase is not in status"
done
stop_daemon
stop_sim

# where the system refuses
unprivileged=(prlimit --rtprio=0 --memlock=65536 setpriv "--bounding-set=-sys_nice,-ipc_lock" "--inh-caps=-sys_nice,-ipc_lock")
refused() { # what is missing, set, command ...
    local status=0 missing=$1 set=$2
    shift 2
    "$@" "$bin/basald" --config "$robot" --set control.realtime=enforce --set "$set" --runtime-dir "$work/sockets" 2>"$work/err" || status=$?
    [ $status -ne 0 ] || say "enforce started with $*"
    same "the refusal" "$(cat "$work/err")" "basald: real time refused: missing $missing; basald.service gives these, or set control.realtime: prefer"
}
fifo="SCHED_FIFO (CAP_SYS_NICE or LimitRTPRIO)" memory="locked memory (CAP_IPC_LOCK or LimitMEMLOCK)"
both="$fifo, $memory"
sanitized && both=$fifo
within=(timeout 30) # one that starts would stay
refused "$both" name=x "${within[@]}" "${unprivileged[@]}"
refused "$fifo" name=x "${within[@]}" "${BASAL_TESTS:?}/refuse" sched_setscheduler
sanitized || refused "$memory" name=x "${within[@]}" "$BASAL_TESTS/refuse" mlockall
[ "$(nproc)" -eq 1 ] || refused "the processor that control.cpu names" control.cpu=1 "${within[@]}" taskset -c 0
clock=/sys/devices/system/clocksource/clocksource0/current_clocksource
echo hpet >"$work/clock"
if unshare -m mount --bind "$work/clock" "$clock" 2>/dev/null; then
    refused "the processor's counter as clock source" name=x \
        "${within[@]}" unshare -m sh -c 'mount --bind "$0" "$1" && shift && exec "$@"' "$work/clock" "$clock"
fi

start_sim
launch=("${unprivileged[@]}")
start_daemon --set control.realtime=prefer
same "the verdict of prefer" "$(verdict)" "in part: missing $both"
same "the loop's class where it is refused" "$(class "$(task basald-loop)")" SCHED_OTHER
same "main's class where it is refused" "$(class "/proc/$daemon_pid/task/$daemon_pid")" SCHED_OTHER
grep -q "thread basald-loop: the system refuses its scheduling class" "$work/daemon.log" || say "the log does not say it"
go
ctl stop >/dev/null
wait_state limp 10
stop_daemon

launch=()
start_daemon --set control.realtime=off
same "the verdict of off" "$(verdict)" "off: the loop runs like any other program"
same "the loop's class with off" "$(class "$(task basald-loop)")" SCHED_OTHER
same "memory locked with off" "$(sed -n 's/^VmLck:\t *//p' /proc/"$daemon_pid"/status)" "0 kB"
exit $bad
