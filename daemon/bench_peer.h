/*
 * Another's learner beside ours, in turns: a program that does the same updates when told to. It
 * writes lines on standard output and reads them on standard input:
 *
 *   it   ready NAME AND VERSION       once, when its replay is full and it is warm
 *   we   run SECONDS                  as often as we like; it waits for nothing else
 *   it   done UPDATES SECONDS         what it really did
 *
 * It ends when its standard input does. tests/bench/peer_torch.py is one.
 */
#pragma once

#include "daemon/base/err.h"

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#define PEER_ARGS_MAX 24

struct peer {
    pid_t pid; /* 0: none */
    FILE *to, *from;
    char name[128];
};

/* Start path with args [ends with NULL] and wait until it is ready. Errors: -errno and one
 * sentence. */
int peer_open(struct peer *ret_peer, const char *path, const char *const *args, char *ret_why,
              int cap) BASAL_MUST_USE;
/* One turn; adds to what was done. */
int peer_run(struct peer *p, double seconds, double *ret_updates, double *ret_seconds,
             char *ret_why, int cap) BASAL_MUST_USE;
/* Waits for its end. NULL, and one that never was opened, are fine. */
void peer_close(struct peer *p);
