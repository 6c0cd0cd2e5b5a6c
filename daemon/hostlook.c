#include "daemon/hostlook.h"

#include "daemon/base/types.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The file that says it, by the device's own name behind all links. */
static bool latency_file(const char *sys, const char *device, char *ret_path, size_t cap)
{
    char real[PATH_MAX];
    if (realpath(device, real) == NULL) {
        return false;
    }
    const char *name = strrchr(real, '/');
    const int n = snprintf(ret_path, cap, "%s/bus/usb-serial/devices/%s/latency_timer", sys,
                           name != NULL ? name + 1 : real);
    return n > 0 && (size_t)n < cap;
}

int host_latency_ms(const char *sys, const char *device)
{
    char path[PATH_MAX], text[16] = "";
    FILE *f = latency_file(sys, device, path, sizeof path) ? fopen(path, "re") : NULL;
    if (f == NULL) {
        return -1;
    }
    const bool read = fgets(text, (int)sizeof text, f) != NULL;
    (void)fclose(f);
    char *end = text;
    const long ms = read ? strtol(text, &end, 10) : -1;
    return end > text && ms >= 0 && ms <= 255 ? (int)ms : -1; /* the chip's range */
}

int host_set_latency_ms(const char *sys, const char *device, int ms)
{
    char path[PATH_MAX];
    if (!latency_file(sys, device, path, sizeof path)) {
        return -ENOENT;
    }
    FILE *f = fopen(path, "we");
    if (f == NULL) {
        return -errno;
    }
    int rc = fprintf(f, "%d\n", ms) > 0 ? 0 : -EIO;
    if (fclose(f) != 0) {
        rc = -errno;
    }
    return rc;
}

/* Has this program the device open, and not its other side? By the file, not by its name: a
 * container has terminals of the same names. */
static bool holds(const char *proc, const char *pid, const struct stat *device)
{
    char path[PATH_CHARS], link[PATH_MAX];
    bool here = false, other_side = false;
    (void)snprintf(path, sizeof path, "%.64s/%.16s/fd", proc, pid);
    DIR *d = opendir(path);
    if (d == NULL) {
        return false;
    }
    const struct dirent *e;
    while ((e = readdir(d)) != NULL) {
        char file[PATH_CHARS];
        struct stat st;
        (void)snprintf(file, sizeof file, "%.128s/%.16s", path, e->d_name);
        const ssize_t n = readlink(file, link, sizeof link - 1);
        link[n > 0 ? n : 0] = '\0';
        here = here ||
               (stat(file, &st) == 0 && st.st_dev == device->st_dev && st.st_ino == device->st_ino);
        other_side =
            other_side || strcmp(link, "/dev/ptmx") == 0 || strcmp(link, "/dev/pts/ptmx") == 0;
    }
    (void)closedir(d);
    return here && !other_side;
}

static void name_of(const char *proc, const char *pid, char *ret_name, size_t cap)
{
    char path[PATH_CHARS];
    (void)snprintf(path, sizeof path, "%.64s/%.16s/comm", proc, pid);
    (void)snprintf(ret_name, cap, "a program");
    FILE *f = fopen(path, "re");
    if (f == NULL) {
        return;
    }
    if (fgets(ret_name, (int)cap, f) != NULL) {
        ret_name[strcspn(ret_name, "\n")] = '\0';
    }
    (void)fclose(f);
}

void host_holders(const char *proc, const char *device, char *ret_text, size_t cap)
{
    char name[32];
    struct stat st;
    size_t used = 0;
    ret_text[0] = '\0';
    DIR *d = stat(device, &st) == 0 ? opendir(proc) : NULL;
    if (d == NULL) {
        return;
    }
    const long self = (long)getpid();
    const struct dirent *e;
    while ((e = readdir(d)) != NULL && used < cap) {
        char *end = NULL;
        const long pid = strtol(e->d_name, &end, 10);
        if (pid <= 0 || *end != '\0' || pid == self || !holds(proc, e->d_name, &st)) {
            continue;
        }
        name_of(proc, e->d_name, name, sizeof name);
        used += (size_t)snprintf(ret_text + used, cap - used, "%s%s (pid %ld)",
                                 used > 0 ? ", " : "", name, pid);
    }
    (void)closedir(d);
}
