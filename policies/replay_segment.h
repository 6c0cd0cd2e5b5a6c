/*
 * The bytes of a replay segment: what replay.c writes and replay_read.c gathers. Offsets are
 * derived from the header's counts by one function, so that writer, reader and other processes
 * agree.
 */
#pragma once

#include "policies/replay.h"

#include <stdatomic.h>

#define REPLAY_MAGIC   UINT64_C(0x314c505241534142) /* "BASARPL1" */
#define REPLAY_VERSION 1u
#define REPLAY_SLOTS   (OBS_MAX + ACT_MAX)

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

/* One row, in 32-bit words: obs[O] asked[A] applied[A] r logp dt bits|source version t_lo t_hi
 * legal_lo legal_hi */
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

struct replay {
    struct segment_header *seg;
    size_t bytes;
    int fd;
    bool writer;
    int n_obs, n_act, at_tail; /* word where enum row_word starts */
    size_t row_words;
    int64_t capacity;
};

size_t segment_bytes(int n_obs, int n_act, int64_t capacity);

static inline _Atomic uint32_t *segment_row(const struct replay *r, int64_t row)
{
    return r->seg->rows + (size_t)(row % r->capacity) * r->row_words;
}

static inline uint32_t word_get(const _Atomic uint32_t *w)
{
    return atomic_load_explicit(w, memory_order_relaxed);
}

static inline void word_put(_Atomic uint32_t *w, uint32_t v)
{
    atomic_store_explicit(w, v, memory_order_relaxed);
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
