#include "daemon/bench.h"

#include "daemon/base/clock.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

bool bench_take(struct bench_common *c, const char *name, const char *value)
{
    if (strcmp(name, "json") == 0) {
        return c->json = true;
    }
    if (strcmp(name, "seed") == 0) {
        return args_whole(value, &c->seed);
    }
    if (strcmp(name, "repeat") == 0) {
        return args_whole(value, &c->repeat) && c->repeat >= 1 && c->repeat <= BENCH_RUNS_MAX;
    }
    return strcmp(name, "seconds") == 0 && args_number(value, &c->seconds) && c->seconds > 0.0;
}

void figures_add(struct figures *f, double v)
{
    basal_assert(f->n < BENCH_RUNS_MAX);
    f->v[f->n++] = v;
}

double figures_median(const struct figures *f)
{
    return median(f->v, f->n);
}

double figures_min(const struct figures *f)
{
    double least = (double)NAN;
    for (int i = 0; i < f->n; i++) {
        least = fmin(least, f->v[i]);
    }
    return least;
}

double figures_max(const struct figures *f)
{
    double most = (double)NAN;
    for (int i = 0; i < f->n; i++) {
        most = fmax(most, f->v[i]);
    }
    return most;
}

void figures_put(const struct figures *f, struct json_object *o, const char *key)
{
    if (f->n == 0) {
        json_number(o, key, (double)NAN);
        return;
    }
    struct json_object *c = json_begin();
    json_number(c, "median", figures_median(f));
    json_number(c, "min", figures_min(f));
    json_number(c, "max", figures_max(f));
    json_numbers(c, "runs", f->v, f->n);
    json_child(o, key, c);
}

const char *figures_text(const struct figures *f, char *ret_text, size_t cap)
{
    if (f->n == 0) {
        (void)snprintf(ret_text, cap, "-");
    } else {
        char number[3][32];
        const double v[3] = {figures_median(f), figures_min(f), figures_max(f)};
        for (int i = 0; i < 3; i++) { /* four digits, but whole ones in full */
            (void)snprintf(number[i], sizeof number[i], v[i] < 1000.0 ? "%.4g" : "%.0f", v[i]);
        }
        (void)snprintf(ret_text, cap, "%s [%s-%s]", number[0], number[1], number[2]);
    }
    return ret_text;
}

double bench_now_s(void)
{
    return (double)clock_now_ns(&(const struct clock){0}) / (double)NS_PER_S;
}

/* The value of a "key : value" line of /proc/cpuinfo, the first one; "" when there is none. */
static void cpu_info(const char *key, char *ret_text, size_t cap)
{
    char line[4096];
    FILE *f = fopen("/proc/cpuinfo", "re");
    ret_text[0] = '\0';
    while (f != NULL && ret_text[0] == '\0' && fgets(line, (int)sizeof line, f) != NULL) {
        const char *value = strchr(line, ':');
        if (value != NULL && strncmp(line, key, strlen(key)) == 0) {
            (void)snprintf(ret_text, cap, "%.*s", (int)strcspn(value + 2, "\n"), value + 2);
        }
    }
    if (f != NULL) {
        (void)fclose(f);
    }
}

void bench_machine(struct json_object *o)
{
    struct json_object *m = json_begin();
    struct utsname u;
    char text[1024];
    cpu_info("model name", text, sizeof text);
    json_text(m, "cpu", text);
    json_int(m, "cpus", sysconf(_SC_NPROCESSORS_ONLN));
    json_text(m, "kernel", uname(&u) == 0 ? u.release : "");
    cpu_info("flags", text, sizeof text);
    json_bool(m, "virtual", strstr(text, " hypervisor") != NULL);
    json_child(o, "machine", m);
}
