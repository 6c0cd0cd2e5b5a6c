/*
 * The readers' side that learns: which rows, and from rows to a batch. All rows are chosen first;
 * while one is copied the next ones are on their way from memory.
 */
#include "policies/replay_rows.h"

#include "policies/nn/scale.h"
#include "policies/replay_picture.h"
#include "policies/replay_prioritized.h"

#include <math.h>
#include <string.h>

#define TRIES_MAX  1000 /* draws for one row, or one batch, before giving up */
#define FAR        256  /* runs whose first line is under way, and with it the walk to its page */
#define NEAR       24 /* of which all lines are; of more, the first are gone before they are read */
#define FETCH_ROWS 4  /* of a longer run the processor fetches the rest by itself */

struct sampler {
    const struct replay *replay;
    struct sample_spec spec;
    int64_t *row;       /* [batch / seg_len] where each run starts */
    size_t fetch_bytes; /* that a run reads, from its first row on */
    int width;          /* floats of an observation, pictures included */
    float *s, *a, *r, *s2, *g, *w, *td, *logp, *a2; /* a2 NULL: not wanted */
    uint64_t *legal, *legal2;
    uint8_t *last, *valid, *source;
    uint32_t *version;
};

static float clip(float x, float most)
{
    return x > most ? most : x < -most ? -most : x;
}

/* Row i of an array of observations, out of the words at w. */
static void gather_obs(const struct sampler *s, const _Atomic uint32_t *w, int i, float *ret_obs)
{
    const int n = s->replay->n_obs;
    const float *mean = s->spec.obs_mean, *scale = s->spec.obs_scale;
    float *obs = ret_obs + (size_t)i * (size_t)s->width;
    for (int k = 0; k < n; k++) {
        obs[k] = word_float(&w[k]);
    }
    if (mean != NULL) {
        scale_apply(n, mean, scale, obs);
    }
    if (s->width > n) {
        picture_gather(s->replay, w, s->spec.history, obs + n);
    }
}

/* What the critic trains on, in line i of ret_a: asked or applied, as the setting and the driver of
 * the row say. */
static void gather_action(const struct sampler *s, const _Atomic uint32_t *w, int i, float *ret_a)
{
    const struct replay *r = s->replay;
    const uint32_t source = word_get(&w[r->at_tail + ROW_META]) >> 8 & 0xff;
    const bool applied = s->spec.action == REPLAY_APPLIED ||
                         (s->spec.action == REPLAY_BY_SOURCE && source == SOURCE_HUMAN);
    const _Atomic uint32_t *from = w + r->n_obs + (applied ? r->n_act : 0);
    const float most = s->spec.as_asked ? INFINITY : 1.0f;
    float *act = ret_a + (size_t)i * (size_t)r->n_act;
    for (int k = 0; k < r->n_act; k++) {
        act[k] = clip(word_float(&from[k]), most);
    }
}

static uint64_t legal_of(const struct replay *r, const _Atomic uint32_t *w)
{
    const _Atomic uint32_t *tail = w + r->at_tail;
    return (uint64_t)word_get(&tail[ROW_LEGAL_HI]) << 32 | word_get(&tail[ROW_LEGAL_LO]);
}

/* Does a run stop after this row: at an end, at a flag, before a final row? At the head it does
 * too. */
static bool ends_run(uint32_t meta)
{
    return (meta & (ROW_TERMINAL | ROW_TRUNCATED | ROW_FLAG | META_NEXT_FINAL)) != 0;
}

/* The action of the row at w, which follows a window; after a terminal one there is none, and none
 * is needed. */
static bool gather_next(const struct sampler *s, const _Atomic uint32_t *w, bool terminal,
                        bool ended, int i)
{
    if (terminal) {
        memset(s->a2 + (size_t)i * (size_t)s->replay->n_act, 0,
               (size_t)s->replay->n_act * sizeof(float));
    } else if (!ended) {
        gather_action(s, w, i, s->a2);
    }
    return terminal || !ended;
}

/*
 * The n-step window from the row at w, of which `closed` rows are closed: r = sum gamma^i r_i, g =
 * gamma^k (1 - terminal), s2 after k rows. It stops where a run stops. False: a2 is wanted, and the
 * action after it is not known.
 */
