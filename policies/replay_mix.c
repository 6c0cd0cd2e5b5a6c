#include "policies/replay_mix.h"

#include "policies/replay_segment.h"

#include <errno.h>
#include <math.h>
#include <string.h>

struct mix {
    struct sampler *own, *prior;
    int n, n_prior;
    size_t width, n_act;                       /* floats of an observation, of an action */
    float *s, *a, *r, *s2, *g, *w, *a2, *logp; /* [n,...]; a2, logp: where both have them */
    uint64_t *legal, *legal2;                  /* [n] */
    uint8_t *last, *source;                    /* [n] */
    uint32_t *version;                         /* [n] */
};

int mix_prior_rows(double ratio, int n)
{
    return (int)lrint(ratio * n);
}

bool mix_is_prior(int i, int n, int n_prior)
{
    const int64_t k = n_prior;
    return (i + 1) * k / n > i * k / n;
}

/* --- is it ours, is it sound? --- */

static int refuse(char *ret_why, int cap, const char *what)
{
    return why(ret_why, cap, -EPROTO,
               "prior data: another robot's: its %s differ from this one's; give those of the same "
               "joints, slots, action units and policy rate",
               what);
}

static int check_kind(const struct replay *prior, const struct replay *own, char *ret_why, int cap)
{
    const struct segment_header *p = prior->seg, *o = own->seg;
    if (p->n_obs != o->n_obs) {
        return refuse(ret_why, cap, "observations");
    }
    if (p->n_act != o->n_act || p->has_legal != o->has_legal) {
        return refuse(ret_why, cap, "actions");
    }
    if (p->picture_h != o->picture_h || p->picture_w != o->picture_w ||
        p->picture_c != o->picture_c) {
        return refuse(ret_why, cap, "pictures");
    }
    if (p->policy_rate_hz != o->policy_rate_hz) {
        return refuse(ret_why, cap, "policy rates");
    }
    return p->schema_hash == o->schema_hash ? 0 : refuse(ret_why, cap, "slots");
}

/* The last closed row's successor is there: a final row has none, otherwise the open row is it. */
static bool ends_well(const struct replay *r, int64_t head)
{
    const _Atomic uint32_t *w = segment_row(r, head);
    if ((segment_meta(r, head - 1) & ROW_FINAL) != 0) {
        return true;
    }
    for (int k = 0; k < r->n_obs; k++) {
        if (!isfinite(word_float(&w[k]))) {
            return false;
        }
    }
    return atomic_load_explicit(&r->seg->open, memory_order_relaxed) != 0;
}

static int check_rows(const struct replay *r, int64_t head, char *ret_why, int cap)
{
    char reason[WHY_CHARS] = "";
    const int64_t bad = replay_verify(r, reason, (int)sizeof reason);
    if (bad > 0) {
        return why(ret_why, cap, -EBADMSG,
                   "prior data: %lld rows are damaged, the first: %.120s; give others",
                   (long long)bad, reason);
    }
    if (head > 0 && !ends_well(r, head)) {
        return why(ret_why, cap, -EBADMSG,
                   "prior data: damaged: nothing sound follows the last row; give others");
    }
    return 0;
}

int64_t mix_check(const struct replay *prior, const struct replay *own, int n_choices,
                  char *ret_why, int cap)
{
    const int64_t head = replay_head(prior);
    int64_t rows = 0;
    int rc = check_kind(prior, own, ret_why, cap);
    rc = rc == 0 ? check_rows(prior, head, ret_why, cap) : rc;
    if (rc < 0) {
        return rc;
    }
    const int64_t wrong = replay_no_choice(prior, n_choices);
    if (wrong >= 0) {
        return why(ret_why, cap, -EBADMSG,
                   "prior data: row %lld decides for what is none of %d choices; give others",
                   (long long)wrong, n_choices);
    }
    for (int64_t row = segment_first(prior, head); row < head; row++) {
        rows += (segment_meta(prior, row) & ROW_FINAL) == 0;
    }
    return rows > 0 ? rows
                    : why(ret_why, cap, -EBADMSG,
                          "prior data: there is not one transition in them; give others, or none");
}

