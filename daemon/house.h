/*
 * Everything a running basald is made of, built in one visible order and taken down in the other.
 * The service and lockstep live in the same house; they differ in who calls the steps.
 */
#pragma once

#include "daemon/intake.h"
#include "daemon/learner.h"
#include "daemon/loop.h"
#include "daemon/model.h"
#include "daemon/prior.h"

struct house_spec {
    const char *config_path;
    const char *const *sets; /* "KEY=VALUE" */
    int n_sets;
    enum plant_kind kind; /* of a robot with buses: one without has its body */
    bool virtual_clock;
    uint64_t seed;
    const char *prior; /* where prior data lie (prior.h); NULL: there are none */
    int replay_fd;     /* a segment kept from an earlier life, which becomes the house's; or -1 */
};

struct house {
    struct config config;
    struct arena arena;       /* what the loop touches: prefaulted */
    struct arena learner_mem; /* networks and batches */
    struct clock clock;
    struct shared *shared;
    struct plant *plant;
    struct replay *replay;
    struct prior prior;
    struct loop loop;
    struct learner learner;
    struct model model; /* for a policy that wants it */
    struct intake intake;
    uint64_t seed, run_id;
    bool replay_kept;           /* replay_fd was taken over ... */
    char replay_why[WHY_CHARS]; /* ... or why not */
};

/*
 * What only building would show: does the policy's network fit? Builds one and throws it away.
 * Errors: -EINVAL or -ENOMEM, and one sentence.
 */
int house_check(const struct config *c, char *ret_why, int cap) BASAL_MUST_USE;

int house_open(struct house *ret_house, const struct house_spec *spec, char *ret_why,
               int cap) BASAL_MUST_USE;
void house_close(struct house *h);