static bool gather_window(const struct sampler *s, const _Atomic uint32_t *w, int64_t closed, int i)
{
    const struct replay *r = s->replay;
    double sum = 0.0, discount = 1.0;
    uint32_t meta = 0;
    bool ended = false;
    for (int k = 0; k < s->spec.n_steps && !ended; k++) {
        const _Atomic uint32_t *tail = w + r->at_tail;
        meta = word_get(&tail[ROW_META]);
        sum += discount * (double)word_float(&tail[ROW_R]);
        discount *= s->spec.gamma;
        ended = ends_run(meta) || --closed <= 0;
        w = segment_next(r, w);
    }
    s->r[i] = (float)sum;
    s->g[i] = (meta & ROW_TERMINAL) != 0 ? 0.0f : (float)discount;
    gather_obs(s, w, i, s->s2);
    s->legal2[i] = r->seg->has_legal ? legal_of(r, w) : 0;
    return s->a2 == NULL || gather_next(s, w, (meta & ROW_TERMINAL) != 0, ended, i);
}

static bool gather_row(const struct sampler *s, const _Atomic uint32_t *w, int64_t closed, int i)
{
    const struct replay *r = s->replay;
    const _Atomic uint32_t *tail = w + r->at_tail;
    const uint32_t meta = word_get(&tail[ROW_META]);
    gather_obs(s, w, i, s->s);
    gather_action(s, w, i, s->a);
    const bool known = gather_window(s, w, closed, i);
    s->legal[i] = r->seg->has_legal ? legal_of(r, w) : 0;
    s->logp[i] = word_float(&tail[ROW_LOGP]);
    s->version[i] = word_get(&tail[ROW_VERSION]);
    s->source[i] = (uint8_t)(meta >> 8);
    s->last[i] = ends_run(meta) || closed <= 1;
    s->valid[i] = 1;
    return known;
}

void sampler_pad(struct sampler *s, int i)
{
    const struct replay *r = s->replay;
    memset(s->s + (size_t)i * (size_t)s->width, 0, (size_t)s->width * sizeof(float));
    memset(s->s2 + (size_t)i * (size_t)s->width, 0, (size_t)s->width * sizeof(float));
    memset(s->a + (size_t)i * (size_t)r->n_act, 0, (size_t)r->n_act * sizeof(float));
    if (s->a2 != NULL) {
        memset(s->a2 + (size_t)i * (size_t)r->n_act, 0, (size_t)r->n_act * sizeof(float));
    }
    s->r[i] = s->g[i] = 0.0f;
    s->valid[i] = 0;
    s->last[i] = 1;
}

/*
 * The run of n consecutive rows from row, into the batch from i on; what follows its end is
 * padding. False: no start, or overwritten while it was read (the rows after it are younger).
 */
static bool gather_run(struct sampler *s, int64_t row, int64_t head, int i, int n)
{
    const struct replay *r = s->replay;
    const _Atomic uint32_t *w = segment_row(r, row);
    if ((word_get(&w[r->at_tail + ROW_META]) & ROW_FINAL) != 0) {
        return false;
    }
    const bool known = gather_row(s, w, head - row, i);
    for (int k = 1; k < n; k++) {
        if (s->last[i + k - 1] != 0) {
            sampler_pad(s, i + k);
        } else {
            w = segment_next(r, w);
            (void)gather_row(s, w, head - row - k, i + k);
        }
    }
    return known && segment_was_whole(r, row - s->spec.history + 1);
}

bool sampler_gather(struct sampler *s, int64_t row, int64_t head, int i)
{
    return gather_run(s, row, head, i, 1);
}

void sampler_end_run(struct sampler *s, int i)
{
    s->last[i] = 1;
}

