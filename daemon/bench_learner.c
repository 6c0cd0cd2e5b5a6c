#include "daemon/bench_learner.h"

#include "daemon/config_tables.h"
#include "policies/nn/mlp.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY_BYTES  ((size_t)4 << 30)
#define EPISODE_STEPS 1000 /* on average */
#define RATE_HZ       20.0

bool bench_hidden(const char *text, int *ret_hidden, int *ret_n)
{
    int n = 0;
    for (;; n++) {
        char *end = NULL;
        const long v = strtol(text, &end, 10);
        if (n == BENCH_LAYERS_MAX || end == text || v < 1 || v > MLP_WIDTH_MAX ||
            (*end != ',' && *end != '\0')) {
            return false;
        }
        ret_hidden[n] = (int)v;
        if (*end == '\0') {
            *ret_n = n + 1;
            return true;
        }
        text = end + 1;
    }
}

static const struct section *learner_section(void)
{
    const struct section *s = config_sections;
    while (strcmp(s->name, "learner") != 0) {
        s++;
    }
    return s;
}

static int set(struct config *c, const char *section, const char *key, const char *value,
               char *ret_why, int cap)
{
    const struct section *learner = learner_section();
    const bool ours = strcmp(section, "learner") == 0;
    if (!ours && strcmp(section, "policy") != 0) {
        return why(ret_why, cap, -EINVAL, "%s.%s: only keys of policy and learner count here",
                   section, key);
    }
    if (ours && (strcmp(key, "kernel") == 0 || strcmp(key, "precision") == 0)) {
        return why(ret_why, cap, -EINVAL, "learner.%s: --%s says it here", key, key);
    }
    const struct option *o = option_find(ours ? learner->options : c->policy->options, key);
    if (o == NULL) {
        return why(ret_why, cap, -EINVAL, "%s.%s: there is no such key", section, key);
    }
    return option_set(o, ours ? (char *)c + learner->offset : c->policy_config, value, ret_why,
                      cap);
}

/* "SECTION.KEY=VALUE" */
static int set_text(struct config *c, const char *text, char *ret_why, int cap)
{
    char section[NAME_CHARS], key[2 * NAME_CHARS];
    const char *dot = strchr(text, '.'), *equals = strchr(text, '=');
    if (dot == NULL || equals == NULL || dot > equals) {
        return why(ret_why, cap, -EINVAL, "%s: not of the form SECTION.KEY=VALUE", text);
    }
    (void)snprintf(section, sizeof section, "%.*s", (int)(dot - text), text);
    (void)snprintf(key, sizeof key, "%.*s", (int)(equals - dot - 1), dot + 1);
    return set(c, section, key, equals + 1, ret_why, cap);
}

static int set_number(struct config *c, const char *key, int64_t value, char *ret_why, int cap)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%lld", (long long)value);
    return set(c, "learner", key, text, ret_why, cap);
}

static int configure(struct bench_learner *b, const struct bench_learner_spec *spec, char *ret_why,
                     int cap)
{
    struct config *c = &b->config;
    char arch[BENCH_LAYERS_MAX * 8 + 4] = "[";
    const struct section *learner = learner_section();
    for (int i = 0; i < spec->n_hidden; i++) {
        const size_t n = strlen(arch);
        (void)snprintf(arch + n, sizeof arch - n, "%s%d%s", i > 0 ? ", " : "", spec->hidden[i],
                       i + 1 == spec->n_hidden ? "]" : "");
    }
    c->policy = policy_find(spec->algo);
    if (c->policy == NULL || option_find(c->policy->options, "net_arch") == NULL) {
        return why(ret_why, cap, -EINVAL, "algo %s: there is none of that name that learns",
                   spec->algo);
    }
    c->policy_config = arena_take(&b->mem, c->policy->config_bytes);
    c->robot.policy_rate_hz = RATE_HZ;
    option_defaults(c->policy->options, c->policy_config);
    option_defaults(learner->options, (char *)c + learner->offset);
    c->replay.action = REPLAY_ASKED;
    c->learner.normalize = false;
    c->learner.learning_starts = 0;
    c->learner.gradient_steps = INT_MAX;
    c->learner.publish_every = INT_MAX;
    int rc = set(c, "policy", "net_arch", arch, ret_why, cap);
    if (rc == 0) {
        rc = set_number(c, "batch_size", spec->batch, ret_why, cap);
    }
    for (int i = 0; rc == 0 && i < spec->n_sets; i++) {
        rc = set_text(c, spec->sets[i], ret_why, cap);
    }
    return rc;
}

/* Observations and rewards are standard normals, actions uniform, an episode ends where it may. */
static void fill(struct replay *r, const struct bench_learner_spec *spec)
{
    struct rng rng;
    struct observation o = {.n = (int)spec->n_obs};
    float act[ACT_MAX] = {0};
    bool open = false;
    rng_child(&rng, (uint64_t)spec->seed, "replay");
    for (int64_t row = 0; row <= spec->rows; row++) {
        const bool ends = open && rng_below(&rng, EPISODE_STEPS) == 0;
        for (int k = 0; k < o.n; k++) {
            o.v[k] = (float)rng_normal(&rng);
        }
        for (int k = 0; k < spec->n_act; k++) {
            act[k] = (float)(2.0 * rng_uniform(&rng) - 1.0);
        }
        replay_commit(r, &(struct period){.closes = open,
                                          .opens = !ends,
                                          .asked = act,
                                          .applied = act,
                                          .reward = (float)rng_normal(&rng),
                                          .logp = -1.0f,
                                          .dt_s = (float)(1.0 / RATE_HZ),
                                          .bits = ends ? ROW_TERMINAL : 0,
                                          .source = SOURCE_POLICY,
                                          .version = 1,
                                          .t_ns = row,
                                          .obs2 = &o});
        open = !ends;
    }
}

int bench_learner_open(struct bench_learner *ret_learner, const struct bench_learner_spec *spec,
                       char *ret_why, int cap)
{
    struct bench_learner *b = ret_learner;
    memset(b, 0, sizeof *b);
    const struct replay_spec replay = {.run_id = 1,
                                       .capacity = spec->rows + spec->rows / 100 + 64,
                                       .n_obs = (int)spec->n_obs,
                                       .n_act = (int)spec->n_act,
                                       .policy_rate_hz = RATE_HZ};
    const struct dims dims = {.n_obs = (int)spec->n_obs,
                              .n_act = (int)spec->n_act,
                              .n_vector = (int)spec->n_obs,
                              .batch = (int)spec->batch,
                              .seg_len = 1,
                              .policy_rate_hz = RATE_HZ,
                              .team = spec->team,
                              .kernel = spec->kernel};
    int rc = arena_open(&b->mem, "bench", MEMORY_BYTES);
    if (rc < 0) {
        return why(ret_why, cap, rc,
                   "out of address space; end other programs, or raise the limit (ulimit -v)");
    }
    rc = configure(b, spec, ret_why, cap);
    if (rc == 0) {
        rc = replay_create(&b->replay, &replay, ret_why, cap);
    }
    if (rc == 0) {
        fill(b->replay, spec);
        atomic_store(&b->shared.steps, (uint64_t)spec->rows);
        const struct learner_spec learner = {.config = &b->config,
                                             .dims = &dims,
                                             .replay = b->replay,
                                             .shared = &b->shared,
                                             .seed = (uint64_t)spec->seed,
                                             .run_id = 1};
        rc = learner_open(&b->learner, &learner, &b->mem, ret_why, cap);
    }
    return rc;
}

void bench_learner_close(struct bench_learner *b)
{
    replay_close(b->replay);
    arena_close(&b->mem);
}
