/* Fuzz bytes taken one after the other; zeros when they end. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct feed {
    const uint8_t *data;
    size_t n, at;
};

static inline bool feed_more(const struct feed *f)
{
    return f->at < f->n;
}

static inline uint8_t feed_u8(struct feed *f)
{
    return f->at < f->n ? f->data[f->at++] : 0;
}

static inline uint16_t feed_u16(struct feed *f)
{
    const uint8_t low = feed_u8(f);
    return (uint16_t)(low | feed_u8(f) << 8);
}

/* At most n bytes into ret_bytes; returns how many there were. */
static inline size_t feed_bytes(struct feed *f, uint8_t *ret_bytes, size_t n)
{
    const size_t left = f->n - f->at;
    n = n < left ? n : left;
    memcpy(ret_bytes, f->data + f->at, n);
    f->at += n;
    return n;
}