struct sampler *sampler_init(const struct replay *r, const struct sample_spec *spec,
                             struct arena *mem)
{
    basal_assert(spec->batch > 0 && spec->n_steps > 0 && spec->seg_len > 0 &&
                 spec->batch % spec->seg_len == 0);
    basal_assert(spec->by == NULL || (spec->seg_len == 1 && !spec->next_action));
    basal_assert(!spec->next_action || spec->seg_len == 1);
    const size_t b = (size_t)spec->batch, f = sizeof(float);
    const int rows = spec->seg_len - 1 + spec->n_steps;
    struct sampler *s = arena_take(mem, sizeof *s);
    *s = (struct sampler){.replay = r, .spec = *spec};
    s->spec.history = spec->history > 0 ? spec->history : 1;
    s->width = r->n_obs + s->spec.history * r->n_pixels;
    s->fetch_bytes = ((size_t)(rows < FETCH_ROWS ? rows : FETCH_ROWS) * r->row_words +
                      (spec->next_action ? r->row_words : (size_t)r->n_obs)) *
                     sizeof(uint32_t);
    s->row = arena_take(mem, b * sizeof(int64_t));
    s->s = arena_take(mem, b * (size_t)s->width * f);
    s->s2 = arena_take(mem, b * (size_t)s->width * f);
    s->a = arena_take(mem, b * (size_t)r->n_act * f);
    s->a2 = spec->next_action ? arena_take(mem, b * (size_t)r->n_act * f) : NULL;
    s->r = arena_take(mem, b * f);
    s->g = arena_take(mem, b * f);
    s->w = arena_take(mem, b * f);
    s->td = arena_take(mem, b * f);
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

static void fetch(const struct sampler *s, int64_t row)
{
    const char *from = (const char *)segment_row(s->replay, row);
    for (size_t at = 0; at < s->fetch_bytes; at += CACHE_LINE) {
        __builtin_prefetch(from + at);
    }
    __builtin_prefetch(from + s->fetch_bytes - 1);
}

/* The chosen runs into the batch, from the i-th on; returns the first that cannot be read, or how
 * many there are. */
static int gather(struct sampler *s, int64_t head, int i)
{
    const int n = s->spec.batch / s->spec.seg_len;
    for (int k = i; k < n && k < i + FAR; k++) {
        __builtin_prefetch((const void *)segment_row(s->replay, s->row[k]));
    }
    for (int k = i; k < n && k < i + NEAR; k++) {
        fetch(s, s->row[k]);
    }
    for (; i < n; i++) {
        if (i + FAR < n) {
            __builtin_prefetch((const void *)segment_row(s->replay, s->row[i + FAR]));
        }
        if (i + NEAR < n) {
            fetch(s, s->row[i + NEAR]);
        }
        if (!gather_run(s, s->row[i], head, i * s->spec.seg_len, s->spec.seg_len)) {
            return i;
        }
    }
    return n;
}

/* --- uniformly: what cannot be read is drawn again --- */

static bool draw_one(struct sampler *s, struct rng *rng, int i)
{
    for (int t = 0; t < TRIES_MAX; t++) {
        const int64_t head = replay_head(s->replay), first = segment_first(s->replay, head);
        if (head <= first) {
            return false;
        }
        const int64_t row = first + (int64_t)rng_below(rng, (uint64_t)(head - first));
        if (gather_run(s, row, head, i * s->spec.seg_len, s->spec.seg_len)) {
            return true;
        }
    }
    return false;
}

static bool draw_uniformly(struct sampler *s, struct rng *rng)
{
    const int n = s->spec.batch / s->spec.seg_len;
    const int64_t head = replay_head(s->replay), first = segment_first(s->replay, head);
    if (head <= first) {
        return false;
    }
    for (int i = 0; i < n; i++) {
        s->row[i] = first + (int64_t)rng_below(rng, (uint64_t)(head - first));
    }
    for (int i = gather(s, head, 0); i < n; i = gather(s, head, i + 1)) {
        if (!draw_one(s, rng, i)) {
            return false;
        }
    }
    return true;
}

/* --- by priority: drawn again as a whole, since its rows are strata of one sum --- */

static bool draw_by_priority(struct sampler *s, struct rng *rng)
{
    for (int t = 0; t < TRIES_MAX; t++) {
        const int64_t head = prioritized_draw(s->spec.by, rng, s->spec.batch, s->row, s->w);
        if (head < 0) {
            return false;
        }
        if (gather(s, head, 0) == s->spec.batch) {
            for (int i = 0; i < s->spec.batch; i++) {
                s->td[i] = NAN; /* of whom nobody says an error, the priority stays */
            }
            return true;
        }
    }
    return false;
}

void sampler_batch(const struct sampler *s, struct batch *ret_batch)
{
    *ret_batch = (struct batch){
        .n = s->spec.batch,
        .seg_len = s->spec.seg_len,
        .s = s->s,
        .a = s->a,
        .r = s->r,
        .s2 = s->s2,
        .g = s->g,
        .w = s->w,
        .a2 = s->a2,
        .logp = s->spec.logp ? s->logp : NULL,
        .legal = s->replay->seg->has_legal ? s->legal : NULL,
        .legal2 = s->replay->seg->has_legal ? s->legal2 : NULL,
        .last = s->last,
        .valid = s->valid,
        .source = s->source,
        .version = s->version,
        .ret_td = s->spec.by != NULL ? s->td : NULL,
    };
}

bool sampler_draw(struct sampler *s, struct rng *rng, struct batch *ret_batch)
{
    if (!(s->spec.by != NULL ? draw_by_priority(s, rng) : draw_uniformly(s, rng))) {
        return false;
    }
    sampler_batch(s, ret_batch);
    if (s->spec.seg_len == 1) {
        ret_batch->valid = NULL; /* all are */
    }
    return true;
}
