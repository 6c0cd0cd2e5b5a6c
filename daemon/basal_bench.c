/* basal-bench: the benchmarks, as a table. */
#include "daemon/args.h"
#include "daemon/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One line per benchmark: daemon/bench_NAME.c ends with its row. */
#define BENCHES(X) X(loop) X(gemm) X(update) X(act) X(step) X(pendulum) X(replay) X(per)

#define X(name) extern const struct bench bench_##name;
BENCHES(X)
#undef X

#define X(name) &bench_##name,
static const struct bench *const benches[] = {BENCHES(X) NULL};
#undef X

/* clang-format off */
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
    for (int i = 0; benches[i] != NULL; i++) {
        (void)fprintf(f, "  %-8s %s\n", benches[i]->name, benches[i]->about);
    }
}

/* argv[0] is the benchmark's name, its flags follow. */
static int run(const struct bench *b, int argc, char **argv)
{
    char name[64];
    const struct program program = {
        .name = name, .usage = "[flags]", .about = b->help, .flags = b->flags, .take = b->take};
    (void)snprintf(name, sizeof name, "basal-bench %s", b->name);
    void *args = malloc(b->args_bytes);
    if (args == NULL) {
        return exit_no_memory(name);
    }
    memcpy(args, b->defaults, b->args_bytes);
    const int at = args_read(&program, argc, argv, args);
    int status = at < 0 ? -1 - at : EXIT_USAGE;
    if (at == argc) {
        status = b->run(args);
    } else if (at >= 0) {
        (void)fprintf(stderr, "%s: %s: nothing but flags, please\n", name, argv[at]);
    }
    free(args);
    return status;
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
    for (int i = 0; at < argc && benches[i] != NULL; i++) {
        if (strcmp(argv[at], benches[i]->name) == 0) {
            return run(benches[i], argc - at, argv + at);
        }
    }
    (void)fprintf(stderr, "basal-bench: %s%swhich benchmark? One of\n", at < argc ? argv[at] : "",
                  at < argc ? ": there is none of that name; " : "");
    print_list(stderr);
    return EXIT_USAGE;
}
