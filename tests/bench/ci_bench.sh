#!/bin/bash
# Every benchmark runs for a moment: its JSON has its keys and makes sense, whatever the machine; never its speed. The same
# seed gives the same weights with one thread and with two. A peer takes its turns.
set -eu
bin=${BASAL_BIN:?}
here=$(dirname "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bench() { "$bin/basal-bench" "$@"; }

small=(--rows 2000 --obs 5 --act 2 --hidden "32,16" --batch 24 --seconds 0.05 --repeat 3 --json)
bench update "${small[@]}" >"$work/update.json"
bench update "${small[@]}" --threads 2 >"$work/threads.json"
for algo in td3 ddpg; do
    bench update "${small[@]}" --algo $algo --kernel portable >"$work/$algo.json"
done
bench gemm --batch 24 --seconds 0.0005 --repeat 2 --json >"$work/gemm.json"
bench act --seconds 0.02 --repeat 2 --json >"$work/act.json"
bench act --seconds 0.02 --repeat 2 --algo sac --obs 4 --act 2 --hidden 8 --json >"$work/own.json"
bench step --config "$here/../../deploy/robots/crawler.yaml" --seconds 0.05 --repeat 2 --set policy.net_arch=[8] \
    --set learner.batch_size=8 --json >"$work/step.json"
bench pendulum --config "$here/../../deploy/robots/pendulum.yaml" --steps 220 --seeds 2 --set task.eval_episodes=3 \
    --json >"$work/pendulum.json"
! grep -qw avx512_bf16 /proc/cpuinfo ||
    bench pendulum --config "$here/../../deploy/robots/pendulum.yaml" --steps 110 --seeds 1 --set task.eval_episodes=1 \
        --set learner.precision=bf16 --json >"$work/pendulum_bf16.json"

# a peer that always says a hundred updates a second, and one that leaves
cat >"$work/peer" <<'EOF'
#!/bin/bash
echo "$*" >"$(dirname "$0")/asked"
echo "loading something"
echo "ready fake 1.0"
while read -r word seconds; do
    echo "done $(awk "BEGIN { print 100 * $seconds }") $seconds"
done
EOF
printf '#!/bin/sh\necho no such library >&2\nexit 77\n' >"$work/leaves"
chmod +x "$work/peer" "$work/leaves"
bench update "${small[@]}" --compare "$work/peer" >"$work/compare.json"
if bench update "${small[@]}" --compare "$work/leaves" 2>"$work/said"; then
    echo "a peer that leaves is no failure"
    exit 1
fi
grep -q 'ended' "$work/said" || { echo "nothing is said of a peer that leaves"; exit 1; }
export PYTHONDONTWRITEBYTECODE=1
for algo in sac td3 ddpg; do # where PyTorch is installed
    rc=0
    "$here/peer_torch.py" --algo $algo --rows 2000 --obs 5 --act 2 --hidden "32,16" --batch 24 --seconds 0.01 --repeat 2 \
        >"$work/torch-$algo.json" 2>"$work/said" || rc=$?
    [ $rc = 77 ] && { rm "$work/torch-$algo.json"; break; }
    [ $rc = 0 ] || { cat "$work/said"; exit 1; }
done
for wrong in "--algo nobody" "--kernel nobody" "--hidden 3,,4" "--threads 3" "--set policy.nothing=1" "--repeat 0"; do
    # shellcheck disable=SC2086 # a flag and its value
    if bench update --rows 2000 $wrong >/dev/null 2>&1; then
        echo "$wrong is not refused"
        exit 1
    fi
done

python3 - "$work" <<'EOF'
import glob
import json
import math
import sys

work = sys.argv[1]
load = lambda name: json.load(open(f"{work}/{name}.json", encoding="ascii"))


def sane(v, n, what):
    assert len(v["runs"]) == n, what
    assert all(math.isfinite(x) and x >= 0.0 for x in v["runs"]), (what, v)
    assert v["min"] <= v["median"] <= v["max"], (what, v)
    assert v["min"] == min(v["runs"]) and v["max"] == max(v["runs"]), (what, v)


def peaks(o, n):
    sane(o["peak_fp32_gflop_s"], n, "peak")
    assert o["peak_instructions"]["fp32"] != ""
    assert (o["peak_bf16_gflop_s"] is None) == (o["peak_instructions"]["bf16"] == "")
    assert o["machine"]["cpus"] >= 1


def update(name):
    o = load(name)
    assert o["benchmark"] == "update"
    peaks(o, 3)
    for key in ("updates_per_s", "limit_updates_per_s", "share_of_limit"):
        sane(o[key], 3, key)
    for peak, limit, ours, share in zip(o["peak_fp32_gflop_s"]["runs"], o["limit_updates_per_s"]["runs"],
                                        o["updates_per_s"]["runs"], o["share_of_limit"]["runs"]):
        assert math.isclose(limit, peak * 1e3 / o["mflop_per_update"], rel_tol=1e-6)
        assert math.isclose(share, ours / limit, rel_tol=1e-6)
    assert o["operations"].startswith("2 batch (") and len(o["weights_hash"]) == 16
    return o


one, two = update("update"), update("threads")
assert one["weights_hash"] == two["weights_hash"], "two threads learn something else"
assert two["threads"] == 2
assert len({update(name)["weights_hash"] for name in ("update", "td3", "ddpg")}) == 3
assert update("td3")["kernel"] == "portable"

compare = update("compare")
assert compare["peer"]["name"] == "fake 1.0"
sane(compare["peer"]["updates_per_s"], 3, "peer")
assert all(math.isclose(x, 100.0, rel_tol=1e-6) for x in compare["peer"]["updates_per_s"]["runs"])
for ours, ratio in zip(compare["updates_per_s"]["runs"], compare["ratio"]["runs"]):
    assert math.isclose(ratio, ours / 100.0, rel_tol=1e-6)
asked = open(f"{work}/asked", encoding="ascii").read().split()
for flag, value in (("--algo", "sac"), ("--obs", "5"), ("--act", "2"), ("--hidden", "32,16"), ("--batch", "24"),
                    ("--rows", "2000"), ("--threads", "1"), ("--precision", "fp32")):
    assert asked[asked.index(flag) + 1] == value, asked

for path in glob.glob(f"{work}/torch-*.json"):
    sane(json.load(open(path, encoding="ascii"))["updates_per_s"], 2, path)

gemm = load("gemm")
peaks(gemm, 2)
sane(gemm["read_cache_gb_s"], 2, "cache")
sane(gemm["read_memory_gb_s"], 2, "memory")
assert "portable" in gemm["kernels"]
for kernel, shapes in gemm["kernels"].items():
    assert list(shapes) == ["23x256", "256x256", "256x6", "64x64", "400x300"]
    for shape, c in shapes.items():
        n_in, n_out = map(int, shape.split("x"))
        bytes_ = 4.0 * (24 * n_in + 24 * n_out + n_in * n_out)
        assert math.isclose(c["flop_per_byte"], 2.0 * 24 * n_in * n_out / bytes_, rel_tol=1e-6)
        for product in ("forward", "backward_weights", "backward_input"):
            sane(c[product]["gflop_s"], 2, (kernel, shape, product))
            sane(c[product]["share_of_peak"], 2, (kernel, shape, product))

for name, actors in (("act", ["17-256-256-6", "3-64-64-1"]), ("own", ["4-8-4"])):
    act = load(name)
    assert list(act["actors"]) == actors, list(act["actors"])
    for c in act["actors"].values():
        sane(c["mean_us"], 2, "mean")
        for kind in ("warm", "timer", "cold"):
            assert c[kind]["samples"] > 0 or kind == "cold"
            for key in ("p50_us", "p99_us", "max_us"):
                if c[kind]["samples"] > 0:
                    sane(c[kind][key], 2, (kind, key))

swing = load("pendulum")
assert swing["updates"] == 120 and swing["eval_episodes"] == 3
sane(swing["wall_s"], 2, "wall")
sane(swing["peak_fp32_gflop_s"], 2, "peak")
assert len(swing["return"]["runs"]) == 2 and all(-2000 < x < 0 for x in swing["return"]["runs"])
assert math.isclose(swing["mean_return"], sum(swing["return"]["runs"]) / 2, rel_tol=1e-6)
assert swing["worst_return"] == swing["return"]["min"]
peak = swing["peak_fp32_gflop_s"]["median"]
assert math.isclose(swing["judged"]["wall_s"], 1.7 * 115 / peak, rel_tol=1e-6)
assert not swing["judged"]["returns_hold"], "nobody swings up after 220 steps"
assert swing["kernel"] == load("update")["kernel"]
if glob.glob(f"{work}/pendulum_bf16.json"):
    assert load("pendulum_bf16")["kernel"] == "avx512_bf16"

step = load("step")
assert step["running_frac"] == 1.0, step["running_frac"]
for part in ("read", "observe", "act", "safety", "write", "push", "tick", "update", "step"):
    assert step[part]["samples"] > 0
    for key in ("p50_us", "p99_us", "max_us"):
        sane(step[part][key], 2, (part, key))
EOF

if command -v gnuplot >/dev/null; then
    "$here/roofline.sh" "$work/gemm.json" "$work/roofline.png"
    [ -s "$work/roofline.png" ] || { echo "no picture"; exit 1; }
fi
