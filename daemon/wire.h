/*
 * Our structs <-> protobuf messages. The door to the generated code. What is received is checked
 * for length, range and finite numbers before anything uses it.
 */
#pragma once

#include "daemon/shared.h"
#include "proto/basald.pb-c.h"

#define WIRE_TELEMETRY_MAX 8192
#define WIRE_EVENT_MAX     1024
#define WIRE_VERB_MAX      32
/* Bytes that a message adds to the block inside it, with room for a command's other fields. */
#define WIRE_AROUND 256

/* unix_s: of the record's tick. Returns bytes in ret_bytes, never 0; -ENOSPC. */
int wire_telemetry(const struct record *r, const struct robot *robot, double unix_s,
                   uint8_t *ret_bytes, size_t cap);

/*
 * The same into a message whose strings and arrays point into r, robot and scratch, valid as long
 * as they are.
 */
struct wire_scratch {
    char *name[JOINTS_MAX], *rule[JOINTS_MAX];
    uint32_t torque[JOINTS_MAX];
    char *can_name[BUSES_MAX];
    uint64_t frames_tx[BUSES_MAX], frames_rx[BUSES_MAX], dropped[BUSES_MAX];
    uint64_t error[CAN_TROUBLES][BUSES_MAX]; /* in the order of enum can_trouble's bits */
    uint32_t tx_errors[BUSES_MAX], rx_errors[BUSES_MAX];
    double load_min_percent[BUSES_MAX], load_max_percent[BUSES_MAX];
};

void wire_fill(const struct record *r, const struct robot *robot, double unix_s,
               struct wire_scratch *scratch, Basald__V1__Telemetry *ret_message);

/* A block of weights as it travels. Returns bytes in ret_bytes; -ENOSPC. */
int64_t wire_weights(const uint8_t *block, size_t n, uint8_t *ret_bytes, size_t cap);
/* 0, or -EBADMSG: no message, or no block in it. The block itself is weights_decode's to judge. */
int wire_weights_open(const uint8_t *bytes, size_t n, Basald__V1__Weights **ret_message);
void wire_weights_free(Basald__V1__Weights *m);

/* What happened, as one sentence; always one, whatever h holds. */
void wire_sentence(const struct happened *h, const struct robot *robot, char *ret_text, int cap);
/* Returns bytes in ret_bytes, never 0; -ENOSPC. */
int wire_event(const struct happened *h, const struct robot *robot, double unix_s,
               uint8_t *ret_bytes, size_t cap);

/* Why a request was refused in this state, and what to do. "" where it was not. */
const char *wire_refusal(enum request_kind kind, enum refusal refusal, enum fsm_state state);

/*
 * A command from outside, of at most n_max bytes. 0, or -EBADMSG: not one, or a number that is not
 * finite or out of range.
 */
int wire_command(const uint8_t *bytes, size_t n, size_t n_max, Basald__V1__Command **ret_command);
void wire_command_free(Basald__V1__Command *c);

/* protobuf-c takes char * where it only reads: the one place that says so to the compiler. */
char *wire_text(const char *s);
