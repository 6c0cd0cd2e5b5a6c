/*
 * What the benchmark of the loop says: one JSON object, or a table for people. Judged, on all turns
 * pooled, against the ratio that the two bare loops had between them.
 */
#pragma once

#include "daemon/bench_turns.h"

#include <stdio.h>

struct loop_verdict {
    struct verdict p50, p99;
    bool holds;
};

void loop_judge(const struct turns_result *r, struct loop_verdict *ret_verdict);
void loop_print_json(const struct turns_spec *spec, const struct turns_result *r, FILE *f);
void loop_print_table(const struct turns_spec *spec, const struct turns_result *r, FILE *f);
