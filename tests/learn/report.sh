#!/bin/bash
# What has been learned, in pictures: every line of a table run over its seeds, side by side, and report/index.html of it.
#
#   tests/learn/report.sh [--bin DIR] [--out DIR] [--table FILE] [--jobs N] [--pages A,B] [--seeds N] [--most-steps N] [--small]
#
# It may be stopped and begun again: what has been run with the same settings by the same version is not run twice. --small: a
# fiftieth of the steps and one seed, for the way itself; its figures say nothing. All of it is about 7 hours of one core of an
# AMD EPYC (Zen 5), half of them Hopper, Walker2d and Ant, which --most-steps 100000 leaves out.
set -eu
cd "$(dirname "$0")/../.."
exec python3 tests/learn/report.py "$@"
