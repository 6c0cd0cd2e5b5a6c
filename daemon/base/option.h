/*
 * One row per setting. The same row parses the YAML, checks the range, prints the default, the
 * commented example and the manual. A module's settings are a struct; a row knows where in it the
 * value lives.
 *
 * A table ends with a row whose key is NULL. The unit is the last word of the key.
 */
#pragma once

#include "daemon/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_type {
    OPTION_BOOL,   /* bool                                        true | false           */
    OPTION_INT,    /* int                                         whole number           */
    OPTION_INT64,  /* int64_t                                     whole number           */
    OPTION_DOUBLE, /* double                                      finite number          */
    OPTION_TEXT,   /* char[n_max], NUL-terminated                                        */
    OPTION_CHOICE, /* int: index into choices                     one of the names       */
    OPTION_INTS,   /* int[n_max]; the count is an int at n_offset                        */
    OPTION_DOUBLES /* double[n_max]; the count is an int at n_offset                     */
};

struct option {
    const char *key;
    enum option_type type;
    size_t offset;    /* of the value in its struct */
    double min, max;  /* numbers and list elements; ignored elsewhere */
    const char *def;  /* default as written in YAML ("[64, 64]" for lists); NULL: must be set */
    const char *help; /* one sentence, no full stop */
    const char *const *choices; /* OPTION_CHOICE: names, NULL at the end */
    int n_max;                  /* TEXT: bytes with the NUL; INTS, DOUBLES: most elements */
    size_t n_offset;            /* INTS, DOUBLES: where the count lives */
};

/* The row of key, or NULL. */
const struct option *option_find(const struct option *table, const char *key);

/* What a value of o may be, for a sentence: "a whole number from 1 to 98". Returns its length. */
int option_wanted(const struct option *o, char *ret_text, int cap);

/*
 * Read text into the field of o in config. A list is written "[1, 2]" or "1, 2".
 * Errors: -EINVAL and one sentence in ret_why (type, range, a token not consumed whole, not finite,
 * a control character): "KEY must be WANTED, not TEXT".
 */
int option_set(const struct option *o, void *config, const char *text, char *ret_why,
               int cap) BASAL_MUST_USE;

/* Every default into config; rows without one are left as they are. */
void option_defaults(const struct option *table, void *config);

/* The value as YAML text into ret_text [cap]; returns its length. */
int option_get(const struct option *o, const void *config, char *ret_text, int cap);
