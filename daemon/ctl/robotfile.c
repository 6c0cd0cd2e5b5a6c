/* Verbs that need a robot file and no daemon. */
#include "daemon/ctl/robotfile.h"

#include <stdlib.h>

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
