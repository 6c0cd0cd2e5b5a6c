/* Arbitrary YAML: refused with a sentence or taken, never a crash. */
#include "daemon/config.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct config config;
    struct arena mem;
    char reason[WHY_CHARS];
    if (arena_open(&mem, "fuzz", (size_t)64 << 20) < 0) {
        return 0;
    }
    const struct config_text from = {.text = (const char *)data, .n = n, .name = "fuzz.yaml"};
    const int rc = config_load_text(&config, &from, NULL, 0, &mem, reason, (int)sizeof reason);
    (void)rc;
    arena_close(&mem);
    return 0;
}
