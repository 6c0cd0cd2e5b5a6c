#!/bin/bash
# The crawler learns to crawl: 120 s of robot time through the servo bus's own bytes, judged by its true way.
#
#   ci_crawl.sh          two seeds reach 80 % of the best gait known
#   ci_crawl.sh --long   five seeds: the worst 80 %, the median 88 %; DDPG's five are shown, not judged
#
# Before that: the same seed gives the same weights, another another, and one flipped bit in one reply shows.
# With sanitizers only that, for it is not learning that they look at.
set -eu
config=deploy/robots/crawler.yaml
. "$(dirname "$0")/lib.sh"

# --- the same seed twice, and another ---
same_twice weights_hash,bytes_tx,bytes_rx,final_speed_m_s,run_id --steps 300 --eval-s 3
[ "$(get steps "$work/a")" = 300 ] || fail "300 steps were asked, $(get steps "$work/a") done"
starts=$(sed -nE 's/^ *learning_starts: *([0-9]+).*/\1/p' $config)
each=$(sed -nE 's/^ *gradient_steps: *([0-9]+).*/\1/p' $config)
[ "$(get updates "$work/a")" = $(((300 - starts) * each)) ] || fail "$(get updates "$work/a") updates"
[ "$(get crc_errors "$work/a")" = 0 ] || fail "CRC errors without faults"

# --- one bit of one reply: the first seed whose faults flip exactly one ---
for seed in $(seq 1 40); do
    run --seed "$seed" --steps 60 --eval-s 0 --set faults.corrupted=0.0005 >"$work/flipped"
    [ "$(get injected_corrupted "$work/flipped")" = 1 ] && break
done
[ "$(get injected_corrupted "$work/flipped")" = 1 ] || fail "no seed of 40 flips exactly one bit"
run --seed "$seed" --steps 60 --eval-s 0 >"$work/clean"
figures() { echo "$(get bytes_tx "$1") tx $(get bytes_rx "$1") rx $(get crc_errors "$1") crc $(get missed_replies "$1") missed"; }
[ "$(figures "$work/flipped")" != "$(figures "$work/clean")" ] || fail "a flipped bit does not show: $(figures "$work/clean")"
echo "seed $seed, one bit flipped: $(figures "$work/flipped"); none: $(figures "$work/clean")"
run --seed 1 --steps 100 --eval-s 0 --set faults.corrupted=0.02 >"$work/many"
flips=$(get injected_corrupted "$work/many")
[ "$flips" -gt 10 ] && [ "$(get crc_errors "$work/many")" -ge $((flips / 2)) ] ||
    fail "$flips replies with a flipped bit, $(get crc_errors "$work/many") CRC errors"

unless_sanitized

# --- learning ---
learn() { # ALGO SEED...: as many at a time as there are processors
    local algo=$1
    shift
    printf '%s\n' "$@" | xargs -P "$(nproc)" -I{} sh -c \
        '"$1" --lockstep --config "$2" --json --seed "$3" --steps 2400 --set policy.kind="$4" >"$5/$4.$3"' \
        sh "$bin" $config {} "$algo" "$work"
}
percent() { # ALGO SEED: of the best gait known
    awk -v v="$(get final_speed_m_s "$work/$1.$2")" -v best="$(get best_known_speed_m_s "$work/$1.$2")" \
        'BEGIN { printf "%.1f\n", 100 * v / best }'
}
judge() { # ALGO WORST MEDIAN SEED...
    local algo=$1 worst=$2 median=$3
    shift 3
    learn "$algo" "$@"
    for s in "$@"; do percent "$algo" "$s"; done >"$work/percents"
    echo "$algo, seeds $*: $(paste -sd' ' "$work/percents") % of the best known"
    sort -n "$work/percents" | awk -v w="$worst" -v m="$median" '
        { v[NR] = $1 }
        END {
            mid = NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2
            printf "  worst %.1f, median %.1f; asked %s and %s\n", v[1], mid, w, m
            exit !(v[1] >= w && mid >= m)
        }' || fail "$algo has not learned to crawl"
}

if [ "${1:-}" = --long ]; then
    judge sac 80 88 1 2 3 4 5
    judge ddpg 0 0 1 2 3 4 5
else
    judge sac 80 80 1 2
fi
