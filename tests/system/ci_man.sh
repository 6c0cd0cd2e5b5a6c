#!/bin/bash
# A page for each program: its OPTIONS are the flags of --help with the same values, no more, no less; basalctl's page has
# every verb; basald.yaml(5) has every key, with range and default. mandoc finds nothing to complain about.
set -eu
bin=${BASAL_BIN:?}
bad=0
say() { echo "$1"; bad=1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# flags with what they take, but for the two that every program has, and what only a test build has
helps() { "$@" --help | sed -nE 's/^  --([a-z-]+) ([A-Z=]*) .*/\1 \2/p' | grep -vE '^(version|help|stall|crash) ' | sed 's/ $//'; }
in_help() {
    if [ "$1" = basal-bench ]; then # each benchmark has flags of its own
        "$bin/$1" --list | while read -r name _; do helps "$bin/$1" "$name"; done | sort -u
    else
        helps "$bin/$1" | sort
    fi
}
in_page() { sed -n 's/^\.It Fl -//p' "$1" | sed 's/ Ar / /' | grep -vE '^(version|help)$' | sort -u; }
for page in deploy/man/*.[18]; do
    program=$(basename "${page%.*}")
    [ -x "$bin/$program" ] || { say "$page: there is no program $program"; continue; }
    diff <(in_help "$program") <(in_page "$page") || say "$page: < in --help, > in the page"
    for flag in $("$bin/$program" --help | sed -nE 's/^  --([a-z-]+) .*/\1/p' | grep -vE '^(stall|crash|version|help)$'); do
        grep -q "Fl -$flag" "$page" || say "$page does not mention --$flag"
    done
done
for program in "$bin"/*; do
    ls deploy/man/"$(basename "$program")".[18] >/dev/null 2>&1 || say "$(basename "$program") has no page"
done

verbs() { "$bin/basalctl" --help | sed -nE 's/^  ([a-z][a-z-]+) .*/\1/p' | sort; }
diff <(verbs) <(sed -n '/^\.Sh DESCRIPTION/,/^\.Sh OPTIONS/s/^\.It Cm \([a-z-]*\).*/\1/p' deploy/man/basalctl.1 | sort) ||
    say "basalctl.1: < in --help, > in the page"

sh deploy/man/yaml_page.sh "$bin/basald" >"$work/basald.yaml.5"
"$bin/basald" --manual | grep -v ':   a list of ' | sed -nE 's/^# *([a-z0-9_]+): .*/\1/p' | sort >"$work/keys"
sed -n 's/^\.It Ic //p' "$work/basald.yaml.5" | sort >"$work/documented"
[ "$(wc -l <"$work/keys")" -gt 100 ] || say "--manual prints too few keys to be true"
for key in bus kind observation reward; do # keys that no table holds
    grep -qx $key "$work/keys" || say "--manual does not have the key $key"
done
diff "$work/keys" "$work/documented" || say "basald.yaml.5: < in --manual, > in the page"
grep -A 2 '^\.It Ic misses_max' "$work/basald.yaml.5" | grep -qF '(a whole number from 0 to 1000; by default 6)' ||
    say "basald.yaml.5: misses_max without its range and default"

if ! command -v mandoc >/dev/null; then
    echo "no mandoc here: the pages' form is not checked"
    [ $bad = 0 ] && exit 77
    exit 1
fi
for page in deploy/man/*.[18] "$work/basald.yaml.5"; do
    mandoc -T lint -W warning "$page" || bad=1
done
exit $bad
