#include "daemon/learner.h"

#include "daemon/base/hash.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* beside the algorithm's */
#define LEARNER_TENSORS (8 + PRIORITIZED_TENSORS + NEWEST_TENSORS + ONCE_TENSORS + SWEEP_TENSORS)

static void open_sampler(struct learner *l, const struct replay *prior, unsigned needs,
                         struct arena *mem)
{
    const struct learner_settings *c = &l->config->learner;
    const int batch = l->dims.batch;
    const struct prioritized_spec by = {.kind = c->prioritized_replay,
                                        .batch = batch,
                                        .alpha = c->prioritized_replay_alpha,
                                        .eps = c->prioritized_replay_eps};
    if (c->prioritized_replay != PRIORITY_UNIFORM) {
        l->by = prioritized_init(l->replay, &by, mem);
    }
    const struct sample_spec spec = {
        .batch = batch,
        .n_steps = c->n_steps,
        .seg_len = l->dims.seg_len,
        .history = l->dims.history,
        .gamma = c->gamma,
        .action = l->config->replay.action,
        .as_asked = l->dims.n_choices > 0 || (needs & NEEDS_LOGP) != 0,
        .next_action = (needs & NEEDS_NEXT_ACTION) != 0,
        .logp = (needs & NEEDS_LOGP) != 0,
        .obs_mean = l->scale != NULL ? l->mean : NULL,
        .obs_scale = l->scale != NULL ? l->inv_std : NULL,
        .by = l->by,
    };
    if (prior != NULL) {
        l->mix = mix_init(l->replay, prior, &spec, mix_prior_rows(c->prior_ratio, batch), mem);
        return;
    }
    l->sampler = sampler_init(l->replay, &spec, mem);
    if ((needs & NEEDS_NEWEST) != 0) {
        l->newest = newest_init(l->replay, l->sampler, batch, spec.logp, mem);
    }
    if ((needs & NEEDS_ONCE) != 0) {
        l->once = once_init(l->replay, l->sampler, batch, mem);
    }
    if ((needs & NEEDS_SWEEP) != 0) {
        l->sweep = sweep_init(l->replay, l->sampler, batch, mem);
    }
}

int learner_open(struct learner *ret_learner, const struct learner_spec *with, struct arena *mem,
                 char *ret_why, int cap)
{
    struct learner *l = ret_learner;
    const struct config *c = with->config;
    const struct dims *d = with->dims;
    *l = (struct learner){.config = c,
                          .policy = c->policy,
                          .shared = with->shared,
                          .replay = with->replay,
                          .model = with->model,
                          .dims = *d,
                          .w_max = WEIGHTS_MAX};
    const int rc = policy_check(c->policy, c->policy_config, d, ret_why, cap);
    if (rc < 0) {
        return rc;
    }
    rng_child(&l->rng, with->seed, "learner");
    rng_child(&l->rng_sample, with->seed, "sampler");
    l->self = c->policy->init(c->policy_config, d, mem, &l->rng);
    if (c->learner.normalize) {
        l->scale = arena_take(mem, sizeof *l->scale);
        scale_init(l->scale, d->n_vector);
    }
    for (int i = 0; i < d->n_vector; i++) {
        l->inv_std[i] = 1.0f;
    }
    struct wants wants;
    c->policy->wants(c->policy_config, &wants);
    basal_assert((wants.needs & NEEDS_MODEL) == 0 || l->model != NULL);
    if (l->model == NULL) {
        open_sampler(l, with->prior, wants.needs, mem);
    }
    l->w = arena_take(mem, (size_t)l->w_max * sizeof(float));
    l->w_max = c->policy->save(l->self, l->w, l->w_max); /* it never grows */
    if (l->w_max < 1) {
        return why(ret_why, cap, -ENOSPC, "policy %s: more than %d weights", c->policy->name,
                   WEIGHTS_MAX);
    }
    l->block_cap = weights_bytes(d->n_vector, l->w_max);
    l->block = arena_take(mem, l->block_cap);
    l->id = (struct weights_id){.run_id = with->run_id,
                                .robot_hash = c->robot_hash,
                                .policy_rate_hz = d->policy_rate_hz,
                                .n_obs = d->n_vector,
                                .n_act = d->n_act,
                                .net = policy_net(c->policy, c->policy_config, d)};
    (void)snprintf(l->id.algo, sizeof l->id.algo, "%s", c->policy->name);
    return 0;
}

