#!/bin/bash
# Three minutes in real time over the pseudo-terminal with 5 % of all replies lost, 2 % corrupted and 2 % late: the crawler
# still reaches 70 % of the best gait known, and what was injected is what was counted. One JSON line.
set -eu
. "$(dirname "$0")/lib.sh"
seconds=${SECONDS_TO_LEARN:-180}
best=$(sed -n 's/^best_known_speed_m_s: *\([0-9.]*\).*/\1/p' "$robot")
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
ctl stop >/dev/null || true
sleep 1
stop_daemon
stop_sim
injected() { sed -n "s/.*\"injected_$1\": *\([0-9]*\).*/\1/p" "$work/sim.out"; }
speed=$(awk -v a="$from" -v b="$to" 'BEGIN { print (b - a) / 30 }')
good=false
awk -v v="$speed" -v b="$best" 'BEGIN { exit !(v >= 0.7 * b) }' && [ "$final" = running ] && good=true
echo "{\"test\": \"faults\", \"good\": $good, \"speed_m_s\": $speed, \"best_known_speed_m_s\": $best, \"state\": \"$final\", \"coasted\": $coasted, \"crc_errors\": $crc, \"injected\": {\"lost\": $(injected lost), \"corrupted\": $(injected corrupted), \"late\": $(injected late)}}"
[ $good = true ]
