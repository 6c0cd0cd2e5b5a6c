/*
 * The contract of everything that decides or learns. One algorithm is one file that ends with one
 * `const struct policy`.
 *
 * Threads: init, update, save, state belong to the learner; pack to comms; actor_*, reset, act to
 * the loop.
 */
#pragma once

#include "daemon/base/arena.h"
#include "daemon/base/option.h"
#include "daemon/base/rng.h"
#include "daemon/base/types.h"
#include "policies/pose.h"

#define STATS_MAX   16
#define TENSORS_MAX 768

enum action_kind { ACTION_BOX = 1, ACTION_DISCRETE = 2 };

enum policy_needs {
    NEEDS_NEXT_ACTION = 1, /* a2: Sarsa                                         */
    NEEDS_LOGP = 2,        /* PPO                                               */
    NEEDS_SEGMENTS = 4,    /* runs of consecutive steps: SVG(k), PPO            */
    NEEDS_NEWEST = 8,      /* on-policy: the newest rows, in order, each once   */
    NEEDS_SWEEP = 16,      /* passes over all rows: LSTD-Q, LSPI                */
    NEEDS_MODEL = 32,      /* every transition of a small world, w = probability */
    NEEDS_ONCE = 64,       /* each row once, in order, whoever drove: a table   */
};

struct team;
struct kernel;

struct dims {
    int n_obs; /* floats of an observation: n_vector numbers, then history pictures of h x w x c */
    int n_vector, h, w, c, history; /* history 0: no picture */
    int n_act, n_choices, batch, seg_len;
    int minibatch; /* learner.batch_size where a batch is train_freq rows: NEEDS_NEWEST, _ONCE */
    double policy_rate_hz;
    int ticks_per_period;
    bool poses;                    /* actions are poses of these joints */
    struct act_pose pose[ACT_MAX]; /* [n_act] */
    unsigned gives;                /* enum policy_needs bits that the learner's batches can hold */
    struct team *team;             /* does half of an update's work; NULL: nobody */
    const struct kernel
        *kernel; /* computes the updates; NULL: the best that this processor can run */
};

struct wants {
    unsigned needs; /* enum policy_needs bits */
    int seg_len;    /* of NEEDS_SEGMENTS, 1 otherwise; with NEEDS_NEWEST the whole batch is one */
};

enum tensor_type { TENSOR_F32, TENSOR_F64, TENSOR_I64, TENSOR_U8, TENSOR_I32 };

/* A named view of memory that a checkpoint must hold. */
struct tensor {
    const char *name;
    uint8_t type; /* enum tensor_type */
    int n_dims, dim[4];
    void *data;
};

struct batch {
    int n;           /* B */
    int seg_len;     /* rows are B/seg_len runs of consecutive steps; 1 = independent rows */
    int64_t step;    /* policy steps taken so far: the clock of schedules */
    bool sweep_end;  /* the last batch of one pass over all rows */
    const float *s;  /* [B,O] */
    const float *a;  /* [B,A] in [-1,1], or as asked where NEEDS_LOGP is wanted; [B,1] the choice */
    const float *r;  /* [B]   n-step return when asked for */
    const float *s2; /* [B,O] */
    const float *g;  /* [B]   gamma^k (1 - terminal); a time limit is not terminal */
    const float *w;  /* [B]   importance weights, outcome probabilities; all 1 otherwise */
    const float *a2; /* [B,A] the action taken in s2, or NULL */
    const float *logp;       /* [B]   of a when it was taken; NaN = unknown; or NULL */
    const uint64_t *legal;   /* [B]   choices allowed in s, a bit each; NULL = all */
    const uint64_t *legal2;  /* [B]   and in s2 */
    const uint8_t *last;     /* [B]   a run stops after this row (end of episode, flag, edge) */
    const uint8_t *valid;    /* [B]   0 = padding; NULL = all valid */
    const uint8_t *source;   /* [B]   enum source: who drove */
    const uint32_t *version; /* [B]   of the weights that acted */
    float *ret_td;           /* [B]   |TD error| for priorities, or NULL = nobody asks */
};

struct stats {
    double v[STATS_MAX]; /* in the order of policy.stat_names */
};

struct act_in {
    const float *packed; /* weights, borrowed for this call */
    const float *obs;    /* [O] normalised as the weights ask */
    const float *last;   /* [A] applied in the period before: where a pose goes on from */
    uint64_t legal;
    int64_t step;
    bool explore;
    struct rng *rng;
};

struct policy {
    const char *name;              /* config key and file name: "sac" */
    const char *source;            /* "arXiv:1812.05905, Algorithm 1" */
    unsigned actions;              /* enum action_kind bits */
    bool pictures;                 /* it has an encoder for them */
    bool fixed;                    /* it learns nothing: it drives from the first step on */
    const struct option *options;  /* ends with .key = NULL */
    const char *const *stat_names; /* names of stats v[], ends with NULL: "train/critic_loss" ... */
    size_t config_bytes;
    /* 0, or -EINVAL and one sentence */
    int (*check)(const void *config, const struct dims *d, char *ret_why, int cap);
    void (*wants)(const void *config, struct wants *ret_wants);

    /* learner thread; init is the only call that allocates, from the arena; the caller owns and
     * saves rng */
    void *(*init)(const void *config, const struct dims *d, struct arena *mem, struct rng *rng);
    void (*update)(void *learner, const struct batch *b, struct stats *ret_stats);
    /* what act needs, canonical order; n or -ENOSPC */
    int (*save)(const void *learner, float *ret_w, int n_max);
    /* views of all it takes to go on exactly */
    int (*state)(void *learner, struct tensor *ret_tensors, int n_max);
    /* what those views show was written anew; NULL: nothing follows from it */
    void (*restored)(void *learner);

    /* names what act's networks are made of: weights of another name do not drive; NULL: 0 */
    uint32_t (*net)(const void *config, const struct dims *d);
    /* comms thread: weights as sent -> the layout that act likes to read; n or -errno */
    int (*pack)(const void *config, const struct dims *d, const float *w, int n, float *ret_packed,
                int n_max);

    /* loop thread; the actor is flat bytes without pointers, saved with checkpoints */
    size_t (*actor_bytes)(const void *config, const struct dims *d);
    void (*actor_init)(const void *config, const struct dims *d, void *ret_actor);
    void (*reset)(void *actor, struct rng *rng) BASAL_RT; /* an episode begins: noise state */
    void (*act)(void *actor, const struct act_in *in, float *ret_act, float *ret_logp) BASAL_RT;
};

/*
 * Can a robot of these dims run and teach this policy? That there are observations, its kind of
 * action, what it wants in its batches, its own check. Errors: -EINVAL and one sentence.
 */
int policy_check(const struct policy *p, const void *config, const struct dims *d, char *ret_why,
                 int cap) BASAL_MUST_USE;
/* The entry `wants` of a policy that learns from any rows, each on its own. */
void policy_wants_rows(const void *config, struct wants *ret_wants);
/* policy.net, or 0 */
uint32_t policy_net(const struct policy *p, const void *config, const struct dims *d);

/* All of them, NULL at the end; and by name, or NULL. */
extern const struct policy *const policies[];
const struct policy *policy_find(const char *name);
