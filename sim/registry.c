/* One line per plug-in. The name is the file's name; what a build may lack is under SIMS_BUILT. */
#include "sim/sim.h"

#include <string.h>

#ifdef BASAL_MUJOCO
#define SIMS_BUILT(X) X(mujoco)
#else
#define SIMS_BUILT(X)
#endif

/* clang-format off */
#define SIMS(X)                                                                                    \
    X(acrobot)                                                                                     \
    X(arm)                                                                                         \
    X(asterix)                                                                                     \
    X(breakout)                                                                                    \
    X(cartpole)                                                                                    \
    X(chain)                                                                                       \
    X(crawler)                                                                                     \
    X(crawler_grid)                                                                                \
    X(freeway)                                                                                     \
    X(gridworld)                                                                                   \
    X(joints)                                                                                      \
    X(lqr)                                                                                         \
    X(mountain_car)                                                                                \
    X(multigoal)                                                                                   \
    X(pendulum)                                                                                    \
    X(reacher2)                                                                                    \
    X(seaquest)                                                                                    \
    X(space_invaders)                                                                              \
    X(track)                                                                                       \
    SIMS_BUILT(X)
/* clang-format on */

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

const char *sim_missing(const char *name)
{
#ifndef BASAL_MUJOCO
    if (strcmp(name, "mujoco") == 0) {
        return "this basald was built without MuJoCo: install libmujoco-dev, then build it again";
    }
#endif
    (void)name;
    return NULL;
}
