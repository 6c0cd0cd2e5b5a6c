/*
 * Arbitrary bytes as a weights block, on the whole way in: decode, accept, pack, act. The first
 * byte says how much of the block is made right, so that the numbers behind the checksum are
 * reached. Refused with a sentence or used, never a crash.
 */
#include "daemon/base/hash.h"
#include "daemon/intake.h"
#include "daemon/loop.h"
#include "daemon/problem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_MAX 65536
#define MEMORY    ((size_t)64 << 20)
#define FLOATS    8192
#define HEAD      80 /* bytes of a block's fixed part */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct house {
    struct arena mem;
    struct config config;
    struct dims dims;
    struct mailbox mailbox;
    struct intake intake;
    void *actor;
} house;

static void open_house(void)
{
    static const char robot[] =
        "schema: 1\nname: fuzz\nbus:\n  - {name: b, driver: dynamixel, device: /dev/b}\n"
        "joints:\n  - {name: a, bus: b, id: 1, tau_stall_nm: 1.4, q_min_rad: -1, q_max_rad: 1, "
        "qd_max_rad_s: 5, qdd_max_rad_s2: 100, tau_max_nm: 1, temp_max_c: 70}\n"
        "control: {rate_hz: 100}\nestop: {hardware: none, drop_accepted: true}\n"
        "task: {observation: [{kind: position}, {kind: last_action}]}\n"
        "policy: {kind: sac, rate_hz: 20, net_arch: [4]}\n";
    const struct config_text from = {.text = robot, .n = sizeof robot - 1, .name = "fuzz.yaml"};
    struct house *h = &house;
    struct task task;
    char reason[WHY_CHARS];
    const size_t slot = intake_slot_bytes(FLOATS);
    if (arena_open(&h->mem, "fuzz", MEMORY) < 0 ||
        config_load_text(&h->config, &from, NULL, 0, &h->mem, reason, (int)sizeof reason) < 0 ||
        task_open(&task, &h->config.task, &h->config.robot, reason, (int)sizeof reason) < 0) {
        (void)fprintf(stderr, "fuzz_weights: %s\n", reason);
        abort();
    }
    problem_dims(&h->config, &task, &h->dims);
    mailbox_init(&h->mailbox, arena_take(&h->mem, 3 * slot), slot);
    intake_init(&h->intake, &h->config, &h->dims, &h->mailbox, FLOATS, &h->mem);
    const struct policy *p = h->config.policy;
    h->actor = arena_take(&h->mem, p->actor_bytes(h->config.policy_config, &h->dims));
    p->actor_init(h->config.policy_config, &h->dims, h->actor);
}

/* Bit 0: magic, codec and checksum; bit 1: counts that fit the length; bit 2: this robot's. */
static void make_right(uint8_t *block, size_t n, unsigned how)
{
    const struct intake *in = &house.intake;
    uint32_t counts[3];
    memcpy(counts, block + 40, sizeof counts);
    if ((how & 4) != 0) {
        counts[0] = (uint32_t)in->dims.n_obs;
        counts[1] = (uint32_t)in->dims.n_act;
        memcpy(block + 24, &in->want.robot_hash, 8);
        memcpy(block + 32, &in->want.policy_rate_hz, 8);
        memcpy(block + 52, &in->want.net, 4);
        memcpy(block + 56, in->want.algo, sizeof in->want.algo);
    }
    if ((how & 2) != 0) {
        counts[0] %= OBS_MAX + 1;
        counts[2] = (uint32_t)((n - HEAD - 4) / sizeof(float)) - 2 * counts[0];
    }
    memcpy(block + 40, counts, sizeof counts);
    if ((how & 1) != 0) {
        memcpy(block, "BSLW\1\0\0\0", 8);
        const uint32_t crc = hash_crc32c(0, block, n - sizeof crc);
        memcpy(block + n - sizeof crc, &crc, sizeof crc);
    }
}

static void use(const struct packed *p)
{
    struct house *h = &house;
    struct rng rng;
    float obs[OBS_MAX] = {0}, act[ACT_MAX], logp;
    rng_seed(&rng, 1);
    for (int k = 0; k < p->n; k++) {
        basal_assert(isfinite(p->w[k]));
    }
    const struct act_in in = {.packed = p->w, .obs = obs, .explore = true, .rng = &rng};
    h->config.policy->act(h->actor, &in, act, &logp);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static uint8_t block[BLOCK_MAX];
    if (house.actor == NULL) {
        open_house();
    }
    if (n < 1 || n - 1 > sizeof block) {
        return 0;
    }
    const unsigned how = data[0];
    n = (n - 1) / 4 * 4;
    memcpy(block, data + 1, n);
    if (n >= HEAD + 8) {
        make_right(block, n, how);
    }
    intake_follow(&house.intake, 0);
    house.intake.why[0] = '\0';
    if (intake_block(&house.intake, block, n) == 0) {
        use(mailbox_take(&house.mailbox));
    } else {
        basal_assert(house.intake.why[0] != '\0');
    }
    return 0;
}
