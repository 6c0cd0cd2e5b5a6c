#include "daemon/misbehave.h"

#ifdef BASAL_STALL

#include <stddef.h>
#include <string.h>
#include <unistd.h>

#define STEPS 50 /* moving by then */

void misbehave(const struct misbehaviour *m, const char *thread, int64_t step)
{
    if (step - m->from_step <= STEPS) {
        return;
    }
    if (m->crash != NULL && strcmp(m->crash, thread) == 0) {
        __builtin_trap(); /* the processor refuses: SIGILL, as synchronous as SIGSEGV */
    }
    while (m->stall != NULL && strcmp(m->stall, thread) == 0) {
        (void)usleep(100000);
    }
}

#endif
