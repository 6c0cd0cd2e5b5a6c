/* Not the loop: opens and closes real ttys on its behalf. */
#include "daemon/plant_inside.h"

#include "drivers/io/serial.h"

#include <errno.h>
#include <stdio.h>

#define REOPEN_FIRST_NS (200 * NS_PER_MS)
#define REOPEN_LAST_NS  (2 * NS_PER_S)
#define BUSY_TOLD_NS    (4 * REOPEN_FIRST_NS)

void plant_service(struct plant *p, int64_t now_ns, struct reopen *state)
{
    for (int i = 0; p->world == NULL && i < p->n_buses; i++) {
        struct bus_run *b = &p->bus[i];
        struct reopen *r = &state[i];
        serial_close(atomic_exchange_explicit(&b->returned, -1, memory_order_acquire));
        if (!atomic_load_explicit(&b->wanted, memory_order_acquire) || now_ns < r->next_ns) {
            continue;
        }
        char reason[WHY_CHARS] = "";
        const int fd =
            serial_open(b->bus.spec->device, b->bus.spec->baud, reason, (int)sizeof reason);
        if (fd >= 0) {
            atomic_store_explicit(&b->wanted, false, memory_order_relaxed);
            atomic_store_explicit(&b->offered, fd, memory_order_release);
            r->back_off_ns = 0;
            r->why[0] = '\0';
            continue;
        }
        /* a killed process may keep the lock for a moment: said when it lasts */
        if (fd != -EBUSY || r->back_off_ns >= BUSY_TOLD_NS) {
            (void)snprintf(r->why, sizeof r->why, "bus %s: %.200s", b->bus.spec->name, reason);
        }
        r->back_off_ns = r->back_off_ns == 0 ? REOPEN_FIRST_NS : r->back_off_ns * 2;
        r->back_off_ns = r->back_off_ns > REOPEN_LAST_NS ? REOPEN_LAST_NS : r->back_off_ns;
        r->next_ns = now_ns + r->back_off_ns;
    }
}
