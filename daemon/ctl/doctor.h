/* Inside of basalctl doctor: doctor.c (the verb), doctor_serial.c and doctor_can.c (what is seen of
 * a bus). Judgement is in daemon/doctor.h. */
#pragma once

#include "daemon/config.h"
#include "daemon/doctor.h"

#define DOCTOR_SILENT_MS 300 /* of listening: a robot's host speaks every 10 ms */
#define DOCTOR_ASKS      6

/* Look at bus i without moving anything; fix: end latched errors where torque is off, and what
 * holds answers back. */
void doctor_look_serial(const struct robot *r, int i, bool fix, struct bus_facts *ret_facts);
void doctor_look_can(const struct robot *r, int i, bool fix, struct bus_facts *ret_facts);
/* A device that belongs to no joint, or at another rate than the bus's. */
void doctor_found(const struct robot *r, int i, struct bus_facts *b, int id, int rate,
                  const struct identity *who);
