/*
 * The replay: one segment = one memfd = one writer (the loop), any number of readers in any
 * process. Trajectory- contiguous rows, so that the next observation is the next row's. Header with
 * magic, version, run id, dims, schema hash, slot names and units; payload words are relaxed
 * atomics on both sides; the release-store of head is the only commit: rows < head are closed, row
 * head has its observation.
 */
#pragma once

#include "policies/policy.h"
#include "policies/task.h"

enum row_bits {
    ROW_TERMINAL = 1,  /* the MDP ended: the successor has no value          */
    ROW_TRUNCATED = 2, /* a clock, a stop or a person ended it               */
    ROW_FINAL = 4,     /* only the observation counts; never a start         */
    ROW_FLAG = 8,      /* coasted or skipped ticks: n-step windows stop here */
};

struct replay_spec {
    uint64_t run_id;
    int64_t capacity; /* rows */
    int n_obs, n_act;
    struct picture_spec picture; /* of each observation; c 0: none */
    bool has_legal;
    double policy_rate_hz;
    uint64_t schema_hash;
    const char (*slot_name)[NAME_CHARS * 2]; /* [n_obs + n_act], or NULL */
    const char *const *slot_unit;
};

struct replay;

/* What the loop knows when a period ends. */
struct period {
    bool closes;          /* there is an open row that this closes */
    bool opens;           /* a next row begins at obs2; false: a final row keeps obs2 */
    const float *asked;   /* [A] the policy's action, unclipped */
    const float *applied; /* [A] the last safe command, in action units */
    float reward, logp, dt_s;
    uint8_t bits;     /* enum row_bits: terminal, truncated, flag */
    uint8_t source;   /* enum source */
    uint32_t version; /* of the weights that acted */
    int64_t t_ns;
    const struct observation *obs2; /* at the end of the period; the next row's when it opens */
    const uint8_t *picture2;        /* [h,w,c] with it; NULL: all 0 */
};

struct replay_info {
    uint64_t run_id, schema_hash;
    int64_t capacity, head, rows; /* rows: closed rows still held */
    int64_t episodes, terminals, truncated, human;
    int n_obs, n_act, version;
    struct picture_spec picture;
    double policy_rate_hz;
    char slot[OBS_MAX + ACT_MAX][NAME_CHARS * 2];
};

/* Bytes of memory that a segment takes. */
size_t replay_need_bytes(const struct replay_spec *spec);
/* Make a sealed, prefaulted segment. Errors: -errno and one sentence. */
int replay_create(struct replay **ret_replay, const struct replay_spec *spec, char *ret_why,
                  int cap) BASAL_MUST_USE;
/* Take over a segment kept by the service manager, as its writer: the open row becomes a final row.
 */
int replay_adopt(struct replay **ret_replay, int fd, const struct replay_spec *spec, char *ret_why,
                 int cap) BASAL_MUST_USE;
/* Read another process's segment. Damaged or foreign: -EBADMSG, -EPROTO and one sentence, never a
 * crash. */
int replay_attach(struct replay **ret_replay, int fd, char *ret_why, int cap) BASAL_MUST_USE;
void replay_close(struct replay *r);
int replay_fd(const struct replay *r);

void replay_commit(struct replay *r, const struct period *p) BASAL_RT;
int64_t replay_head(const struct replay *r) BASAL_RT;

struct prioritized;

enum replay_action { REPLAY_ASKED, REPLAY_APPLIED, REPLAY_BY_SOURCE };

struct sample_spec {
    int batch, n_steps, seg_len;
    int history; /* pictures in an observation, up to its own, the oldest first; 0 is 1 */
    double gamma;
    int action;    /* enum replay_action */
    bool as_asked; /* asked actions are not clipped: they are indices of choices, or what logp is of
                    */
    bool next_action; /* a2 is wanted: whose successor's action is not known is no start */
    bool logp;        /* ... and log-probabilities */
    const float *obs_mean,
        *obs_scale;         /* [O] or NULL: s and s2 are normalised at gather, clipped to +-10 */
    struct prioritized *by; /* NULL: every row alike. Otherwise seg_len is 1 and a2 not wanted */
};

/*
 * Draw a batch of rows, uniformly or by their priorities, into buffers that belong to the sampler.
 * False: not one valid start yet. g = gamma^k (1 - terminal), r = discounted n-step sum; windows
 * stop at the end of an episode, at a flag, at the head. What was overwritten while reading is
 * drawn again. A picture's bytes 0 to 255 become 0 to 1, behind the numbers of s and s2; before an
 * episode's first one there are copies of it. By priority the batch has weights w and wants ret_td,
 * for prioritized_learnt (replay_prioritized.h); otherwise w is all 1 and ret_td NULL. Other
 * ways to choose rows: replay_newest.h, replay_sweep.h.
 */
struct sampler;
struct sampler *sampler_init(const struct replay *r, const struct sample_spec *spec,
                             struct arena *mem);
bool sampler_draw(struct sampler *s, struct rng *rng, struct batch *ret_batch);

/* The raw observation of a closed row into ret_obs [O]; false: gone, final or not closed. */
bool replay_row_obs(const struct replay *r, int64_t row, float *ret_obs);

int replay_info(const struct replay *r, struct replay_info *ret_info);
/* Walk every row: ranges, finite numbers, flags in order. Count of bad rows; one sentence about the
 * first. */
int64_t replay_verify(const struct replay *r, char *ret_why, int cap);

/* The first row whose action, asked or applied, is not the index of one of n_choices; -1: none, or
 * there are no choices. Learners index by it: ask before learning from what another process wrote.
 */
int64_t replay_no_choice(const struct replay *r, int n_choices);

/* The segment's bytes, for a checkpoint in lockstep; restore copies them back (writer only). */
size_t replay_bytes(const struct replay *r);
const void *replay_data(const struct replay *r);
int replay_restore(struct replay *r, const void *bytes, size_t n, char *ret_why,
                   int cap) BASAL_MUST_USE;
