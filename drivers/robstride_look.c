/*
 * RobStride motors looked for by the request for their id. Their version is told only by the answer
 * to a stop, and their errors by that to a command: neither is asked.
 */
#include "drivers/can_look.h"
#include "drivers/robstride.h"

#define HOST_ID 253 /* the driver's default; any will do */

static void ask(int id, int question, struct canfd_frame *ret_tx)
{
    (void)question;
    *ret_tx = (struct canfd_frame){.can_id = CAN_EFF_FLAG | (uint32_t)RS_GET_ID << 24 |
                                             (uint32_t)HOST_ID << 8 | (uint32_t)id,
                                   .len = 8};
}

static int hear(const struct canfd_frame *rx, struct can_seen *seen)
{
    const uint32_t id = rx->can_id & CAN_EFF_MASK, motor = id >> 8 & 0xFF;
    struct can_seen *z = &seen[motor];
    if ((rx->can_id & ~CAN_EFF_MASK) != CAN_EFF_FLAG || rx->len < 8) {
        return -1;
    }
    if (id >> 24 == RS_GET_ID && (id & 0xFF) == RS_EVERYONE) {
        z->who.known = true;
        z->who.serial = rs_serial(rx->data);
        z->answers++;
        return (int)motor;
    }
    if (id >> 24 == RS_FEEDBACK) { /* of its own accord, or to another host */
        z->who.known = true;
        z->torque = (id >> 22 & 3) == RS_RUN;
        z->error = id >> 16 & 0x3F;
        z->error_text = rs_fault_name((int)z->error);
        return (int)motor;
    }
    return -1;
}

const struct can_look rs_look = {.id_max = RS_ID_MAX, .questions = 1, .ask = ask, .hear = hear};
