/*
 * Inside of the emulated Damiao motor: damiao.c (frames in and out), damiao_table.c (registers,
 * time, errors).
 */
#pragma once

#include "drivers/damiao_regs.h"
#include "sim/firmware/can_device.h"
#include "sim/firmware/mit_motor.h"

struct dm_device_config {
    int model; /* row of its table */
    double p_max_rad, v_max_rad_s, t_max_nm;
    int id; /* 0: the joint's */
    int master_id, can_br, sw_version, serial, status;
    double status_at_s;
    bool lost_latches, ignores_timeout;
    struct can_demands demands;
};

struct dm_motor {
    struct dm_device_config c;
    struct can_motor m;
    uint32_t regs[DM_REGISTERS], flash[DM_REGISTERS];
    int status; /* enum dm_status */
    struct motor_command goal;
    double speed, force; /* of POS_VEL, rad/s; of POS_FORCE, a part of full torque */
    double path_rad;     /* where POS_VEL and POS_FORCE are on their way */
    int64_t heard_ns;
    bool lost; /* the timeout tripped since the last power-up */
    struct can_queue out;
};

/* What the codes of a state and a command span. */
struct motor_range dm_motor_range(const struct dm_motor *z);

/* RAM as after power-up; flash as it leaves the factory, with the ids of its joint. */
void dm_motor_power_up(struct dm_motor *z, int64_t t_ns);
void dm_motor_leave_factory(struct dm_motor *z, const struct robot *robot);
bool dm_motor_has(unsigned rid);
uint32_t dm_motor_read(struct dm_motor *z, unsigned rid);
/* What may not be written stays as it is. */
void dm_motor_write(struct dm_motor *z, unsigned rid, uint32_t value);
double dm_motor_mosfet_c(const struct dm_motor *z);
/* The error that its temperatures or a latched timeout are, or DM_DISABLED. */
int dm_motor_cause(const struct dm_motor *z);
/* No more torque. */
void dm_motor_release(struct dm_motor *z, int status);
/* struct device's step. */
void dm_motor_step(void *state, int64_t t_ns, const struct sensed *s, struct command *ret_cmd);
