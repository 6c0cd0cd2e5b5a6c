#!/bin/bash
# Three minutes in real time over the pseudo-terminal with 5 % of all replies lost, 2 % corrupted and 2 % late: the crawler
# still reaches 70 % of the best gait known, and each fault costs an answer at least. Before that in lockstep, one kind at a
# time: what was injected is what was missed, and no read phase is longer than bus.reply_deadline_us. One JSON line.
# (test_plant holds the two equal, tick by tick; here a few answers of identifying and arming, which misses do not count, are
# among the injected.)
set -eu
. "$(dirname "$0")/lib.sh"
seconds=${SECONDS_TO_LEARN:-180}
best=$(sed -n 's/^best_known_speed_m_s: *\([0-9.]*\).*/\1/p' "$robot")
good=true

# plain sync reads: in a fast one the servos behind a lost answer are lost with it
plain=()
for joint in arm hand odometer; do plain+=(--set "joints.$joint.device.firmware=44"); done
deadline_us=$(sed -n 's/^ *reply_deadline_us: *\([0-9]*\).*/\1/p' "$robot")
value() { sed -n "s/.*\"$1\": *\([0-9]*\).*/\1/p" "$2"; }
lockstep=
for kind in lost corrupted late; do
    "$bin/basald" --lockstep --config "$robot" --seed 1 --steps 600 --eval-s 0 --json "${plain[@]}" --set faults.$kind=0.05 >"$work/$kind"
    n=$(value injected_$kind "$work/$kind") missed=$(value missed_replies "$work/$kind")
    phase_us=$(value read_phase_us_max "$work/$kind")
    [ "$n" -gt 300 ] && [ "$missed" -le "$n" ] && [ "$missed" -ge $((n * 97 / 100)) ] && [ "$phase_us" -le "$deadline_us" ] || good=false
    lockstep="$lockstep\"$kind\": {\"injected\": $n, \"missed\": $missed, \"read_phase_us_max\": $phase_us}, "
done

start_sim --set faults.lost=0.05 --set faults.corrupted=0.02 --set faults.late=0.02
start_daemon --seed 1
go
for _ in $(seq "$seconds"); do
    sleep 1
    [ "$(state)" = running ] || break
done
ctl run --no-explore --no-learn >/dev/null || true
from=$(way_m)
sleep 30
to=$(way_m)
crc=$(number crc_errors)
coasted=$(number coasted)
final=$(state)
missed=$(ctl status --json | grep -o '"misses": *[0-9]*' | awk '{ n += $2 } END { print n + 0 }')
ctl stop >/dev/null || true
sleep 1
stop_daemon
stop_sim
injected() { value "injected_$1" "$work/sim.out"; }
sum=$(($(injected lost) + $(injected corrupted) + $(injected late)))
speed=$(awk -v a="$from" -v b="$to" 'BEGIN { print (b - a) / 30 }')
awk -v v="$speed" -v b="$best" 'BEGIN { exit !(v >= 0.7 * b) }' || good=false
[ "$final" = running ] && [ "$missed" -ge $((sum * 97 / 100)) ] && [ "$crc" -gt 0 ] || good=false
echo "{\"test\": \"faults\", \"good\": $good, \"speed_m_s\": $speed, \"best_known_speed_m_s\": $best, \"state\": \"$final\", \"coasted\": $coasted, \"missed\": $missed, \"crc_errors\": $crc, \"injected\": {\"lost\": $(injected lost), \"corrupted\": $(injected corrupted), \"late\": $(injected late)}, \"lockstep\": {${lockstep%, }}}"
[ $good = true ]
