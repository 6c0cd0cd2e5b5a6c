/*
 * Arbitrary YAML, after a line with a --set: refused with a sentence or taken, never a crash; what
 * is taken comes out of a dump to the same hash.
 */
#include "daemon/config.h"

#include <stdlib.h>
#include <string.h>

#define MEMORY ((size_t)64 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static int load(struct config *ret_config, const char *text, size_t n, const char *set,
                struct arena *mem)
{
    char reason[WHY_CHARS] = "";
    const char *const sets[] = {set};
    const struct config_text from = {.text = text, .n = n, .name = "fuzz.yaml"};
    const int rc =
        config_load_text(ret_config, &from, sets, set != NULL, mem, reason, (int)sizeof reason);
    basal_assert(rc == 0 || reason[0] != '\0');
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct config config, again;
    static char dump[CONFIG_DUMP_MAX];
    struct arena mem;
    char set[256];
    const char *text = (const char *)data;
    const char *line = n > 4 && memcmp(text, "set ", 4) == 0 ? memchr(text, '\n', n) : NULL;
    const size_t n_set = line != NULL ? (size_t)(line - text) : 0;
    const bool has_set = n_set > 4 && n_set < sizeof set;
    if (has_set) {
        memcpy(set, text + 4, n_set - 4);
        set[n_set - 4] = '\0';
    }
    if (arena_open(&mem, "fuzz", MEMORY) < 0) {
        abort();
    }
    if (load(&config, text + n_set, n - n_set, has_set ? set : NULL, &mem) == 0) {
        const int length = config_dump(&config, dump, (int)sizeof dump);
        basal_assert(length > 0);
        basal_assert(load(&again, dump, (size_t)length, NULL, &mem) == 0);
        basal_assert(again.hash == config.hash && again.robot_hash == config.robot_hash);
    }
    arena_close(&mem);
    return 0;
}
