/* One line per plug-in. The name is the file's name. */
#include "sim/firmware/device.h"

#include <string.h>

#define DEVICES(X)                                                                                 \
    X(cheetah)                                                                                     \
    X(damiao)                                                                                      \
    X(dynamixel)                                                                                   \
    X(feetech)                                                                                     \
    X(odrive)                                                                                      \
    X(robstride)

#define X(name) extern const struct device device_##name;
DEVICES(X)
#undef X

#define X(name) &device_##name,
const struct device *const devices[] = {DEVICES(X) NULL};
#undef X

const struct device *device_find(const char *name)
{
    for (int i = 0; devices[i] != NULL; i++) {
        const char *own = devices[i]->name;
        if (strcmp(own, name) == 0) {
            return devices[i];
        }
    }
    return NULL;
}
