/*
 * A robot without torque whose pose is read while a person moves it: what calibrate and find-limits
 * share. It has the buses to itself, as the daemon's own plant: the same bytes bring the devices
 * up, torque off and read back, and nobody can arm meanwhile. Nothing here switches torque on.
 */
#pragma once

#include "daemon/calibration.h"
#include "daemon/config.h"
#include "daemon/ctl/ctl.h"

struct limp;

/*
 * Load the robot file without its calibration, take that apart (0 rows where there is none), bring
 * the devices up. 0, or an exit status, having said why. The caller closes it either way.
 */
int limp_open(struct ctl *c, struct limp **ret_limp);
void limp_close(struct limp *l);

struct robot *limp_robot(struct limp *l);
struct calibration *limp_calibration(struct limp *l);

enum limp_event {
    LIMP_POSE,  /* ret_q [joints] is new */
    LIMP_ENTER, /* the person pressed Enter; ret_q is the last */
    LIMP_LOST   /* said why: a device is silent, torque is on, or standard input has ended */
};

/* The next reading, or the person's word. */
enum limp_event limp_next(struct ctl *c, struct limp *l, double *ret_q);
/* Mean pose of a while in which nobody moves: until a reading after Enter. False: lost. */
bool limp_ask(struct ctl *c, struct limp *l, const char *question, double *ret_q);

/* The row of joint j in the calibration, with the device that sits there now. */
struct calibration_joint *limp_row(struct limp *l, int j);
/* Write the file beside the robot file, dated now; an exit status, said. */
int limp_write(struct ctl *c, struct limp *l);
