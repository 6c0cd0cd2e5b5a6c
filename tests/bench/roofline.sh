#!/bin/bash
# The roofline of this machine with our kernels on it, from the JSON of: basal-bench gemm --json >FILE
#
#   tests/bench/roofline.sh FILE PICTURE.png
set -eu
json=${1:?} picture=${2:?}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# a file of points for each kernel: FLOP a byte, GFLOP/s; and the numbers that the lines are drawn from
python3 - "$json" "$work" >"$work/lines.gp" <<'EOF'
import json
import sys

o = json.load(open(sys.argv[1], encoding="ascii"))
median = lambda v: v["median"] if v is not None else 0.0
print(f"fp32 = {median(o['peak_fp32_gflop_s'])}; bf16 = {median(o['peak_bf16_gflop_s'])}")
print(f"cache = {median(o['read_cache_gb_s'])}; memory = {median(o['read_memory_gb_s'])}")
print(f"batch = {o['batch']}")
print(f"cpu = \"{o['machine']['cpu']}\"; names = \"{' '.join(o['kernels'])}\"")
print(f"fp32_name = \"{o['peak_instructions']['fp32']}\"; bf16_name = \"{o['peak_instructions']['bf16']}\"")
for kernel, shapes in o["kernels"].items():
    with open(f"{sys.argv[2]}/{kernel}", "w", encoding="ascii") as f:
        for c in shapes.values():
            for product in ("forward", "backward_weights", "backward_input"):
                f.write(f"{c['flop_per_byte']} {c[product]['gflop_s']['median']}\n")
EOF

gnuplot <<EOF
load "$work/lines.gp"
set terminal pngcairo size 900,560 font "sans,11"
set output "$picture"
set title sprintf("Products of the networks' layers, batch %d, one core of %s", batch, cpu)
set xlabel "FLOP for each byte read or written"
set ylabel "GFLOP/s"
set logscale xy
set xrange [0.5:200]
set yrange [1:1000]
set key bottom right
set grid
least(a, b) = a < b ? a : b
set label 1 sprintf("bf16 peak (%s): %.0f", bf16_name, bf16) at 190, (bf16 > 0 ? bf16 : 1) * 1.15 right noenhanced
if (bf16 == 0) unset label 1
set label 2 sprintf("fp32 peak (%s): %.0f", fp32_name, fp32) at 190, fp32 * 1.15 right noenhanced
set label 3 sprintf("second cache, %.0f GB/s", cache) at 0.55, least(fp32 * 0.9, cache * 0.55 * 1.4) rotate by 33
set label 4 sprintf("memory, %.0f GB/s", memory) at 0.7, memory * 0.7 * 1.4 rotate by 33
set linetype 1 lc rgb "#1b6ca8" pt 5
set linetype 2 lc rgb "#d1495b" pt 7
set linetype 3 lc rgb "#2e7d32" pt 9
set linetype 4 lc rgb "#8e5ea2" pt 13
set linetype 5 lc rgb "#777777" pt 6
plot (bf16 > 0 ? bf16 : NaN) with lines lc rgb "gray40" dt 2 notitle, \
     fp32 with lines lc rgb "black" lw 2 notitle, \
     least(fp32, cache * x) with lines lc rgb "black" notitle, \
     least(fp32, memory * x) with lines lc rgb "gray60" notitle, \
     for [i=1:words(names)] "$work/".word(names, i) with points lt i ps 1.3 lw 1.5 title word(names, i) noenhanced
EOF
