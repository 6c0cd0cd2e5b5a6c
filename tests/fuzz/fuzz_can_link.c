/*
 * Any bytes as the kernel's answer about an interface: read within their bounds, or refused; and
 * what is then said of it is a sentence.
 */
#include "drivers/io/can_link.h"

#include "daemon/base/rt.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const struct can_spec spec = {.interface = "can0",
                                         .rate = {.bitrate = 1000000, .data_bitrate = 5000000}};
    struct can_link l;
    char reason[WHY_CHARS] = "";
    uint8_t *own = malloc(n + 1); /* of its own length: what lies behind is seen */
    if (own == NULL) {
        abort();
    }
    memcpy(own, data, n);
    const int rc = can_link_parse(own, n, &l);
    basal_assert(rc <= 0);
    if (rc == 0) {
        const int judged = can_link_judge(&spec, &l, reason, (int)sizeof reason);
        basal_assert(memchr(l.kind, '\0', sizeof l.kind) != NULL);
        basal_assert((judged == 0) == (reason[0] == '\0'));
    }
    free(own);
    return 0;
}
