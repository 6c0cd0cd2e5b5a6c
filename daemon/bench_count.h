/*
 * The fewest operations that an update can do, by its equations: what a limit of updates a second
 * is derived from. Products with weights alone count (a product and a sum are two); all else is
 * small.
 */
#pragma once

#include <stddef.h>

struct count_spec {
    const char *algo;
    int n_obs, n_act, batch;
    const int *hidden; /* [n_hidden] of actor and critics */
    int n_hidden;
};

/*
 * FLOP of one update; of an algorithm that does not do the same every time, in the mean, as its
 * settings are by default. NaN: nobody has counted that algorithm.
 */
double count_flop(const struct count_spec *s);

/* What was added up, in words. Returns its length; "" for an algorithm nobody has counted. */
int count_text(const char *algo, char *ret_text, size_t cap);