void learner_publish(struct learner *l)
{
    const int n = l->policy->save(l->self, l->w, l->w_max);
    basal_assert(n > 0);
    l->id.version = (uint32_t)++l->counters[LEARNER_VERSION];
    l->id.step = (int64_t)atomic_load_explicit(&l->shared->steps, memory_order_relaxed);
    const int64_t bytes =
        weights_encode(&l->id, l->mean, l->inv_std, l->w, n, l->block, l->block_cap);
    basal_assert(bytes > 0);
    if (l->publish != NULL) {
        l->publish(l->to, l->block, (size_t)bytes);
    }
    atomic_fetch_add_explicit(&l->shared->learner.published, 1, memory_order_relaxed);
}

/* Statistics of the observations that came since the last look; raw data stay in the replay. */
static void follow_scale(struct learner *l)
{
    const int64_t head = replay_head(l->replay);
    float obs[OBS_MAX];
    while (l->next_row < head && l->counters[LEARNER_SEEN] < l->config->learner.normalize_until) {
        l->counters[LEARNER_SEEN]++;
        if (replay_row_obs(l->replay, l->next_row++, obs)) {
            scale_add(l->scale, obs, 1);
        }
    }
    scale_get(l->scale, l->mean, l->inv_std);
}

static int64_t owed(struct learner *l)
{
    const struct learner_settings *c = &l->config->learner;
    const int64_t steps = (int64_t)atomic_load_explicit(&l->shared->steps, memory_order_acquire);
    const int64_t trained = steps > c->learning_starts ? steps - c->learning_starts : 0;
    const int64_t due = trained / c->train_freq * c->gradient_steps;
    l->counters[LEARNER_STEP] = steps;
    const int64_t debt = due - l->counters[LEARNER_FORGIVEN] - l->counters[LEARNER_UPDATES];
    if (atomic_load_explicit(&l->shared->learner.paused, memory_order_relaxed)) {
        l->counters[LEARNER_FORGIVEN] += debt; /* what a pause missed is not made up */
        return 0;
    }
    return debt;
}

static void report(struct learner *l)
{
    struct learner_shared *s = &l->shared->learner;
    for (int i = 0; i < STATS_MAX && l->policy->stat_names[i] != NULL; i++) {
        atomic_store_explicit(&s->stat[i], l->stats.v[i], memory_order_relaxed);
    }
    atomic_store_explicit(&s->updates, (uint64_t)l->counters[LEARNER_UPDATES],
                          memory_order_relaxed);
    const int64_t dropped = l->newest != NULL ? newest_dropped(l->newest)
                            : l->once != NULL ? once_dropped(l->once)
                                              : 0;
    atomic_store_explicit(&s->dropped, (uint64_t)dropped, memory_order_relaxed);
    const struct clock c = {0};
    const int64_t now_ns = clock_now_ns(&c);
    if (now_ns - l->rate_from_ns > NS_PER_S) {
        const double s_passed = (double)(now_ns - l->rate_from_ns) / (double)NS_PER_S;
        const double n = (double)(l->counters[LEARNER_UPDATES] - l->rate_from_updates);
        atomic_store_explicit(&s->updates_per_s, l->rate_from_ns > 0 ? n / s_passed : 0.0,
                              memory_order_relaxed);
        l->rate_from_ns = now_ns;
        l->rate_from_updates = l->counters[LEARNER_UPDATES];
    }
}

/* The next batch, of whichever kind is wanted. */
static bool draw(struct learner *l, struct batch *ret_batch)
{
    if (l->model != NULL) {
        *ret_batch = l->model->batch;
        return true;
    }
    if (l->scale != NULL && (l->sweep == NULL || sweep_begins(l->sweep))) {
        follow_scale(l); /* a pass sees one mean and one deviation */
    }
    if (l->mix != NULL) {
        return mix_draw(l->mix, &l->rng_sample, ret_batch);
    }
    if (l->sweep != NULL) {
        return sweep_next(l->sweep, ret_batch);
    }
    if (l->once != NULL) {
        return once_take(l->once, ret_batch);
    }
    if (l->by != NULL) {
        const struct learner_settings *c = &l->config->learner;
        prioritized_beta(l->by, priority_beta(c->prioritized_replay_beta0,
                                              c->prioritized_replay_beta_iters,
                                              l->counters[LEARNER_STEP]));
    }
    return sampler_draw(l->sampler, &l->rng_sample, ret_batch);
}

static void update(struct learner *l, struct batch *batch)
{
    batch->step = l->counters[LEARNER_STEP];
    l->policy->update(l->self, batch, &l->stats);
    if (l->by != NULL) {
        prioritized_learnt(l->by, batch->ret_td, batch->n);
    }
}

