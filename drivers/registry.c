/* One word per driver. The name is the file's name. */
#include "drivers/driver.h"

#include <string.h>

#define SERIAL_DRIVERS(X)                                                                          \
    X(dynamixel)                                                                                   \
    X(feetech)
#define CAN_DRIVERS(X)                                                                             \
    X(cheetah)                                                                                     \
    X(damiao)                                                                                      \
    X(odrive)                                                                                      \
    X(robstride)

#define X(name) extern const struct serial_driver serial_driver_##name;
SERIAL_DRIVERS(X)
#undef X

#define X(name) &serial_driver_##name,
const struct serial_driver *const serial_drivers[] = {SERIAL_DRIVERS(X) NULL};
#undef X

const struct serial_driver *serial_driver_find(const char *name)
{
    for (int i = 0; serial_drivers[i] != NULL; i++) {
        if (strcmp(serial_drivers[i]->info.name, name) == 0) {
            return serial_drivers[i];
        }
    }
    return NULL;
}

#define X(name) extern const struct can_driver can_driver_##name;
CAN_DRIVERS(X)
#undef X

#define X(name) &can_driver_##name,
const struct can_driver *const can_drivers[] = {CAN_DRIVERS(X) NULL};
#undef X

const struct can_driver *can_driver_find(const char *name)
{
    for (int i = 0; can_drivers[i] != NULL; i++) {
        if (strcmp(can_drivers[i]->info.name, name) == 0) {
            return can_drivers[i];
        }
    }
    return NULL;
}

bool driver_has_watchdog(const struct driver_info *info)
{
    for (const struct silence_row *r = info->silence; r->source != NULL; r++) {
        if (r->silence != SILENCE_NONE && r->silence != SILENCE_KEEPS_GOING) {
            return true;
        }
    }
    return false;
}

int robot_bus_joint(const struct robot_bus *b, int id)
{
    for (int k = 0; k < b->n; k++) {
        if (b->robot->joint[b->joint[k]].id == id) {
            return b->joint[k];
        }
    }
    return -1;
}
