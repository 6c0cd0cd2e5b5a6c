#include "daemon/base/rng.h"

#include <math.h>

static uint64_t rotl(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

static uint64_t splitmix64(uint64_t *x)
{
    uint64_t z = (*x += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void rng_seed(struct rng *ret_rng, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        ret_rng->s[i] = splitmix64(&seed);
    }
}

void rng_child(struct rng *ret_rng, uint64_t seed, const char *label)
{
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a over the label */
    for (const char *c = label; *c != '\0'; c++) {
        hash = (hash ^ (uint8_t)*c) * 0x100000001b3u;
    }
    uint64_t mix = seed;
    rng_seed(ret_rng, splitmix64(&mix) ^ hash);
}

uint64_t rng_u64(struct rng *r)
{
    uint64_t *s = r->s;
    const uint64_t result = rotl(s[0] + s[3], 23) + s[0];
    const uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
}

double rng_uniform(struct rng *r)
{
    return (double)(rng_u64(r) >> 11) * 0x1.0p-53;
}

double rng_between(struct rng *r, double lo, double hi)
{
    return lo + (hi - lo) * rng_uniform(r);
}

uint64_t rng_below(struct rng *r, uint64_t n)
{
    /* Lemire 2019: the high half of a 128-bit product; a rare second draw removes the bias. */
    __extension__ typedef unsigned __int128 u128;
    u128 m = (u128)rng_u64(r) * n;
    if ((uint64_t)m < n) {
        const uint64_t floor = (0 - n) % n;
        while ((uint64_t)m < floor) {
            m = (u128)rng_u64(r) * n;
        }
    }
    return (uint64_t)(m >> 64);
}

double rng_normal(struct rng *r)
{
    const double u = 1.0 - rng_uniform(r); /* (0,1]: log is finite */
    const double v = rng_uniform(r);
    return sqrt(-2.0 * log(u)) * cos(2.0 * 3.14159265358979323846 * v);
}
