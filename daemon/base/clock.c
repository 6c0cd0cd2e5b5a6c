#include "daemon/base/clock.h"

#include <errno.h>
#include <time.h>

static int64_t monotonic_ns(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

int64_t clock_now_ns(const struct clock *c)
{
    return c->is_virtual ? c->now_ns : monotonic_ns() - c->zero_ns;
}

int64_t clock_sleep_until(struct clock *c, int64_t t_ns)
{
    if (c->is_virtual) {
        if (t_ns > c->now_ns) {
            c->now_ns = t_ns;
        }
        return c->now_ns;
    }
    const int64_t at_ns = t_ns + c->zero_ns;
    const struct timespec ts = {.tv_sec = at_ns / NS_PER_S, .tv_nsec = at_ns % NS_PER_S};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR) {
    }
    return clock_now_ns(c);
}

void clock_resume(struct clock *c, int64_t t_ns)
{
    if (c->is_virtual) {
        c->now_ns = t_ns;
    } else {
        c->zero_ns = monotonic_ns() - t_ns;
    }
}
