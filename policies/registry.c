/* One line per algorithm. The name is the file's name. */
#include "policies/policy.h"

#include <string.h>

#define POLICIES(X)                                                                                \
    X(hold)                                                                                        \
    X(crossq)                                                                                      \
    X(ddpg)                                                                                        \
    X(dqn)                                                                                         \
    X(droq)                                                                                        \
    X(excite)                                                                                      \
    X(linearq)                                                                                     \
    X(ppo)                                                                                         \
    X(qtable)                                                                                      \
    X(redq)                                                                                        \
    X(sac)                                                                                         \
    X(sac_discrete)                                                                                \
    X(sac_v1)                                                                                      \
    X(sarsa)                                                                                       \
    X(softq)                                                                                       \
    X(softq_discrete)                                                                              \
    X(svg)                                                                                         \
    X(td3)                                                                                         \
    X(tqc)

#define X(name) extern const struct policy policy_##name;
POLICIES(X)
#undef X

#define X(name) &policy_##name,
const struct policy *const policies[] = {POLICIES(X) NULL};
#undef X

const struct policy *policy_find(const char *name)
{
    for (int i = 0; policies[i] != NULL; i++) {
        if (strcmp(policies[i]->name, name) == 0) {
            return policies[i];
        }
    }
    return NULL;
}
