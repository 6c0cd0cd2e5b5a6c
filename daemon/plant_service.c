/* Not the loop: opens and closes real buses on its behalf, and says what is the matter with them.
 */
#include "daemon/plant_inside.h"

#include "drivers/io/can_link.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define REOPEN_FIRST_NS (200 * NS_PER_MS)
#define REOPEN_LAST_NS  (2 * NS_PER_S)
#define BUSY_TOLD_NS    (4 * REOPEN_FIRST_NS)
#define TELL_AGAIN_NS   (10 * NS_PER_S)

/* What the loop has seen on an open CAN bus: each kind once in a while. */
static void say_trouble(struct bus_run *b, struct reopen *r, int64_t now_ns)
{
    char text[WHY_CHARS];
    const unsigned all = atomic_exchange_explicit(&b->trouble, 0, memory_order_relaxed);
    if (now_ns - r->told_ns > TELL_AGAIN_NS) {
        r->told = 0;
    }
    if (can_errors_text(all & ~r->told, b->bus.spec->device, text, (int)sizeof text) > 0) {
        (void)snprintf(r->note, sizeof r->note, "bus %s: %.200s", b->bus.spec->name, text);
        r->told |= all;
        r->told_ns = now_ns;
    }
}

/* No other daemon may have the same motors: who has an interface keeps it. */
static int open_port(struct plant *p, int i, char *ret_note, char *ret_why, int cap)
{
    const char *device = p->bus[i].bus.spec->device;
    struct bus_run *first = &p->bus[0]; /* two buses of a robot may share one */
    while (strcmp(first->bus.spec->device, device) != 0) {
        first++;
    }
    if (p->bus[i].port.kind == PORT_CAN && first->lock < 0) {
        const int lock = can_link_lock(device, ret_why, cap);
        if (lock < 0) {
            return lock;
        }
        first->lock = lock;
    }
    return port_open(p->bus[i].bus.robot, i, ret_note, ret_why, cap);
}

void plant_service(struct plant *p, int64_t now_ns, struct reopen *state)
{
    for (int i = 0; p->world == NULL && i < p->n_buses; i++) {
        struct bus_run *b = &p->bus[i];
        struct reopen *r = &state[i];
        say_trouble(b, r, now_ns);
        port_close(b->port.kind, atomic_exchange_explicit(&b->returned, -1, memory_order_acquire));
        if (!atomic_load_explicit(&b->wanted, memory_order_acquire) || now_ns < r->next_ns) {
            continue;
        }
        char reason[WHY_CHARS] = "", note[WHY_CHARS] = "";
        const int fd = open_port(p, i, note, reason, (int)sizeof reason);
        if (note[0] != '\0') {
            (void)snprintf(r->note, sizeof r->note, "bus %s: %.200s", b->bus.spec->name, note);
        }
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
