/* One line per plug-in. The name is the file's name. */
#include "sim/sim.h"

#include <string.h>

#define SIMS(X) X(crawler) X(multigoal) X(pendulum)

#define X(name) extern const struct sim sim_##name;
SIMS(X)
#undef X

#define X(name) &sim_##name,
const struct sim *const sims[] = {SIMS(X) NULL};
#undef X

const struct sim *sim_find(const char *name)
{
    for (int i = 0; sims[i] != NULL; i++) {
        const char *own = sims[i]->name;
        if (strcmp(own, name) == 0) {
            return sims[i];
        }
    }
    return NULL;
}
