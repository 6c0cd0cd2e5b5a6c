/*
 * The only thread with sockets. Endpoints under the runtime folder: telemetry, weights, events
 * (PUB), command (ROUTER), replay.sock (hands out the replay's descriptor, read-only), all of mode
 * 0660 and of group basald where there is one; and telemetry on TCP for plots.
 *
 * Every PUB message is two frames, [topic][payload], neither empty:
 *
 *   basald/telemetry  basald.v1.Telemetry   a tick
 *   basald/event      basald.v1.Event       a change that a person should know
 *   basald/weights    basald.v1.Weights     a block of policies/weights.h
 *
 * What cannot be understood is counted and dropped; every queue, message and step is bounded.
 */
#pragma once

#include "daemon/base/hist.h"
#include "daemon/intake.h"
#include "daemon/shared.h"
#include "policies/replay.h"

struct comms;

struct comms_spec {
    const struct config *config;
    struct shared *shared;
    struct intake *intake;
    const struct replay *replay;
    int64_t prior_rows;      /* transitions of prior data */
    const struct hist *hist; /* [HISTS_N] of the loop */
    const char *runtime_dir;
    uint64_t run_id;    /* of this daemon's learner */
    size_t block_bytes; /* the largest block of weights */
};

/*
 * Errors: -errno and one sentence; -EBUSY: another basald uses this folder. A TCP endpoint that is
 * taken is only said, for the robot needs no plots.
 */
int comms_open(struct comms **ret_comms, const struct comms_spec *spec, struct arena *mem,
               char *ret_why, int cap) BASAL_MUST_USE;
void comms_close(struct comms *c);

/* Wait for a message, at most a few milliseconds; then handle all that is there, within a bound. */
void comms_wait(struct comms *c);
void comms_step(struct comms *c);

/* Learner thread: a new block, newest wins. Never waits. to: struct comms */
void comms_offer(void *to, const uint8_t *block, size_t n);

/* Main thread: where the last checkpoint lies. Newest wins. */
void comms_note_checkpoint(struct comms *c, const char *path);

/* Main thread: the newest counts; NULL: no episode ended since the last call. */
const struct rollout *comms_rollout(struct comms *c);
