#include "drivers/mit.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define P_CODE_MAX 0xFFFEu

static bool positive(double x)
{
    return isfinite(x) && x > 0.0;
}

bool mit_range_good(const struct mit_range *r)
{
    return positive(r->p) && positive(r->v) && positive(r->t) && positive(r->kp) && positive(r->kd);
}

uint16_t mit_code(double x, double low, double high, int bits)
{
    const double most = (double)((1u << bits) - 1u);
    const double cut = x < low ? low : x > high ? high : x;
    return (uint16_t)((cut - low) * most / (high - low));
}

double mit_value(unsigned code, double low, double high, int bits)
{
    const double most = (double)((1u << bits) - 1u);
    return (double)code * (high - low) / most + low;
}

int mit_pack(const struct mit_range *r, const struct mit_goal *g, uint8_t *ret_data)
{
    if (!mit_range_good(r) || !isfinite(g->p) || !isfinite(g->v) || !isfinite(g->t) ||
        !isfinite(g->kp) || !isfinite(g->kd)) {
        return -EDOM;
    }
    const unsigned full = mit_code(g->p, -r->p, r->p, 16);
    const unsigned p = full > P_CODE_MAX ? P_CODE_MAX : full;
    const unsigned v = mit_code(g->v, -r->v, r->v, 12);
    const unsigned kp = mit_code(g->kp, 0.0, r->kp, 12);
    const unsigned kd = mit_code(g->kd, 0.0, r->kd, 12);
    const unsigned t = mit_code(g->t, -r->t, r->t, 12);
    ret_data[0] = (uint8_t)(p >> 8);
    ret_data[1] = (uint8_t)p;
    ret_data[2] = (uint8_t)(v >> 4);
    ret_data[3] = (uint8_t)(v << 4 | kp >> 8);
    ret_data[4] = (uint8_t)kp;
    ret_data[5] = (uint8_t)(kd >> 4);
    ret_data[6] = (uint8_t)(kd << 4 | t >> 8);
    ret_data[7] = (uint8_t)t;
    return MIT_BYTES;
}

void mit_pack_special(enum mit_special what, uint8_t *ret_data)
{
    memset(ret_data, 0xFF, MIT_BYTES - 1);
    ret_data[MIT_BYTES - 1] = (uint8_t)what;
}

void mit_unpack(const struct mit_range *r, const uint8_t *data, struct mit_state *ret_state)
{
    const unsigned p = (unsigned)data[1] << 8 | data[2];
    const unsigned v = (unsigned)data[3] << 4 | data[4] >> 4;
    const unsigned t = (data[4] & 0xFu) << 8 | data[5];
    ret_state->p = mit_value(p, -r->p, r->p, 16);
    ret_state->v = mit_value(v, -r->v, r->v, 12);
    ret_state->t = mit_value(t, -r->t, r->t, 12);
}
