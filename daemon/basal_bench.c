/* basal-bench: the benchmarks, as a table. */
#include "daemon/args.h"
#include "daemon/bench.h"

#include <stdio.h>
#include <string.h>

/* clang-format off */
static const struct bench benches[] = {
    {"loop", "how late the control loop wakes, beside a loop that only sleeps", bench_loop},
    {.name = NULL},
};

static const struct flag flags[] = {
    {"list", NULL, "print the benchmarks and leave"},
    {.name = NULL},
};

/* clang-format on */

static bool take(void *self, const char *name, const char *value)
{
    bool *list = self;
    (void)name;
    (void)value;
    *list = true;
    return true;
}

static void print_list(FILE *f)
{
    for (const struct bench *b = benches; b->name != NULL; b++) {
        (void)fprintf(f, "  %-8s %s\n", b->name, b->about);
    }
}

int main(int argc, char **argv)
{
    bool list = false;
    const struct program program = {
        .name = "basal-bench",
        .usage = "BENCHMARK [flags]",
        .about = "Measures, beside something to compare with, on the machine it runs on.\n"
                 "basal-bench --list: which there are. basal-bench BENCHMARK --help: its flags.",
        .flags = flags,
        .take = take};
    const int at = args_read(&program, argc, argv, &list);
    if (at < 0) {
        return -1 - at;
    }
    if (list) {
        print_list(stdout);
        return 0;
    }
    for (const struct bench *b = benches; at < argc && b->name != NULL; b++) {
        if (strcmp(argv[at], b->name) == 0) {
            return b->run(argc - at, argv + at);
        }
    }
    (void)fprintf(stderr, "basal-bench: %s%swhich benchmark? One of\n", at < argc ? argv[at] : "",
                  at < argc ? ": there is none of that name; " : "");
    print_list(stderr);
    return EXIT_USAGE;
}
