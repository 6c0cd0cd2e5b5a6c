/*
 * Inside of comms: comms.c (sockets, the step), comms_publish.c (records, events, weights),
 * comms_command.c (people's requests), comms_status.c (what is known), comms_replay.c (the
 * replay's descriptor).
 */
#pragma once

#include "daemon/base/log.h"
#include "daemon/comms.h"
#include "daemon/wire.h"

#define RETURNS_KEPT    64
#define ASKING_MAX      16
#define IDENTITY_MAX    256 /* of libzmq */
#define MESSAGES_A_STEP 32

/* A block on its way from the learner: one mailbox slot. */
struct offered {
    size_t n;
    uint8_t block[];
};

/* The newest block of one kind, for those who come later. */
struct kept {
    uint8_t *block; /* [block_bytes] */
    size_t n;       /* 0: none yet */
};

/* A client that waits for the tick's answer. */
struct asking {
    uint64_t id; /* ours; 0: free */
    uint64_t theirs;
    int64_t sent_ns; /* by the client, as it says; 0: it does not */
    int64_t since_ns;
    enum request_kind kind;
    uint32_t flags; /* enum run_flags */
    bool envelope;  /* a REQ: an empty frame before the body, in both directions */
    uint8_t identity[IDENTITY_MAX];
    size_t identity_n;
};

/* CLOCK_REALTIME - CLOCK_MONOTONIC, taken as a pair once a second. */
struct unix_pair {
    double offset_s;
    int64_t next_ns;
};

/* Ticks and updates a second, over the last one. */
struct rate {
    uint64_t tick, updates;
    int64_t t_ns;
    double hz, updates_per_s;
};

/* What the kernel counts of the loop's thread. */
struct thread_counts {
    uint64_t faults, switches;
};

struct comms {
    struct comms_spec spec;
    char dir[PATH_CHARS];
    void *context, *telemetry, *weights_out, *weights_in, *events, *command;
    int replay_fd, lock_fd;
    struct mailbox offer;      /* struct offered: learner -> comms */
    struct mailbox checkpoint; /* char [PATH_CHARS]: main -> comms */
    struct mailbox ended;      /* struct rollout: comms -> main */
    const char *last_checkpoint;
    struct kept own, driving; /* the learner's newest; the newest that was accepted */
    struct kept source;       /* the newest of comms.weights, where that is not own */
    int64_t own_sent_ns;
    uint64_t driving_run_id;
    uint8_t *message;     /* [message_bytes] */
    size_t message_bytes; /* the largest block and what is around it */
    size_t command_bytes; /* the largest command */
    bool from_file;       /* a person's file drives: the learner's blocks wait in own */
    uint64_t shun_run_id; /* of a file that drove, while there is nothing else to go back to */
    bool paused_by_run;   /* run --no-learn paused the learner; the next run wakes it */
    struct record last;
    bool any;
    int64_t due_ns, begun_ns, now_ns;
    struct unix_pair unix_pair;
    struct rate rate;
    struct thread_counts loop_base; /* at the first tick */
    struct asking asking[ASKING_MAX];
    uint64_t next_id;
    uint64_t garbage;
    double returns[RETURNS_KEPT];
    int n_returns;
    struct rollout rollout;
    char reason[WHY_CHARS + 64]; /* why the robot is where it is */
    struct log_limit episode_limit, request_limit, refused_limit;
};

/* comms_publish.c */
void comms_publish_weights(struct comms *c);
void comms_take_weights(struct comms *c);
void comms_publish_records(struct comms *c);
void comms_publish_events(struct comms *c);
/* A block from wherever: checked, handed to the loop, kept for newcomers. 0 or -errno. */
int comms_intake(struct comms *c, const uint8_t *block, size_t n);

/* comms_command.c. Answer one command if there is one. */
bool comms_answer_one(struct comms *c);
/* What the tick answered, to who asked; and who waited too long is told so. */
void comms_send_replies(struct comms *c);
void comms_send(struct comms *c, const struct asking *to, const Basald__V1__Reply *r);

/* comms_status.c */
void comms_on_status(struct comms *c, const struct asking *from, const Basald__V1__Command *q);
/* Of the loop's thread, 0 where the kernel does not say. */
struct thread_counts comms_loop_counts(const struct comms *c);
char *comms_state_text(const struct comms *c);

/* comms_replay.c */
int comms_replay_open(struct comms *c, char *ret_why, int cap);
void comms_replay_step(struct comms *c);

/* Only the group may use this socket. */
void comms_guard(const struct comms *c, const char *name);
/* Unix seconds of a CLOCK_MONOTONIC time. */
double comms_unix_s(const struct comms *c, int64_t t_ns);
/* Drop what is left of the message whose first frames were just received. */
void comms_drop_rest(void *socket);
