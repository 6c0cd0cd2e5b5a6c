/*
 * The motor's side of MIT-style packing, decoded as mini-cheetah's firmware does it: its own code,
 * shares nothing with drivers/mit.c.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct motor_range {
    double p, v, t, kp, kd; /* -p..p, -v..v, -t..t, 0..kp, 0..kd */
};

struct motor_command {
    double p, v, kp, kd, t;
};

/* FF x 7 and what follows; 0: an ordinary command. */
uint8_t motor_special(const uint8_t *data);
void motor_decode(const struct motor_range *r, const uint8_t *data,
                  struct motor_command *ret_command);
/* Bytes 1 to 5 of an answer; what is out of range is shown at its end. */
void motor_answer(const struct motor_range *r, double p, double v, double t, uint8_t *ret_data);
/* x as one of so many codes, and back. */
unsigned motor_code(double x, double end, int bits);
double motor_value(unsigned code, double end, int bits);
