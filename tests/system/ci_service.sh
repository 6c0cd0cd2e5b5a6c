#!/bin/bash
# In a real systemd: basald gets ready, is limp, arms, runs and learns; a stop ends with torque off, read back, and the
# networks saved; after kill -9 the next life is limp and goes on with the replay; an estop stays latched.
set -eu
bin=${BASAL_BIN:?}
ldd "$bin/basald" | grep -qE 'lib[at]san' && { echo "skipped: real time and sanitizers do not go together"; exit 77; }
. tests/system/service_lib.sh
inside "$bin/.." ready_learn_stop kill_9 estop another_schema instance
