#!/bin/bash
# Gymnasium's worlds beside ours, those of MuJoCo on their own XML files and on our models: observations, rewards and ends, step
# by step (partner_gymnasium.py). A build without MuJoCo compares the others and says so. 77: no Gymnasium and no network.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
. "$(dirname "$0")/partner_lib.sh"
steps=${BASAL_BIN:?}/../tests/world_steps
without=()
"$steps" deploy/robots/reacher.yaml 1 0 2>"$work/refused" || without=(--no-mujoco)
partners
# warns of worlds with newer versions
"$venv/bin/python" -W ignore "$(dirname "$0")/partner_gymnasium.py" "$steps" "${without[@]}" 2>"$work/log" || { cat "$work/log" >&2; exit 1; }
