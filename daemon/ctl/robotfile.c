/* Files of the verbs: a robot file where there is no daemon, and what is written. */
#include "daemon/ctl/robotfile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONFIG_BYTES ((size_t)16 << 20)

int ctl_on_config(struct ctl *c, const char *path, int (*run)(struct ctl *, const struct config *))
{
    struct arena mem;
    char reason[WHY_CHARS] = "";
    int status = EXIT_CONFIG;
    struct config *config = calloc(1, sizeof *config);
    if (config == NULL || arena_open(&mem, "config", CONFIG_BYTES) < 0) {
        free(config);
        return exit_no_memory("basalctl");
    }
    if (config_load(config, path, NULL, 0, &mem, reason, (int)sizeof reason) < 0) {
        ctl_say(c, "%s", reason);
    } else {
        status = run(c, config);
    }
    arena_close(&mem);
    free(config);
    return status;
}

int ctl_write_file(struct ctl *c, const char *path, const uint8_t *bytes, size_t n)
{
    char beside[512];
    if ((size_t)snprintf(beside, sizeof beside, "%s.new", path) >= sizeof beside) {
        ctl_say(c, "cannot write %s: the path is longer than %zu characters", path,
                sizeof beside - 5);
        return EXIT_FAILURE;
    }
    FILE *f = fopen(beside, "wbe");
    int error = f == NULL ? errno : 0;
    if (f != NULL) {
        error = fwrite(bytes, 1, n, f) != n || fflush(f) != 0 || fsync(fileno(f)) != 0 ? errno : 0;
        (void)fclose(f);
        error = error == 0 && rename(beside, path) != 0 ? errno : error;
    }
    if (error != 0) {
        ctl_say(c, "cannot write %s: %s", path, strerror(error));
        (void)unlink(beside);
        return EXIT_FAILURE;
    }
    return 0;
}
