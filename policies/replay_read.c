/* The readers' side that looks: one row, counts, verification. Sampling: replay_sample.c. */
#include "policies/replay_segment.h"

#include <errno.h>
#include <math.h>
#include <string.h>

bool replay_row_obs(const struct replay *r, int64_t row, float *ret_obs)
{
    const int64_t head = replay_head(r);
    if (row < segment_first(r, head) || row >= head || (segment_meta(r, row) & ROW_FINAL) != 0) {
        return false;
    }
    const _Atomic uint32_t *w = segment_row(r, row);
    for (int k = 0; k < r->n_obs; k++) {
        ret_obs[k] = word_float(&w[k]);
    }
    return segment_was_whole(r, row);
}

int replay_info(const struct replay *r, struct replay_info *ret_info)
{
    const struct segment_header *h = r->seg;
    const int64_t head = replay_head(r);
    *ret_info = (struct replay_info){
        .run_id = h->run_id,
        .schema_hash = h->schema_hash,
        .capacity = r->capacity,
        .head = head,
        .rows = head - segment_first(r, head),
        .episodes = atomic_load_explicit(&h->episodes, memory_order_relaxed),
        .terminals = atomic_load_explicit(&h->terminals, memory_order_relaxed),
        .truncated = atomic_load_explicit(&h->truncated, memory_order_relaxed),
        .human = atomic_load_explicit(&h->human, memory_order_relaxed),
        .n_obs = r->n_obs,
        .n_act = r->n_act,
        .version = (int)h->version,
        .picture = {h->picture_h, h->picture_w, h->picture_c},
        .policy_rate_hz = h->policy_rate_hz,
    };
    for (int k = 0; k < r->n_obs + r->n_act; k++) {
        memcpy(ret_info->slot[k], h->slot[k].name, sizeof ret_info->slot[k]);
        ret_info->slot[k][sizeof ret_info->slot[k] - 1] = '\0';
    }
    return 0;
}

static bool row_is_sane(const struct replay *r, int64_t row, char *ret_why, int cap)
{
    const _Atomic uint32_t *w = segment_row(r, row);
    const _Atomic uint32_t *tail = w + r->at_tail;
    const uint32_t meta = word_get(&tail[ROW_META]);
    for (int k = 0; k < r->n_obs; k++) {
        if (!isfinite(word_float(&w[k]))) {
            (void)why(ret_why, cap, 0, "row %lld: observation %d is not finite", (long long)row, k);
            return false;
        }
    }
    if ((meta & ROW_FINAL) != 0) {
        return true;
    }
    for (int k = r->n_obs; k < r->at_tail; k++) {
        if (!isfinite(word_float(&w[k]))) {
            (void)why(ret_why, cap, 0, "row %lld: action word %d is not finite", (long long)row,
                      k - r->n_obs);
            return false;
        }
    }
    if (!isfinite(word_float(&tail[ROW_R])) || !(word_float(&tail[ROW_DT]) >= 0.0f) ||
        (meta >> 8 & 0xff) > SOURCE_HUMAN) {
        (void)why(ret_why, cap, 0, "row %lld: reward, dt or source is out of range",
                  (long long)row);
        return false;
    }
    return true;
}

/* What is wrong with row, given that all rows < head are closed; false: nothing. */
static bool row_is_bad(const struct replay *r, int64_t row, int64_t head, char *ret_why, int cap)
{
    if (!row_is_sane(r, row, ret_why, cap)) {
        return true;
    }
    const uint32_t meta = segment_meta(r, row);
    if ((meta & ROW_FINAL) != 0 || row + 1 >= head) {
        return false;
    }
    const bool ends = (meta & (ROW_TERMINAL | ROW_TRUNCATED)) != 0;
    const bool says = (meta & META_NEXT_FINAL) != 0;
    const bool is = (segment_meta(r, row + 1) & ROW_FINAL) != 0;
    if (ends && !is) {
        (void)why(ret_why, cap, 0, "row %lld ends an episode without a final row", (long long)row);
        return true;
    }
    if (says != is) {
        (void)why(ret_why, cap, 0, "row %lld is wrong about a final row after it", (long long)row);
    }
    return says != is;
}

int64_t replay_verify(const struct replay *r, char *ret_why, int cap)
{
    const int64_t head = replay_head(r);
    char reason[WHY_CHARS];
    int64_t bad = 0;
    for (int64_t row = segment_first(r, head); row < head; row++) {
        if (!row_is_bad(r, row, head, reason, (int)sizeof reason) || !segment_was_whole(r, row)) {
            continue; /* sound, or overwritten meanwhile */
        }
        if (bad++ == 0) {
            (void)why(ret_why, cap, 0, "%s", reason);
        }
    }
    return bad;
}

/* An action that indexes a choice: asked and applied. A final row's words are those of an older
 * row, or 0. */
static bool chooses(const struct replay *r, int64_t row, int n_choices)
{
    const _Atomic uint32_t *w = segment_row(r, row) + r->n_obs;
    for (int k = 0; k < 2 * r->n_act; k++) {
        const float choice = word_float(&w[k]);
        if (!(choice >= 0.0f && choice < (float)n_choices) || choice != floorf(choice)) {
            return false;
        }
    }
    return true;
}

int64_t replay_no_choice(const struct replay *r, int n_choices)
{
    const int64_t head = replay_head(r);
    for (int64_t row = segment_first(r, head); row < head && n_choices > 0; row++) {
        if (!chooses(r, row, n_choices)) {
            return row;
        }
    }
    return -1;
}
