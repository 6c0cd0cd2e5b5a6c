/*
 * ODrive axes looked for by their heartbeat, which comes every 100 ms; those that were heard are
 * asked for version and serial number, which firmware 0.6 tells. Nobody else is asked: to another
 * maker's motor a remote frame may look like a command.
 */
#include "drivers/can_look.h"
#include "drivers/odrive.h"

#include <string.h>

static void ask(int id, int question, struct canfd_frame *ret_tx)
{
    const uint32_t what = question == 0 ? ODRIVE_ADDRESS : ODRIVE_VERSION;
    *ret_tx =
        (struct canfd_frame){.can_id = CAN_RTR_FLAG | (uint32_t)id << ODRIVE_NODE_BITS | what};
}

static int hear(const struct canfd_frame *rx, struct can_seen *seen)
{
    const uint32_t what = rx->can_id & ((1u << ODRIVE_NODE_BITS) - 1);
    const uint8_t *d = rx->data;
    if ((rx->can_id & ~CAN_SFF_MASK) != 0 || rx->len < 8) {
        return -1;
    }
    const int node = (int)(rx->can_id >> ODRIVE_NODE_BITS);
    struct can_seen *z = &seen[node];
    if (what == ODRIVE_HEARTBEAT) {
        z->who.known = true;
        memcpy(&z->error, d, sizeof z->error);
        z->error_text = "look it up in odrivetool";
        z->torque = d[4] == ODRIVE_CLOSED_LOOP;
        return node;
    }
    if (what == ODRIVE_ESTIMATES || what == ODRIVE_IQ || what == ODRIVE_TEMPERATURE ||
        what == ODRIVE_BUS || what == ODRIVE_ERROR) {
        return node; /* cyclic where it is set so, maybe before its first heartbeat */
    }
    if (z->who.known && what == ODRIVE_ADDRESS) {
        memcpy(&z->who.serial, d + 1, sizeof z->who.serial);
        z->answers++;
        return node;
    }
    if (z->who.known && what == ODRIVE_VERSION) {
        odrive_version(d, &z->who);
        return node;
    }
    return -1;
}

const struct can_look odrive_look = {
    .id_max = ODRIVE_NODE_MAX, .questions = 2, .speaks = true, .ask = ask, .hear = hear};
