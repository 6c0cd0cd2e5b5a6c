#!/bin/sh
# basald.yaml(5) on standard output: the page's text with the keys that `basald --manual` prints.
#
#   yaml_page.sh BASALD
#
# --manual prints a pair of lines a key, "# HELP; RANGE" and "KEY: DEFAULT"; any other line begins a list of keys.
set -eu
page=$(dirname "$0")/basald.yaml.5.in
keys=$(mktemp)
trap 'rm -f "$keys"' EXIT
"$1" --manual >"$keys"
awk -v page="$page" '
function text(s) { gsub(/\\/, "\\e", s); gsub(/-/, "\\-", s); sub(/^[.\047]/, "\\\\\\&&", s); return s }
function open_list() { if (!open) { print ".Bl -tag -width Ds"; open = 1 } }
function close_list() { if (open) { print ".El"; open = 0 } }
function head(s) { sub(/^[#. ]*/, "", s); sub(/:$/, "", s); sub(/:  +/, ": ", s); close_list(); print ".Ss " toupper(substr(s, 1, 1)) text(substr(s, 2)) }
function keys(file,   line, help, key, value, at) {
    getline line <file # the first says what this is
    print ".Ss The file"
    while ((getline line <file) > 0) {
        if (help != "" && match(line, /^# *[a-z0-9_]+: /)) {
            key = line; sub(/^# */, "", key); at = index(key, ": ")
            value = substr(key, at + 2); key = substr(key, 1, at - 1)
            sub(/^ *#.*/, "", value)
            open_list()
            print ".It Ic " key
            at = 0
            while (match(substr(help, at + 1), /; /)) { at += RSTART + 1 }
            print text(substr(help, 1, at - 2))
            print "(" text(substr(help, at + 1)) "; " (value != "" ? "by default " text(value) : "must be set") ")"
            help = ""
            continue
        }
        if (help != "") { head(help); help = "" }
        if (line ~ /^# *# /) { help = line; sub(/^# *# /, "", help) }
        else if (line !~ /^# *$/) { head(line) }
    }
    close_list()
}
BEGIN {
    while ((getline line <page) > 0) { if (line == "@KEYS@") { keys(ARGV[1]) } else { print line } }
}' "$keys"
