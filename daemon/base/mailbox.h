/*
 * A mailbox between one writer and one reader: the newest wins. Three slots; writer and reader each
 * own one, the third is exchanged by one atomic swap, so neither ever waits and the reader may keep
 * its slot as long as it likes.
 */
#pragma once

#include "daemon/base/rt.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct mailbox {
    char *slots; /* 3 x slot_bytes */
    size_t slot_bytes;
    _Alignas(CACHE_LINE) _Atomic uint32_t middle; /* index of the middle slot | MAILBOX_FRESH */
    _Alignas(CACHE_LINE) uint32_t back;           /* the writer's */
    _Alignas(CACHE_LINE) uint32_t front;          /* the reader's */
};

/* block: 3 x slot_bytes, slot_bytes a multiple of 64. */
void mailbox_init(struct mailbox *ret_box, void *block, size_t slot_bytes);

/* The writer's slot: fill it, then mailbox_put. */
void *mailbox_back(struct mailbox *m) BASAL_RT;
void mailbox_put(struct mailbox *m) BASAL_RT;

/* The newest slot if one came since the last take, else NULL. It stays valid until the next take
 * that is not NULL. */
const void *mailbox_take(struct mailbox *m) BASAL_RT;

/*
 * The newest slot that was put and not taken yet, or NULL. Whether there is one the reader may ask
 * at any time; what is in it, anyone, but only while neither writer nor reader is at work.
 */
const void *mailbox_waiting(const struct mailbox *m) BASAL_RT;
