#!/bin/bash
# House rules that a script can see: sizes, includes by floor, one door per third party, plug-ins in their registry, words.
set -u
cd "$(dirname "$0")/../.."
bad=0
say() { echo "$1"; bad=1; }
ours() { find daemon drivers policies sim proto tests -name '*.[ch]' | sort; }

for f in $(ours | grep -v '^tests/'); do
    n=$(wc -l <"$f")
    [ "$n" -le 500 ] || say "$f: $n lines, 500 are the limit"
done
longest=$(for f in $(ours | grep -v '^tests/'); do
    awk -v f="$f" '/^\{/{s=NR} /^\}/{ if (s && NR-s-1>70) printf "%s:%d: function of %d lines, 70 are the limit\n", f, s, NR-s-1; s=0 }' "$f"
done)
[ -z "$longest" ] || say "$longest"

# lower floors never include higher ones
floor() { # folder, allowed pattern
    grep -nE '^#include "' $(find "$1" -name '*.[ch]' ${3:-}) | grep -vE "$2" && bad=1
}
floor daemon/base '#include "daemon/base/'
floor drivers '#include "(daemon/base|drivers)/'
floor policies '#include "(daemon/base|policies)/'
floor sim '#include "(daemon/base|sim)/|sim/firmware/.*#include "drivers/[a-z_]*_regs.h"'

# third parties have one door each
door() { # header pattern, allowed files pattern
    grep -lE "^#include <$1" $(ours) | grep -vE "$2" | sed "s|$|: includes $1, which has its own door|" | grep . && bad=1
}
door 'cblas' '^policies/nn/'
door 'zmq' '^daemon/comms|^daemon/ctl/|^tests/'
door 'yaml' '^daemon/config_node'
door 'jansson' '^daemon/json.c|^daemon/safetensors|^tests/'
door 'liburing' '^drivers/io/uring.c|^daemon/filewriter'

# a plug-in without its registry line would never be found
for f in policies/*.c; do
    grep -q "^const struct policy policy_" "$f" && ! grep -q "X($(basename "$f" .c))" policies/registry.c && say "$f: no line in policies/registry.c"
done
for f in sim/*.c; do
    grep -q "^const struct sim sim_" "$f" && ! grep -q "X($(basename "$f" .c))" sim/registry.c && say "$f: no line in sim/registry.c"
done

grep -nE '//' $(ours | grep -v '^tests/') | grep -vE '"[^"]*//[^"]*"|\* .*//|/\*.*//' | head -5 | grep . && say "// is for debugging"
grep -nwE 'TODO|FIXME|XXX' $(ours) | grep -v 'tests/lint' | head -5 | grep . && say "an open end in the code"
exit $bad
