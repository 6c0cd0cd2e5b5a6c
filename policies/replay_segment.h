/*
 * The bytes of a replay segment: what replay.c writes and replay_read.c gathers. Offsets are
 * derived from the header's counts by one function, so that writer, reader and other processes
 * agree.
 */
#pragma once

#include "policies/replay.h"

#include <stdatomic.h>

#define REPLAY_MAGIC   UINT64_C(0x314c505241534142) /* "BASARPL1" */
#define REPLAY_VERSION 3u
#define REPLAY_SLOTS   (OBS_MAX + ACT_MAX)
#define SEGMENT_GUARD                                                                              \
    64 /* rows at the old end that are left alone: the writer comes there next                     \
        */

enum slot_type { SLOT_F32, SLOT_U8, SLOT_BIT };

struct segment_slot {
    char name[NAME_CHARS * 2];
    char unit[16];
    uint8_t type; /* enum slot_type */
    uint8_t pad[7];
};

/* Fixed layout, little-endian, no pointers. */
struct segment_header {
    uint64_t magic;
    uint32_t version, header_bytes;
    uint64_t run_id, schema_hash;
    int64_t capacity;
    int32_t n_obs, n_act;
    int32_t picture_h, picture_w, picture_c, pad;
    uint32_t has_legal, row_words;
    double policy_rate_hz;
    struct segment_slot slot[REPLAY_SLOTS];
    uint32_t crc; /* CRC-32C over all before */
    _Alignas(
        CACHE_LINE) _Atomic int64_t head; /* rows < head are closed; row head has its observation */
    _Atomic int64_t open;                 /* 1: row head is open */
    _Atomic int64_t episodes, terminals, truncated, human;
    _Alignas(CACHE_LINE) _Atomic uint32_t rows[];
};

/* One row, in 32-bit words: obs[O] asked[A] applied[A] r logp dt bits|source|next version t_lo t_hi
 * legal_lo legal_hi, then the picture, four of its bytes a word */
enum row_word {
    ROW_R,
    ROW_LOGP,
    ROW_DT,
    ROW_META,
    ROW_VERSION,
    ROW_T_LO,
    ROW_T_HI,
    ROW_LEGAL_LO,
    ROW_LEGAL_HI,
    ROW_WORDS
};

/* In ROW_META, above enum row_bits and, from bit 8, enum source: a final row follows. So who reads
 * a row need not wait for the next one's word. */
#define META_NEXT_FINAL (UINT32_C(1) << 16)

struct replay {
    struct segment_header *seg;
    size_t bytes;
    int fd;
    bool writer;
    int n_obs, n_act, at_tail; /* word where enum row_word starts */
    int n_pixels, at_picture;  /* bytes of a picture, and the word where it starts */
    size_t row_words;
    int64_t capacity;
};

static inline _Atomic uint32_t *segment_row(const struct replay *r, int64_t row)
{
    return r->seg->rows + (size_t)(row % r->capacity) * r->row_words;
}

/* Around the ring: the row after the one at w. */
static inline const _Atomic uint32_t *segment_next(const struct replay *r,
                                                   const _Atomic uint32_t *w)
{
    const _Atomic uint32_t *next = w + r->row_words;
    return next < r->seg->rows + (size_t)r->capacity * r->row_words ? next : r->seg->rows;
}

static inline uint32_t word_get(const _Atomic uint32_t *w)
{
    return atomic_load_explicit(w, memory_order_relaxed);
}

static inline void word_put(_Atomic uint32_t *w, uint32_t v)
{
    atomic_store_explicit(w, v, memory_order_relaxed);
}

/* The oldest row that the writer does not touch at this head: row head + 1 may be in the making. */
static inline int64_t segment_oldest(const struct replay *r, int64_t head)
{
    return head - r->capacity + 2;
}

/* Rows [first, head) are closed and safe to read for a while: the writer is far from them. */
static inline int64_t segment_first(const struct replay *r, int64_t head)
{
    const int64_t guard = r->capacity / 4 < SEGMENT_GUARD ? r->capacity / 4 : SEGMENT_GUARD;
    const int64_t oldest = segment_oldest(r, head) + guard;
    return oldest > 0 ? oldest : 0;
}

/* After reading: was all of row still there? Acquire: what was read comes before this look at head;
 * pairs with the release fence of a commit. */
static inline bool segment_was_whole(const struct replay *r, int64_t row)
{
    atomic_thread_fence(memory_order_acquire);
    return row >= segment_oldest(r, replay_head(r));
}

static inline uint32_t segment_meta(const struct replay *r, int64_t row)
{
    return word_get(&segment_row(r, row)[r->at_tail + ROW_META]);
}

static inline float word_float(const _Atomic uint32_t *w)
{
    union {
        uint32_t u;
        float f;
    } x = {.u = word_get(w)};

    return x.f;
}

static inline void float_put(_Atomic uint32_t *w, float v)
{
    union {
        float f;
        uint32_t u;
    } x = {.f = v};

    word_put(w, x.u);
}
