/*
 * Device angle <-> joint angle: wiring, sign, gear, zero. device = sign x joint x gear + zero.
 */
#pragma once

#include "daemon/base/robot.h"
#include "daemon/base/rt.h"

double joint_from_device(const struct joint_spec *j, double device_rad) BASAL_RT;
double joint_to_device(const struct joint_spec *j, double joint_rad) BASAL_RT;
double joint_rate_from_device(const struct joint_spec *j, double device_rad_s) BASAL_RT;
double joint_rate_to_device(const struct joint_spec *j, double joint_rad_s) BASAL_RT;
/* The range in device angles, low first whatever the sign. */
void joint_range_to_device(const struct joint_spec *j, double *ret_low_rad,
                           double *ret_high_rad) BASAL_RT;
