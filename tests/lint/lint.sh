#!/bin/bash
# House rules that a script can see: sizes, includes by floor, one door per third party, plug-ins in their registry, words,
# format, and what shellcheck says of the scripts.
set -u
cd "$(dirname "$0")/../.." || exit 1
bad=0
say() { echo "$1"; bad=1; }
ours() { find daemon drivers policies sim proto tests -name '*.[ch]' | sort; }

for f in $(ours | grep -v '^tests/'); do
    n=$(wc -l <"$f")
    [ "$n" -le 500 ] || say "$f: $n lines, 500 are the limit"
    case $f in
    policies/nn/kernel_body.h | policies/nn/kernel_math.h | policies/nn/kernel_vec.h) ;; # code that each back end compiles for itself
    *.h) [ "$n" -le 150 ] || say "$f: $n lines, 150 are the limit of a header" ;;
    esac
done
longest=$(for f in $(ours | grep -v '^tests/'); do
    awk -v f="$f" '/^\{/{s=NR} /^\}/{ if (s && NR-s-1>70) printf "%s:%d: function of %d lines, 70 are the limit\n", f, s, NR-s-1; s=0 }' "$f"
done)
[ -z "$longest" ] || say "$longest"

# lower floors never include higher ones
floor() { # folder, allowed pattern
    grep -rnE '^#include "' --include='*.[ch]' "$1" | grep -vE "$2" && bad=1
}
floor daemon/base '#include "daemon/base/'
floor drivers '#include "(daemon/base|drivers)/'
floor policies '#include "(daemon/base|policies)/'
floor sim '#include "(daemon/base|sim)/|sim/firmware/.*#include "drivers/[a-z_]*_regs.h"'

# third parties have one door each
door() { # header pattern, allowed files pattern
    ours | xargs grep -lE "^#include <$1" | grep -vE "$2" | sed "s|$|: includes $1, which has its own door|" | grep . && bad=1
}
door 'cblas' '^policies/nn/'
door 'zmq' '^daemon/comms|^daemon/ctl/|^tests/'
door 'yaml' '^daemon/config_node'
door 'jansson' '^daemon/json.c|^daemon/safetensors|^tests/'
door 'liburing' '^daemon/filewriter'
door 'lapacke' '^daemon/(cma|identify|identify_fit|identify_fold|ik).c|^policies/lstdq.c|^tests/'
door 'mujoco' '^sim/mujoco|^tests/'
door 'systemd' '^daemon/(service|kept).c'

# a plug-in without its registry line would never be found
plug_in() { # folder, start of its table's definition
    for f in "$1"/*.c; do
        grep -q "^const struct $2" "$f" && ! grep -q "X($(basename "$f" .c))" "$1/registry.c" &&
            say "$f: no line in $1/registry.c"
    done
}
plug_in policies 'policy policy_'
plug_in drivers 'serial_driver serial_driver_'
plug_in drivers 'can_driver can_driver_'
plug_in sim 'sim sim_'
plug_in sim/firmware 'device device_'
# ... and a policy that no test names is unproved
for f in $(grep -lE '^const struct policy policy_' policies/*.c); do
    name=$(basename "$f" .c)
    grep -rqF "\"$name\"" tests/double tests/unit tests/golden --include='*.c' || say "$f: no test names it"
done
for f in $(grep -lE '^const struct bench bench_' daemon/bench_*.c); do
    name=$(basename "$f" .c)
    grep -qE "X\(${name#bench_}\)" daemon/basal_bench.c || say "$f: no line in daemon/basal_bench.c"
done

ours | xargs grep -nE '//' | grep -vE '"[^"]*//[^"]*"|\* .*//|/\*.*//' | head -5 | grep . && say "// is for debugging"
ours | xargs grep -nwE 'TODO|FIXME|XXX' | grep -v 'tests/lint' | head -5 | grep . && say "an open end in the code"

# not safe among threads, or changes what other threads read; basalctl has one
ours | grep -vE '^(tests|daemon/ctl)/' | xargs grep -nE '\b(strtok|localtime|gmtime|asctime|ctime|rand|srand|drand48|getpwnam|getpwuid|setenv|putenv|unsetenv|setlocale|tmpnam|ttyname|strsignal|system|popen)\(' |
    grep . && say "not safe among threads: use the _r form, or an argument"

if command -v clang-format >/dev/null; then
    ours | xargs clang-format --dry-run -Werror || say "clang-format -i the files above"
else
    echo "skipped: clang-format is not installed"
fi
if command -v shellcheck >/dev/null; then
    # of the level warning and up: notes on style would hide them
    { grep -rlE '^#!(/usr)?/bin/(env )?(ba)?sh' .ci deploy tests; find .ci deploy tests -name '*.sh'; } | sort -u |
        xargs shellcheck -S warning -x -P SCRIPTDIR -P . || say "shellcheck: see above"
else
    echo "skipped: shellcheck is not installed"
fi
exit $bad