/* --- batches --- */

static float *floats(struct arena *mem, size_t n)
{
    return arena_take(mem, n * sizeof(float));
}

struct mix *mix_init(const struct replay *own, const struct replay *prior,
                     const struct sample_spec *spec, int n_prior, struct arena *mem)
{
    const int history = spec->history > 0 ? spec->history : 1;
    const size_t n = (size_t)spec->batch;
    struct sample_spec of_own = *spec, of_prior = *spec;
    struct mix *z = arena_take(mem, sizeof *z);
    basal_assert(spec->seg_len == 1 && spec->by == NULL && n_prior > 0 && n_prior < spec->batch);
    of_own.batch = spec->batch - n_prior;
    of_prior.batch = n_prior;
    *z = (struct mix){.own = sampler_init(own, &of_own, mem),
                      .prior = sampler_init(prior, &of_prior, mem),
                      .n = spec->batch,
                      .n_prior = n_prior,
                      .width = (size_t)(own->n_obs + history * own->n_pixels),
                      .n_act = (size_t)own->n_act};
    z->s = floats(mem, n * z->width);
    z->s2 = floats(mem, n * z->width);
    z->a = floats(mem, n * z->n_act);
    z->a2 = floats(mem, n * z->n_act);
    z->r = floats(mem, n);
    z->g = floats(mem, n);
    z->w = floats(mem, n);
    z->logp = floats(mem, n);
    z->legal = arena_take(mem, n * sizeof(uint64_t));
    z->legal2 = arena_take(mem, n * sizeof(uint64_t));
    z->last = arena_take(mem, n);
    z->source = arena_take(mem, n);
    z->version = arena_take(mem, n * sizeof(uint32_t));
    return z;
}

/* One column, of so many bytes a line. NULL stays NULL. */
static void *merge(const struct mix *z, const void *own, const void *prior, size_t bytes,
                   void *ret_column)
{
    const char *from[2] = {own, prior};
    char *to = ret_column;
    if (own == NULL) {
        return NULL;
    }
    for (int i = 0; i < z->n; i++, to += bytes) {
        const int which = mix_is_prior(i, z->n, z->n_prior);
        memcpy(to, from[which], bytes);
        from[which] += bytes;
    }
    return ret_column;
}

bool mix_draw(struct mix *z, struct rng *rng, struct batch *ret_batch)
{
    const size_t f = sizeof(float);
    struct batch o, p;
    if (!sampler_draw(z->own, rng, &o) || !sampler_draw(z->prior, rng, &p)) {
        return false;
    }
    *ret_batch = (struct batch){
        .n = z->n,
        .seg_len = 1,
        .s = merge(z, o.s, p.s, z->width * f, z->s),
        .a = merge(z, o.a, p.a, z->n_act * f, z->a),
        .r = merge(z, o.r, p.r, f, z->r),
        .s2 = merge(z, o.s2, p.s2, z->width * f, z->s2),
        .g = merge(z, o.g, p.g, f, z->g),
        .w = merge(z, o.w, p.w, f, z->w),
        .a2 = merge(z, o.a2, p.a2, z->n_act * f, z->a2),
        .logp = merge(z, o.logp, p.logp, f, z->logp),
        .legal = merge(z, o.legal, p.legal, sizeof *z->legal, z->legal),
        .legal2 = merge(z, o.legal2, p.legal2, sizeof *z->legal2, z->legal2),
        .last = merge(z, o.last, p.last, 1, z->last),
        .source = merge(z, o.source, p.source, 1, z->source),
        .version = merge(z, o.version, p.version, sizeof *z->version, z->version),
    };
    return true;
}
