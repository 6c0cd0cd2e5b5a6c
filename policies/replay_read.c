/* The readers' side: sampling, inspection, verification. */
#include "policies/replay_segment.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define GUARD_ROWS 64   /* rows at the old end that are left alone: the writer comes there next */
#define TRIES_MAX  1000 /* draws for one row before giving up */

struct sampler {
    const struct replay *replay;
    struct sample_spec spec;
    float *s, *a, *r, *s2, *g, *w, *a2, *logp;
    uint64_t *legal, *legal2;
    uint8_t *last, *valid, *source;
    uint32_t *version;
};

/* The oldest row that the writer does not touch at this head: row head + 1 may be in the making. */
static int64_t oldest_whole(const struct replay *r, int64_t head)
{
    return head - r->capacity + 2;
}

/* Rows [first, head) are closed and safe to read for a while. */
static int64_t first_row(const struct replay *r, int64_t head)
{
    const int64_t guard = r->capacity / 4 < GUARD_ROWS ? r->capacity / 4 : GUARD_ROWS;
    const int64_t oldest = oldest_whole(r, head) + guard;
    return oldest > 0 ? oldest : 0;
}

/* After reading: was all of row still there? Acquire: what was read comes before this look at head;
 * pairs with the release fence of a commit. */
static bool was_whole(const struct replay *r, int64_t row)
{
    atomic_thread_fence(memory_order_acquire);
    return row >= oldest_whole(r, replay_head(r));
}

static uint32_t meta_of(const struct replay *r, int64_t row)
{
    return word_get(&segment_row(r, row)[r->at_tail + ROW_META]);
}

static float clip1(float x)
{
    return x > 1.0f ? 1.0f : x < -1.0f ? -1.0f : x;
}

static void gather_obs(const struct sampler *s, int64_t row, float *ret_obs)
{
    const struct replay *r = s->replay;
    const _Atomic uint32_t *w = segment_row(r, row);
    for (int k = 0; k < r->n_obs; k++) {
        float x = word_float(&w[k]);
        if (s->spec.obs_mean != NULL) {
            x = (x - s->spec.obs_mean[k]) * s->spec.obs_scale[k];
            x = x > 10.0f ? 10.0f : x < -10.0f ? -10.0f : x;
        }
        ret_obs[k] = x;
    }
}

/* What the critic trains on: asked or applied, as the setting and the driver of the row say. */
static void gather_action(const struct sampler *s, int64_t row, float *ret_act)
{
    const struct replay *r = s->replay;
    const _Atomic uint32_t *w = segment_row(r, row);
    const uint32_t source = word_get(&w[r->at_tail + ROW_META]) >> 8 & 0xff;
    const bool applied = s->spec.action == REPLAY_APPLIED ||
                         (s->spec.action == REPLAY_BY_SOURCE && source == SOURCE_HUMAN);
    const int at = r->n_obs + (applied ? r->n_act : 0);
    for (int k = 0; k < r->n_act; k++) {
        ret_act[k] = clip1(word_float(&w[at + k]));
    }
}

static uint64_t legal_of(const struct replay *r, int64_t row)
{
    const _Atomic uint32_t *tail = segment_row(r, row) + r->at_tail;
    return (uint64_t)word_get(&tail[ROW_LEGAL_HI]) << 32 | word_get(&tail[ROW_LEGAL_LO]);
}

/* Does a run stop after this row: at an end, at a flag, before a final row, at the head? */
static bool ends_run(const struct replay *r, int64_t row, int64_t head)
{
    return (meta_of(r, row) & (ROW_TERMINAL | ROW_TRUNCATED | ROW_FLAG)) != 0 || row + 1 >= head ||
           (meta_of(r, row + 1) & ROW_FINAL) != 0;
}

/*
 * The n-step window from row: r = sum gamma^i r_i, g = gamma^k (1 - terminal), s2 after k rows. It
 * stops where a run stops.
 */
static void gather_window(const struct sampler *s, int64_t row, int64_t head, int i)
{
    const struct replay *r = s->replay;
    double sum = 0.0, discount = 1.0;
    bool ended = false;
    for (int k = 0; k < s->spec.n_steps && !ended; k++, row++) {
        sum += discount * (double)word_float(&segment_row(r, row)[r->at_tail + ROW_R]);
        discount *= s->spec.gamma;
        ended = ends_run(r, row, head);
    }
    const bool terminal = (meta_of(r, row - 1) & ROW_TERMINAL) != 0;
    s->r[i] = (float)sum;
    s->g[i] = terminal ? 0.0f : (float)discount;
    gather_obs(s, row, s->s2 + (size_t)i * (size_t)r->n_obs);
    s->legal2[i] = legal_of(r, row);
}

static void gather_row(const struct sampler *s, int64_t row, int64_t head, int i)
{
    const struct replay *r = s->replay;
    const _Atomic uint32_t *tail = segment_row(r, row) + r->at_tail;
    const uint32_t meta = word_get(&tail[ROW_META]);
    gather_obs(s, row, s->s + (size_t)i * (size_t)r->n_obs);
    gather_action(s, row, s->a + (size_t)i * (size_t)r->n_act);
    gather_window(s, row, head, i);
    s->legal[i] = legal_of(r, row);
    s->logp[i] = word_float(&tail[ROW_LOGP]);
    s->version[i] = word_get(&tail[ROW_VERSION]);
    s->source[i] = (uint8_t)(meta >> 8);
    s->last[i] = ends_run(r, row, head);
    s->valid[i] = 1;
}

