/*
 * Command lines of all programs: a table of flags makes the parser and --help. --name VALUE or
 * --name=VALUE.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct flag {
    const char *name;     /* without dashes; NULL ends the table */
    const char *argument; /* what it takes, in capitals; NULL: nothing */
    const char *help;
};

struct program {
    const char *name, *usage, *about;
    const struct flag *flags;
    /* one flag with its value (NULL where none is taken); false: the value does not fit */
    bool (*take)(void *self, const char *name, const char *value);
};

enum {
    EXIT_USAGE = 2,
    EXIT_NOT_RUNNING = 3,
    EXIT_UNAVAILABLE = 69, /* hardware */
    EXIT_BROKEN = 70,      /* a thread crashed or hung */
    EXIT_OS = 71,
    EXIT_PERMISSION = 77,
    EXIT_CONFIG = 78
};

/*
 * Reads flags until the first word that is none. Returns its index, or -1 - status when the program
 * should leave at once with that status (--help, --version, a mistake: said in one sentence).
 * Begins by opening standard streams that the caller closed, as /dev/null.
 */
int args_read(const struct program *p, int argc, char **argv, void *self);

/* The end of every main: what was printed must have arrived, or it is said and the program fails.
 * Returns the exit status. */
int args_end(const char *program, int status);

/*
 * The exit status for what ended a program: 0, or -errno. A robot file or checkpoint that is wrong
 * or not there, the system's refusal, a folder's, or else plain failure.
 */
int exit_status(int rc);

/* Says on standard error that memory is missing; returns the exit status for it. */
int exit_no_memory(const char *program);

/* A whole number of at least 0, or false. */
bool args_whole(const char *text, int64_t *ret_v);
/* A finite number, or false. */
bool args_number(const char *text, double *ret_v);
