/*
 * The robot that is not there: a body and the emulated devices on its buses, on one clock. Whenever
 * time crosses a multiple of the substep, the truth is sensed, every device steps (bus and joint
 * order) and the body steps exactly once; bytes take effect at the next substep. Its whole state is
 * flat.
 */
#pragma once

#include "daemon/config.h"
#include "sim/firmware/can_wire.h"
#include "sim/firmware/wire.h"

struct world;

/* seed: body, reset, sensor noise and wire faults draw from its children. */
int world_open(struct world **ret_world, const struct config *c, uint64_t seed, struct arena *mem,
               char *ret_why, int cap) BASAL_MUST_USE;

void world_close(struct world *w);

/* It begins at t_ns instead of 0; before anything has happened. */
void world_begin(struct world *w, int64_t t_ns);
int64_t world_now_ns(const struct world *w);
/* When something happens next by itself, on a bus or the body's substep; not after now: at once. */
int64_t world_next_ns(const struct world *w);
/* Let everything happen up to t_ns. */
void world_advance(struct world *w, int64_t t_ns);
/* The host puts n bytes on a bus now, or on a CAN bus whole frames, at the rate that it is set to;
 * returns when the last one is on the wire. */
int64_t world_tx(struct world *w, int bus, const uint8_t *bytes, size_t n, uint32_t baud);
/*
 * Advance until bytes reach the host on this bus, or t_ns. Returns how many were copied; 0 at t_ns;
 * -EIO when the bus is away.
 */
int world_rx(struct world *w, int bus, int64_t t_ns, uint8_t *ret_bytes, size_t cap);

void world_truth(struct world *w, struct sensed *ret_sensed);
/* A body without buses: what its sensors say, noise included. */
void world_sense(struct world *w, struct sensed *ret_sensed);
/* A body without buses begins anew, as its own reset draws it. */
void world_reset(struct world *w);
/* A body without buses: the command that holds until the next one. */
void world_command(struct world *w, const struct command *cmd);
/* What nothing can exceed on this body, m/s; NaN: it does not say. */
double world_speed_bound_m_s(const struct world *w);
/* A hand takes joint j and leads it to q_rad, as long as its device has no torque; q_rad NaN: it
 * lets go. No part of the state. */
void world_guide(struct world *w, int j, double q_rad);
/* Does the device of joint j put torque on the body now? */
bool world_drives(const struct world *w, int j);
/* When the last host packet on a bus ended; 0: none yet. */
int64_t world_heard_ns(const struct world *w, int bus);
/* Whole frames on the CAN buses so far, of the host and of the devices. */
uint64_t world_frames(const struct world *w);
/* Faults put on the wires so far, of each kind. */
void world_injected(const struct world *w, uint64_t ret_counts[WIRE_FAULTS]);

size_t world_state_bytes(const struct world *w);
void world_save(const struct world *w, void *ret_state);
void world_restore(struct world *w, const void *state);