/* Who learns from train_freq rows as they come is owed nothing: a pause delays it. */
static bool may_take(struct learner *l)
{
    l->counters[LEARNER_STEP] =
        (int64_t)atomic_load_explicit(&l->shared->steps, memory_order_acquire);
    return !atomic_load_explicit(&l->shared->learner.paused, memory_order_relaxed) &&
           l->counters[LEARNER_STEP] > l->config->learner.learning_starts;
}

/* On-policy: acting and learning take turns by versions of the weights. The observations of a batch
 * are normalised as they were when it was acted; the statistics change with the weights. */
static bool learn_from_newest(struct learner *l)
{
    struct batch batch;
    const uint32_t version = (uint32_t)l->counters[LEARNER_VERSION];
    if (version == 0 || newest_is_unheard(l->newest, version)) {
        learner_publish(l); /* somebody must act before anything can be learnt */
        return false;
    }
    if (!may_take(l) || !newest_take(l->newest, version, &batch)) {
        return false;
    }
    update(l, &batch);
    l->counters[LEARNER_UPDATES]++;
    if (l->scale != NULL) {
        follow_scale(l);
    }
    report(l);
    learner_publish(l);
    return true;
}

static bool has_published(const struct learner *l)
{
    return atomic_load_explicit(&l->shared->learner.published, memory_order_relaxed) > 0;
}

bool learner_step(struct learner *l)
{
    struct batch batch;
    if (l->policy->fixed && !has_published(l)) {
        learner_publish(l); /* no update would change them */
    }
    if (!l->config->learner.enabled) {
        return false;
    }
    if (l->newest != NULL) {
        return learn_from_newest(l);
    }
    const bool due = l->once != NULL ? may_take(l) : owed(l) > 0;
    if (!due || !draw(l, &batch)) {
        return false;
    }
    update(l, &batch);
    if (l->sweep != NULL && !batch.sweep_end) {
        return true;
    }
    l->counters[LEARNER_UPDATES]++;
    report(l);
    if (l->counters[LEARNER_UPDATES] % l->config->learner.publish_every == 0) {
        learner_publish(l);
    }
    return true;
}

int learner_tensors(struct learner *l, struct tensor *ret_tensors, int n_max)
{
    int n = l->policy->state(l->self, ret_tensors, n_max - LEARNER_TENSORS);
    basal_assert(n >= 0);
    ret_tensors[n++] = (struct tensor){"learner.rng", TENSOR_I64, 1, {4}, l->rng.s};
    ret_tensors[n++] = (struct tensor){"learner.rng_sample", TENSOR_I64, 1, {4}, l->rng_sample.s};
    ret_tensors[n++] =
        (struct tensor){"learner.counters", TENSOR_I64, 1, {LEARNER_COUNTERS}, l->counters};
    ret_tensors[n++] = (struct tensor){"learner.stats", TENSOR_F64, 1, {STATS_MAX}, l->stats.v};
    if (l->scale != NULL) {
        n += scale_tensors(l->scale, ret_tensors + n, n_max - n);
    }
    if (l->by != NULL) {
        n += prioritized_tensors(l->by, ret_tensors + n, n_max - n);
    }
    if (l->newest != NULL) {
        n += newest_tensors(l->newest, ret_tensors + n, n_max - n);
    }
    if (l->once != NULL) {
        n += once_tensors(l->once, ret_tensors + n, n_max - n);
    }
    if (l->sweep != NULL) {
        n += sweep_tensors(l->sweep, ret_tensors + n, n_max - n);
    }
    return n;
}

void learner_restored(struct learner *l)
{
    const int64_t head = replay_head(l->replay);
    if (l->policy->restored != NULL) {
        l->policy->restored(l->self);
    }
    if (l->scale != NULL) {
        scale_get(l->scale, l->mean, l->inv_std);
    }
    if (l->by != NULL) {
        prioritized_restored(l->by);
    }
    if (l->newest != NULL) {
        newest_restored(l->newest);
    }
    if (l->once != NULL) {
        once_restored(l->once);
    }
    if (l->sweep != NULL) {
        sweep_restored(l->sweep);
    }
    /* a replay that was lost meanwhile begins again at row 0, the count of what was seen does not
     */
    l->next_row = l->counters[LEARNER_SEEN] < head ? l->counters[LEARNER_SEEN] : head;
    report(l);
}

uint64_t learner_hash(struct learner *l)
{
    const int n = l->policy->save(l->self, l->w, l->w_max);
    uint64_t hash = hash_fnv1a(HASH_START, l->w, (size_t)n * sizeof(float));
    hash = hash_fnv1a(hash, l->mean, (size_t)l->dims.n_vector * sizeof(float));
    return hash_fnv1a(hash, l->inv_std, (size_t)l->dims.n_vector * sizeof(float));
}
