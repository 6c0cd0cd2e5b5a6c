/* Arbitrary bytes as a weights block: refused with a sentence, never a crash. */
#include "policies/weights.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct weights_view v;
    char reason[WHY_CHARS];
    const struct weights_id want = {.n_obs = 3, .n_act = 1, .policy_rate_hz = 20.0, .algo = "sac"};
    if (weights_decode(data, n, &v, reason, (int)sizeof reason) == 0) {
        const int rc = weights_accept(&v.id, &want, 0, reason, (int)sizeof reason);
        (void)rc;
    }
    return 0;
}
