#include "policies/policy.h"

#include <errno.h>

static const struct {
    unsigned bit;
    const char *what;
} needs[] = {
    {NEEDS_NEXT_ACTION, "the action of the next step"},
    {NEEDS_LOGP, "the log-probability of each action"},
    {NEEDS_SEGMENTS, "runs of consecutive steps"},
    {NEEDS_NEWEST, "the newest steps in order, each once"},
    {NEEDS_SWEEP, "passes over all steps"},
    {NEEDS_MODEL, "every transition of a small simulated world"},
    {NEEDS_ONCE, "each step once in order"},
};

/* What the robot's actions are, against what the policy decides. */
static int check_action(const struct policy *p, const struct dims *d, char *ret_why, int cap)
{
    const bool choices = d->n_choices > 0;
    if (d->n_act < 1 || d->n_obs < 1) {
        return why(ret_why, cap, -EINVAL,
                   "policy %s needs an observation, and an actuated joint or choices", p->name);
    }
    if ((p->actions & (choices ? ACTION_DISCRETE : ACTION_BOX)) != 0) {
        return 0;
    }
    return why(ret_why, cap, -EINVAL,
               choices ? "policy %s decides continuous actions, this robot has %d choices"
                       : "policy %s decides among choices, this robot's %d actions are continuous",
               p->name, choices ? d->n_choices : d->n_act);
}

/* One batch is of one kind; and in runs of steps the next action is the next row's. */
static int check_kinds(const struct policy *p, unsigned wanted, char *ret_why, int cap)
{
    static const unsigned never[] = {
        NEEDS_NEWEST | NEEDS_SWEEP,         NEEDS_NEWEST | NEEDS_MODEL,
        NEEDS_SWEEP | NEEDS_MODEL,          NEEDS_SEGMENTS | NEEDS_SWEEP,
        NEEDS_SEGMENTS | NEEDS_MODEL,       NEEDS_NEXT_ACTION | NEEDS_NEWEST,
        NEEDS_NEXT_ACTION | NEEDS_SEGMENTS, NEEDS_NEXT_ACTION | NEEDS_MODEL,
        NEEDS_LOGP | NEEDS_MODEL,           NEEDS_ONCE | NEEDS_NEWEST,
        NEEDS_ONCE | NEEDS_SEGMENTS,        NEEDS_ONCE | NEEDS_SWEEP,
        NEEDS_ONCE | NEEDS_MODEL,
    };
    for (size_t i = 0; i < sizeof never / sizeof never[0]; i++) {
        if ((wanted & never[i]) != never[i]) {
            continue;
        }
        const char *what[2] = {"", ""};
        for (size_t k = 0, n = 0; k < sizeof needs / sizeof needs[0]; k++) {
            if ((never[i] & needs[k].bit) != 0) {
                what[n++] = needs[k].what;
            }
        }
        return why(ret_why, cap, -EINVAL, "policy %s wants %s and %s, which no batch holds at once",
                   p->name, what[0], what[1]);
    }
    return 0;
}

static int check_picture(const struct policy *p, const struct dims *d, char *ret_why, int cap)
{
    return d->history == 0 || p->pictures
               ? 0
               : why(ret_why, cap, -EINVAL,
                     "policy %s has no encoder for pictures: leave the slot picture out", p->name);
}

static int check_wants(const struct policy *p, const void *config, const struct dims *d,
                       char *ret_why, int cap)
{
    struct wants w;
    p->wants(config, &w);
    for (size_t i = 0; i < sizeof needs / sizeof needs[0]; i++) {
        if ((w.needs & needs[i].bit & ~d->gives) != 0) {
            return why(ret_why, cap, -EINVAL,
                       "policy %s wants %s, which the learner of this robot and task does not give",
                       p->name, needs[i].what);
        }
    }
    if ((w.needs & NEEDS_NEWEST) == 0 && w.seg_len != d->seg_len) {
        return why(ret_why, cap, -EINVAL,
                   "policy %s wants runs of %d steps, the learner of this robot gives %d", p->name,
                   w.seg_len, d->seg_len);
    }
    return check_kinds(p, w.needs, ret_why, cap);
}

int policy_check(const struct policy *p, const void *config, const struct dims *d, char *ret_why,
                 int cap)
{
    int rc = check_action(p, d, ret_why, cap);
    rc = rc == 0 ? check_picture(p, d, ret_why, cap) : rc;
    rc = rc == 0 ? check_wants(p, config, d, ret_why, cap) : rc;
    return rc == 0 ? p->check(config, d, ret_why, cap) : rc;
}

void policy_wants_rows(const void *config, struct wants *ret_wants)
{
    (void)config;
    *ret_wants = (struct wants){.seg_len = 1};
}

uint32_t policy_net(const struct policy *p, const void *config, const struct dims *d)
{
    return p->net != NULL ? p->net(config, d) : 0;
}
