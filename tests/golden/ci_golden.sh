#!/bin/bash
# The dumps in this folder are what their generators make. Needs Debian's python3-torch; without it, skipped.
set -eu
cd "$(dirname "$0")"
python=
for p in /usr/bin/python3 python3; do
    if "$p" -c 'import torch' 2>/dev/null; then
        python=$p
        break
    fi
done
if [ -z "$python" ]; then
    echo "skipped: no python3-torch here"
    exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PYTHONDONTWRITEBYTECODE=1
for file in make_*.py; do
    name=${file#make_}
    name=${name%.py}
    "$python" make_$name.py "$work/$name.json"
    "$python" - "$name.json" "$work/$name.json" <<'EOF'
import json
import sys

import golden

d = golden.differs(*(json.load(open(path, encoding="ascii")) for path in sys.argv[1:]))
if d is not None:
    sys.exit(f"{sys.argv[1]} is not what its generator makes: {d}")
EOF
    echo "$name.json: as made again"
done
