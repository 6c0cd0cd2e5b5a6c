#include "drivers/joints.h"

double joint_from_device(const struct joint_spec *j, double device_rad)
{
    return j->sign * (device_rad - j->zero_rad) / j->gear;
}

double joint_to_device(const struct joint_spec *j, double joint_rad)
{
    return j->sign * joint_rad * j->gear + j->zero_rad;
}

double joint_rate_from_device(const struct joint_spec *j, double device_rad_s)
{
    return j->sign * device_rad_s / j->gear;
}

double joint_rate_to_device(const struct joint_spec *j, double joint_rad_s)
{
    return j->sign * joint_rad_s * j->gear;
}

void joint_range_to_device(const struct joint_spec *j, double *ret_low_rad, double *ret_high_rad)
{
    const double a = joint_to_device(j, j->q_min), b = joint_to_device(j, j->q_max);
    *ret_low_rad = a < b ? a : b;
    *ret_high_rad = a < b ? b : a;
}
