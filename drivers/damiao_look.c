/* Damiao motors looked for by reading their registers, and by the request for a state. */
#include "drivers/can_look.h"
#include "drivers/damiao.h"

#include <string.h>

static const uint8_t registers[] = {DM_SERIAL, DM_HW_VERSION, DM_SW_VERSION};

#define REGISTERS (int)(sizeof registers)

static void ask(int id, int question, struct canfd_frame *ret_tx)
{
    *ret_tx = (struct canfd_frame){.can_id = DM_REGISTER_ID, .len = 8};
    ret_tx->data[0] = (uint8_t)id;
    ret_tx->data[1] = (uint8_t)(id >> 8);
    ret_tx->data[2] = question < REGISTERS ? DM_READ : DM_REFRESH;
    ret_tx->data[3] = question < REGISTERS ? registers[question] : 0;
}

static void take_register(const struct canfd_frame *rx, struct can_seen *z)
{
    uint32_t value;
    memcpy(&value, rx->data + 4, sizeof value);
    z->who.known = true;
    z->own = rx->can_id;
    switch (rx->data[3]) {
    case DM_SERIAL:
        z->who.serial = value;
        z->answers++;
        break;
    case DM_HW_VERSION:
        z->who.model = (int)(value & INT32_MAX);
        break;
    default:
        z->who.firmware = (int)(value & INT32_MAX);
        break;
    }
}

/* A state tells only half of its motor's id; the rest is the CAN id that its registers came on. */
static int take_state(const struct canfd_frame *rx, struct can_seen *seen)
{
    for (int id = 0; id < CAN_LOOK_IDS; id++) {
        struct can_seen *z = &seen[id];
        if (z->who.known && z->own == rx->can_id && (id & 0xF) == (rx->data[0] & 0xF)) {
            const int status = rx->data[0] >> 4;
            z->torque = status == DM_ENABLED;
            z->error = status != DM_ENABLED && status != DM_DISABLED ? (uint32_t)status : 0;
            z->error_text = dm_status_name(status);
            return id;
        }
    }
    return -1;
}

static int hear(const struct canfd_frame *rx, struct can_seen *seen)
{
    if ((rx->can_id & (CAN_EFF_FLAG | CAN_RTR_FLAG | CAN_ERR_FLAG)) != 0 || rx->len != 8 ||
        rx->can_id == DM_REGISTER_ID) {
        return -1;
    }
    if (rx->data[1] == 0 && rx->data[2] == DM_READ &&
        memchr(registers, rx->data[3], sizeof registers) != NULL) {
        take_register(rx, &seen[rx->data[0]]);
        return rx->data[0];
    }
    return take_state(rx, seen);
}

const struct can_look dm_look = {
    .id_max = CAN_LOOK_IDS - 1, .questions = REGISTERS + 1, .ask = ask, .hear = hear};
