#!/bin/bash
# Gymnasium's MuJoCo worlds beside ours, on their own XML files and on our models: observations, rewards and ends, step by
# step (partner_gymnasium.py). 77: no MuJoCo in this build, or no Gymnasium and no network.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
. "$(dirname "$0")/partner_lib.sh"
steps=${BASAL_BIN:?}/../tests/world_steps
"$steps" deploy/robots/reacher.yaml 1 0 2>"$work/refused" || skip "$(cat "$work/refused")"
partners
# warns of worlds with newer versions
"$venv/bin/python" -W ignore "$(dirname "$0")/partner_gymnasium.py" "$steps" 2>"$work/log" || { cat "$work/log" >&2; exit 1; }
