#!/bin/bash
# In a real systemd, with a test build: one thread hangs or crashes. The robot stops under control, or by its devices' own
# watchdogs where the loop itself hangs; the service manager starts basald anew; it stays limp. One JSON line.
set -eu
. tests/system/service_lib.sh
cmake -B build/stall -DCMAKE_BUILD_TYPE=Release -DBASAL_STALL=ON >/dev/null
cmake --build build/stall -j "$(nproc)" --target basald basalctl basalsim basal-bench man -- -s >/dev/null
inside build/stall ready_learn_stop stall_loop stall_main stall_comms crash_learner crash_comms crash_main crash_loop
