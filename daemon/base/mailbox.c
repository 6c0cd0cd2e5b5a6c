#include "daemon/base/mailbox.h"

#define MAILBOX_FRESH 4u
#define MAILBOX_INDEX 3u

void mailbox_init(struct mailbox *ret_box, void *block, size_t slot_bytes)
{
    basal_assert(slot_bytes % CACHE_LINE == 0);
    ret_box->slots = block;
    ret_box->slot_bytes = slot_bytes;
    ret_box->back = 0;
    ret_box->front = 2;
    atomic_init(&ret_box->middle, 1);
}

void *mailbox_back(struct mailbox *m)
{
    return m->slots + m->back * m->slot_bytes;
}

void mailbox_put(struct mailbox *m)
{
    /* release: pairs with the acquire in mailbox_take; acquire: the slot that comes back is no
     * longer read */
    const uint32_t old =
        atomic_exchange_explicit(&m->middle, m->back | MAILBOX_FRESH, memory_order_acq_rel);
    m->back = old & MAILBOX_INDEX;
}

const void *mailbox_take(struct mailbox *m)
{
    if ((atomic_load_explicit(&m->middle, memory_order_relaxed) & MAILBOX_FRESH) == 0) {
        return NULL;
    }
    const uint32_t old = atomic_exchange_explicit(&m->middle, m->front, memory_order_acq_rel);
    m->front = old & MAILBOX_INDEX;
    return m->slots + m->front * m->slot_bytes;
}

const void *mailbox_waiting(const struct mailbox *m)
{
    const uint32_t middle = atomic_load_explicit(&m->middle, memory_order_acquire);
    return (middle & MAILBOX_FRESH) != 0 ? m->slots + (middle & MAILBOX_INDEX) * m->slot_bytes
                                         : NULL;
}
