/*
 * Benchmarks: one row of a table each, with flags of its own. What two of them need is here.
 */
#pragma once

#include "daemon/json.h"

struct bench {
    const char *name, *about; /* name NULL ends the table */
    /* argv[0] is the benchmark's name, its flags follow. Returns an exit status. */
    int (*run)(int argc, char **argv);
};

int bench_loop(int argc, char **argv);

/* On what machine the figures came about, as a child "machine" of o. */
void bench_machine(struct json_object *o);
