/*
 * Our structs <-> protobuf messages. The door to the generated code. What is received is checked for length, range and
 * finite numbers before anything uses it.
 */
#pragma once

#include "daemon/shared.h"
#include "proto/basald.pb-c.h"

#define WIRE_TELEMETRY_MAX 8192

/* unix_s: of the record's tick. Returns bytes in ret_bytes, never 0; -ENOSPC. */
int wire_telemetry(const struct record *r, const struct robot *robot, double unix_s, uint8_t *ret_bytes, size_t cap);

/* The same into a message whose strings and arrays point into r, robot and scratch, valid as long as they are. */
struct wire_scratch {
    char *name[JOINTS_MAX], *rule[JOINTS_MAX];
    uint32_t torque[JOINTS_MAX];
};
void wire_fill(const struct record *r, const struct robot *robot, double unix_s, struct wire_scratch *scratch,
               Basald__V1__Telemetry *ret_message);

/* What happened, as one sentence. */
void wire_sentence(const struct happened *h, const struct robot *robot, char *ret_text, int cap);
int wire_event(const struct happened *h, const struct robot *robot, double unix_s, uint8_t *ret_bytes, size_t cap);

/* A command from outside. 0, or -EBADMSG: not one, or a number that is not finite. */
int wire_command(const uint8_t *bytes, size_t n, Basald__V1__Command **ret_command);
void wire_command_free(Basald__V1__Command *c);

/* protobuf-c takes char * where it only reads: the one place that says so to the compiler. */
char *wire_text(const char *s);

const char *wire_source_name(uint8_t source);
