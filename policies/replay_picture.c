#include "policies/replay_picture.h"

/* Around the ring: the row before the one at w. */
static const _Atomic uint32_t *before(const struct replay *r, const _Atomic uint32_t *w)
{
    return w > r->seg->rows ? w - r->row_words
                            : r->seg->rows + (size_t)(r->capacity - 1) * r->row_words;
}

/* The row before the one at w belongs to the same episode: it was written, and is no final row. */
static bool goes_on(const struct replay *r, const _Atomic uint32_t *w)
{
    const bool first = w == r->seg->rows && replay_head(r) < r->capacity;
    return !first && (word_get(&before(r, w)[r->at_tail + ROW_META]) & ROW_FINAL) == 0;
}

static void read_one(const struct replay *r, const _Atomic uint32_t *w, float *ret_obs)
{
    const _Atomic uint32_t *from = w + r->at_picture;
    for (int k = 0; k < r->n_pixels; k += 4) {
        const uint32_t word = word_get(from++);
        for (int i = 0; i < 4 && k + i < r->n_pixels; i++) {
            ret_obs[k + i] = (float)(word >> 8 * i & 0xff) * (1.0f / 255.0f);
        }
    }
}

void picture_gather(const struct replay *r, const _Atomic uint32_t *w, int history, float *ret_obs)
{
    for (int k = history - 1; k >= 0; k--) {
        read_one(r, w, ret_obs + (size_t)k * (size_t)r->n_pixels);
        w = k > 0 && goes_on(r, w) ? before(r, w) : w;
    }
}
