/*
 * Arbitrary bytes as what comes in over a socket, a command or a weights message: refused or
 * understood, never a crash; what is understood says the same when it is sent on.
 */
#include "daemon/wire.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BYTES_MAX ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void send_on(const Basald__V1__Command *c)
{
    Basald__V1__Command *again = NULL;
    const size_t n = basald__v1__command__get_packed_size(c);
    uint8_t *bytes = malloc(n + 1);
    if (bytes == NULL) {
        abort();
    }
    basal_assert(basald__v1__command__pack(c, bytes) == n);
    /* all that it says may be the default; what it does not know it keeps, and may not read again
     */
    if (n > 0 && c->base.n_unknown_fields == 0) {
        basal_assert(wire_command(bytes, n, BYTES_MAX, &again) == 0);
        basal_assert(again->id == c->id && strcmp(again->verb, c->verb) == 0);
        basal_assert(again->block.len == c->block.len);
        basal_assert(isfinite(c->reward) && c->seconds >= 0.0);
        wire_command_free(again);
    }
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    Basald__V1__Command *c = NULL;
    Basald__V1__Weights *w = NULL;
    if (wire_command(data, n, BYTES_MAX, &c) == 0) {
        send_on(c);
        wire_command_free(c);
    }
    if (wire_weights_open(data, n, &w) == 0) {
        basal_assert(w != NULL);
        wire_weights_free(w);
    }
    return 0;
}
