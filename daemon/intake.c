#include "daemon/intake.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

size_t intake_slot_bytes(int n_max)
{
    const size_t n = sizeof(struct packed) + (size_t)n_max * sizeof(float);
    return (n + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
}

void intake_init(struct intake *ret_intake, const struct config *c, const struct dims *d,
                 struct mailbox *mailbox, int n_max, struct arena *mem)
{
    *ret_intake = (struct intake){
        .config = c,
        .mailbox = mailbox,
        .dims = *d,
        .n_max = n_max,
        .scratch = arena_take(mem, (size_t)n_max * sizeof(float)),
        .want = {.robot_hash = c->robot_hash,
                 .policy_rate_hz = c->robot.policy_rate_hz,
                 .n_obs = d->n_vector,
                 .n_act = d->n_act,
                 .net = policy_net(c->policy, c->policy_config, d)},
        .any_run = true,
    };
    (void)snprintf(ret_intake->want.algo, sizeof ret_intake->want.algo, "%s", c->policy->name);
}

void intake_follow(struct intake *in, uint64_t run_id)
{
    in->any_run = run_id == 0;
    in->want.run_id = run_id;
    in->have = 0;
}

static int check_and_pack(struct intake *in, const uint8_t *block, size_t n)
{
    struct weights_view view;
    const int cap = (int)sizeof in->why;
    int rc = weights_decode(block, n, &view, in->why, cap);
    if (rc < 0) {
        return rc;
    }
    if (in->any_run) {
        in->want.run_id = view.id.run_id;
    }
    rc = weights_accept(&view.id, &in->want, in->have, in->why, cap);
    if (rc < 0) {
        return rc;
    }
    if (view.n > in->n_max) {
        return why(in->why, cap, -EPROTO, "weights: %d floats do not fit %d", view.n, in->n_max);
    }
    struct packed *p = mailbox_back(in->mailbox);
    memcpy(in->scratch, view.w, (size_t)view.n * sizeof(float));
    rc = in->config->policy->pack(in->config->policy_config, &in->dims, in->scratch, view.n, p->w,
                                  in->n_max);
    if (rc < 0) {
        return why(in->why, cap, rc, "weights: %s cannot use %d floats", in->config->policy->name,
                   view.n);
    }
    p->id = view.id;
    p->n = rc;
    memcpy(p->mean, view.mean, (size_t)in->dims.n_vector * sizeof(float));
    memcpy(p->scale, view.scale, (size_t)in->dims.n_vector * sizeof(float));
    mailbox_put(in->mailbox);
    in->have = view.id.version;
    in->any_run = false;
    return 0;
}

int intake_block(struct intake *in, const uint8_t *block, size_t n)
{
    const int rc = check_and_pack(in, block, n);
    if (rc < 0) {
        in->refused++;
    } else {
        in->accepted++;
    }
    return rc;
}