struct sampler *sampler_init(const struct replay *r, const struct sample_spec *spec,
                             struct arena *mem)
{
    basal_assert(spec->batch > 0 && spec->n_steps > 0 && spec->seg_len > 0 &&
                 spec->batch % spec->seg_len == 0);
    const size_t b = (size_t)spec->batch, f = sizeof(float);
    struct sampler *s = arena_take(mem, sizeof *s);
    *s = (struct sampler){.replay = r, .spec = *spec};
    s->s = arena_take(mem, b * (size_t)r->n_obs * f);
    s->s2 = arena_take(mem, b * (size_t)r->n_obs * f);
    s->a = arena_take(mem, b * (size_t)r->n_act * f);
    s->a2 = arena_take(mem, b * (size_t)r->n_act * f);
    s->r = arena_take(mem, b * f);
    s->g = arena_take(mem, b * f);
    s->w = arena_take(mem, b * f);
    s->logp = arena_take(mem, b * f);
    s->legal = arena_take(mem, b * sizeof(uint64_t));
    s->legal2 = arena_take(mem, b * sizeof(uint64_t));
    s->last = arena_take(mem, b);
    s->valid = arena_take(mem, b);
    s->source = arena_take(mem, b);
    s->version = arena_take(mem, b * sizeof(uint32_t));
    for (int i = 0; i < spec->batch; i++) {
        s->w[i] = 1.0f;
    }
    return s;
}

static void pad_row(struct sampler *s, int i)
{
    const struct replay *r = s->replay;
    memset(s->s + (size_t)i * (size_t)r->n_obs, 0, (size_t)r->n_obs * sizeof(float));
    memset(s->s2 + (size_t)i * (size_t)r->n_obs, 0, (size_t)r->n_obs * sizeof(float));
    memset(s->a + (size_t)i * (size_t)r->n_act, 0, (size_t)r->n_act * sizeof(float));
    s->r[i] = s->g[i] = 0.0f;
    s->valid[i] = 0;
    s->last[i] = 1;
}

/* The run of seg_len consecutive rows from row; what follows its end is padding. */
static void gather_run(struct sampler *s, int64_t row, int64_t head, int i)
{
    gather_row(s, row, head, i);
    for (int k = 1; k < s->spec.seg_len; k++) {
        if (s->last[i + k - 1] != 0) {
            pad_row(s, i + k);
        } else {
            gather_row(s, row + k, head, i + k);
        }
    }
}

/* One uniform start whose run was still whole after it was read; false: none found. */
static bool draw_run(struct sampler *s, struct rng *rng, int i)
{
    const struct replay *r = s->replay;
    for (int t = 0; t < TRIES_MAX; t++) {
        const int64_t head = replay_head(r);
        const int64_t first = first_row(r, head);
        if (head <= first) {
            return false;
        }
        const int64_t row = first + (int64_t)rng_below(rng, (uint64_t)(head - first));
        if ((meta_of(r, row) & ROW_FINAL) != 0) {
            continue;
        }
        gather_run(s, row, head, i);
        if (was_whole(r, row)) { /* the rows after it are younger */
            return true;
        }
    }
    return false;
}

bool sampler_draw(struct sampler *s, struct rng *rng, struct batch *ret_batch)
{
    for (int i = 0; i < s->spec.batch; i += s->spec.seg_len) {
        if (!draw_run(s, rng, i)) {
            return false;
        }
    }
    *ret_batch = (struct batch){
        .n = s->spec.batch,
        .seg_len = s->spec.seg_len,
        .s = s->s,
        .a = s->a,
        .r = s->r,
        .s2 = s->s2,
        .g = s->g,
        .w = s->w,
        .logp = s->logp,
        .legal = s->replay->seg->has_legal ? s->legal : NULL,
        .legal2 = s->replay->seg->has_legal ? s->legal2 : NULL,
        .last = s->last,
        .valid = s->spec.seg_len > 1 ? s->valid : NULL,
        .source = s->source,
        .version = s->version,
    };
    return true;
}

bool replay_row_obs(const struct replay *r, int64_t row, float *ret_obs)
{
    const int64_t head = replay_head(r);
    if (row < first_row(r, head) || row >= head || (meta_of(r, row) & ROW_FINAL) != 0) {
        return false;
    }
    const _Atomic uint32_t *w = segment_row(r, row);
    for (int k = 0; k < r->n_obs; k++) {
        ret_obs[k] = word_float(&w[k]);
    }
    return was_whole(r, row);
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
        .rows = head - first_row(r, head),
        .episodes = atomic_load_explicit(&h->episodes, memory_order_relaxed),
        .terminals = atomic_load_explicit(&h->terminals, memory_order_relaxed),
        .truncated = atomic_load_explicit(&h->truncated, memory_order_relaxed),
        .human = atomic_load_explicit(&h->human, memory_order_relaxed),
        .n_obs = r->n_obs,
        .n_act = r->n_act,
        .version = (int)h->version,
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
    const bool ends = (meta_of(r, row) & (ROW_TERMINAL | ROW_TRUNCATED)) != 0;
    if (!row_is_sane(r, row, ret_why, cap)) {
        return true;
    }
    if (ends && row + 1 < head && (meta_of(r, row + 1) & ROW_FINAL) == 0) {
        (void)why(ret_why, cap, 0, "row %lld ends an episode without a final row", (long long)row);
        return true;
    }
    return false;
}

int64_t replay_verify(const struct replay *r, char *ret_why, int cap)
{
    const int64_t head = replay_head(r);
    char reason[WHY_CHARS];
    int64_t bad = 0;
    for (int64_t row = first_row(r, head); row < head; row++) {
        if (!row_is_bad(r, row, head, reason, (int)sizeof reason) || !was_whole(r, row)) {
            continue; /* sound, or overwritten meanwhile */
        }
        if (bad++ == 0) {
            (void)why(ret_why, cap, 0, "%s", reason);
        }
    }
    return bad;
}
