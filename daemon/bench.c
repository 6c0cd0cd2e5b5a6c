#include "daemon/bench.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

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
