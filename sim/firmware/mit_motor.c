#include "sim/firmware/mit_motor.h"

#include <math.h>

/* Codes span -end..end; the top one is 2^bits - 1. */
double motor_value(unsigned code, double end, int bits)
{
    const double span = ldexp(1.0, bits) - 1.0;
    return end * (2.0 * (double)code / span - 1.0);
}

unsigned motor_code(double x, double end, int bits)
{
    const double span = ldexp(1.0, bits) - 1.0;
    const double at = (x + end) * span / (end + end);
    return at >= span ? (unsigned)span : at > 0.0 ? (unsigned)at : 0u; /* NaN: 0 */
}

uint8_t motor_special(const uint8_t *data)
{
    for (int i = 0; i < 7; i++) {
        if (data[i] != 0xFF) {
            return 0;
        }
    }
    return data[7];
}

/* The next n bits of a frame, the highest first. */
static unsigned next_bits(const uint8_t *data, int *at, int n)
{
    unsigned u = 0;
    for (int i = 0; i < n; i++, (*at)++) {
        u = u << 1 | ((unsigned)data[*at / 8] >> (7 - *at % 8) & 1u);
    }
    return u;
}

void motor_decode(const struct motor_range *r, const uint8_t *data,
                  struct motor_command *ret_command)
{
    int at = 0;
    ret_command->p = motor_value(next_bits(data, &at, 16), r->p, 16);
    ret_command->v = motor_value(next_bits(data, &at, 12), r->v, 12);
    ret_command->kp = r->kp * next_bits(data, &at, 12) / 4095.0;
    ret_command->kd = r->kd * next_bits(data, &at, 12) / 4095.0;
    ret_command->t = motor_value(next_bits(data, &at, 12), r->t, 12);
}

void motor_answer(const struct motor_range *r, double p, double v, double t, uint8_t *ret_data)
{
    const uint64_t all = (uint64_t)motor_code(p, r->p, 16) << 24 |
                         (uint64_t)motor_code(v, r->v, 12) << 12 | motor_code(t, r->t, 12);
    for (int i = 0; i < 5; i++) {
        ret_data[1 + i] = (uint8_t)(all >> (8 * (4 - i)));
    }
}
