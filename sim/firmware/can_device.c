#include "sim/firmware/can_device.h"

#include <math.h>
#include <string.h>

bool can_heard(const uint8_t *bytes, size_t n, struct canfd_frame *ret_frame)
{
    if (n != sizeof *ret_frame) {
        return false;
    }
    memcpy(ret_frame, bytes, n);
    return ret_frame->len <= CANFD_MAX_DLEN && (ret_frame->can_id & CAN_ERR_FLAG) == 0;
}

bool can_silent(const struct can_demands *d, int64_t t_ns)
{
    const double t_s = (double)t_ns * 1e-9;
    return d->silent_at_s > 0.0 && t_s >= d->silent_at_s && t_s < d->silent_at_s + d->silent_for_s;
}

bool can_browns_out(const struct can_demands *d, int64_t before_ns, int64_t t_ns)
{
    return d->brownout_at_s > 0.0 && (double)before_ns * 1e-9 < d->brownout_at_s &&
           (double)t_ns * 1e-9 >= d->brownout_at_s;
}

void can_put(struct can_queue *q, int64_t t_ns, const struct canfd_frame *frame)
{
    if (q->n < CAN_QUEUE) { /* else its mailbox is full and the frame is lost */
        q->due_ns[q->n] = t_ns;
        q->frame[q->n++] = *frame;
    }
}

int64_t can_due(const struct can_queue *q)
{
    return q->n > 0 ? q->due_ns[0] : CAN_NEVER;
}

int can_take(struct can_queue *q, int64_t t_ns, uint8_t *ret_bytes, size_t cap)
{
    if (q->n == 0 || q->due_ns[0] > t_ns || cap < sizeof q->frame[0]) {
        return 0;
    }
    memcpy(ret_bytes, &q->frame[0], sizeof q->frame[0]);
    q->n--;
    memmove(&q->due_ns[0], &q->due_ns[1], (size_t)q->n * sizeof q->due_ns[0]);
    memmove(&q->frame[0], &q->frame[1], (size_t)q->n * sizeof q->frame[0]);
    return (int)sizeof q->frame[0];
}

void can_motor_init(struct can_motor *m, const struct robot *robot, int joint)
{
    const struct joint_spec *j = &robot->joint[joint];
    *m = (struct can_motor){
        .joint = joint, .sign = j->sign, .gear = j->gear, .zero_rad = j->zero_rad, .temp_c = 25.0};
}

void can_motor_sense(struct can_motor *m, const struct can_demands *d, int64_t t_ns,
                     const struct sensed *s)
{
    const int j = m->joint;
    const double temp_c = (double)s->temp_c[j];
    m->now_ns = t_ns;
    m->p = m->sign * s->q[j] * m->gear + m->zero_rad - m->origin;
    m->v = m->sign * s->qd[j] * m->gear;
    m->t = m->sign * s->tau[j] / m->gear;
    m->temp_c = isfinite(temp_c) ? temp_c : 25.0;
    if (d->hot_at_s > 0.0 && (double)t_ns * 1e-9 >= d->hot_at_s) {
        m->temp_c = CAN_HOT_C;
    }
}

void can_motor_command(const struct can_motor *m, const struct can_effort *e,
                       struct command *ret_cmd)
{
    const int j = m->joint;
    const double gear = fabs(m->gear);
    ret_cmd->mode[j] = (uint8_t)e->mode;
    ret_cmd->q[j] = m->sign * (e->p + m->origin - m->zero_rad) / m->gear;
    ret_cmd->qd[j] = m->sign * e->v / m->gear;
    ret_cmd->tau[j] = m->sign * e->t * m->gear;
    ret_cmd->kp[j] = e->kp * gear * gear;
    ret_cmd->kd[j] = e->kd * gear * gear;
    ret_cmd->tau_max[j] = e->t_max * gear;
}

float can_f32(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

uint32_t can_bits(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}
