/*
 * Inside of comms: comms.c (sockets, publishing), comms_command.c (people's requests).
 */
#pragma once

#include "daemon/base/log.h"
#include "daemon/comms.h"
#include "daemon/wire.h"

#define RETURNS_KEPT 64
#define ASKING_MAX   16
#define IDENTITY_MAX 32

/* A block on its way from the learner: one mailbox slot. */
struct offered {
    size_t n;
    uint8_t block[];
};

/* A client that waits for the tick's answer. */
struct asking {
    uint64_t id; /* ours; 0: free */
    uint64_t theirs;
    uint8_t identity[IDENTITY_MAX];
    size_t identity_n;
};

struct comms {
    struct comms_spec spec;
    char dir[PATH_CHARS];
    void *context, *telemetry, *weights_out, *weights_in, *events, *command;
    int replay_fd;
    struct mailbox offer;
    size_t block_cap;
    uint8_t *current; /* the newest own block, for newcomers */
    size_t current_n;
    struct record last;
    bool any;
    int64_t sent_ns, begun_ns;
    struct asking asking[ASKING_MAX];
    uint64_t next_id;
    uint64_t garbage;
    double returns[RETURNS_KEPT];
    int n_returns;
    char reason[WHY_CHARS + 64]; /* why the robot is where it is */
    struct log_limit episode_limit;
    _Atomic uint32_t checkpoint_seq;
    char checkpoint[PATH_CHARS];
};

/* Answer one command if there is one. */
bool comms_answer_one(struct comms *c);
/* What the tick answered, to who asked. */
void comms_send_replies(struct comms *c);
/* Unix seconds of a CLOCK_MONOTONIC time. */
double comms_unix_s(int64_t t_ns);
