/*
 * Set-up of servos that have a table of registers, as a list of steps per goal: what every such
 * protocol shares. steps.c walks the lists, joint by joint; a protocol brings its lists, its frames
 * and the value that a robot wants in each register.
 */
#pragma once

#include "drivers/driver.h"

/* ENSURE: read, write where it differs, read back. PUT: write, read back. UNABLE: refuses. */
enum step_kind {
    STEP_IDENTITY,
    STEP_NO_ERROR,
    STEP_SILENCE,
    STEP_ENSURE,
    STEP_PUT,
    STEP_POSE,
    STEP_REBOOT,
    STEP_UNABLE
};

enum only { ALL, ACTUATED };

struct step {
    enum step_kind kind;
    uint16_t addr;
    uint8_t size;   /* bytes */
    uint8_t wanted; /* which value, by the protocol's own names */
    enum only only;
    uint8_t others; /* ENSURE of one byte: these bits stay as they are */
};

/* What a device says to a write. */
enum verdict { VERDICT_DONE, VERDICT_AGAIN, VERDICT_REFUSED };

#define ANSWER_BYTES 16

struct answer {
    uint8_t id, error;
    bool status; /* from a device, not to one */
    enum verdict verdict;
    size_t n; /* data bytes, of which the first ANSWER_BYTES are in data */
    uint8_t data[ANSWER_BYTES];
};

struct baud_code {
    int baud; /* 0: the list has ended */
    uint8_t code;
};

struct servo_protocol {
    const struct step *(*step)(enum setup_goal goal, int at)BASAL_RT; /* NULL: ended */
    bool (*applies)(const struct robot_bus *b, int joint, const struct step *step) BASAL_RT;
    uint32_t (*value)(const struct setup *s, int joint, int wanted) BASAL_RT;
    /* The answer says who it is: model, firmware, what it does in silence. */
    void (*identify)(const struct joint_spec *j, const uint8_t *data,
                     struct identity *ret_id) BASAL_RT;
    void (*begin)(struct robot_bus *b, int joint) BASAL_RT; /* its run-time state, anew */
    int32_t (*counts)(uint32_t raw) BASAL_RT;               /* of the register that POSE reads */
    /* of the register that NO_ERROR reads, onto enum joint_fault */
    uint32_t (*faults)(uint8_t error) BASAL_RT;

    /* Length of a whole good frame at the front, 0: more is needed, -EBADMSG: drop one byte. */
    int (*parse)(const uint8_t *bytes, size_t n, struct answer *ret_answer) BASAL_RT;
    /* Requests; their length, or -ENOSPC. reboot may be NULL. */
    int (*ask_identity)(uint8_t id, uint8_t *ret_tx, size_t cap) BASAL_RT;
    int (*read)(uint8_t id, uint16_t addr, uint8_t n, uint8_t *ret_tx, size_t cap) BASAL_RT;
    int (*write)(uint8_t id, uint16_t addr, uint32_t value, uint8_t n, uint8_t *ret_tx,
                 size_t cap) BASAL_RT;
    int (*reboot)(uint8_t id, uint8_t *ret_tx, size_t cap) BASAL_RT;
    size_t identity_bytes; /* of the answer to ask_identity */

    /* registers */
    uint16_t non_volatile_end;
    uint16_t torque, id, baud, return_delay, return_level;
    uint16_t lock;      /* 0: there is none; else 0 in it lets non-volatile registers be written */
    bool mute_of_reads; /* the least return level answers not even a read */

    /* what basalctl wants to know of new ones */
    const struct baud_code *bauds; /* the most likely first */
    int factory_baud, id_max;
    int all_answer_id; /* a question to it is answered by all, one after the other; -1: by none */
    uint8_t (*delay_code)(const struct joint_spec *j); /* what its settings want */
    int delay_us;                                      /* of one count of that */
    const char *(*model_name)(int model);

    /* halves of sentences: what is the matter; what to do */
    const char *silence_why, *silence_do, *error_do, *unable_why, *unable_do;
};

/* struct serial_driver's setup. */
int steps_setup(const struct servo_protocol *p, struct setup *s, int64_t now_ns, const uint8_t *rx,
                size_t n, uint8_t *ret_tx, size_t cap) BASAL_RT;
