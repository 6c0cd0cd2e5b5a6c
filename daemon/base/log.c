#include "daemon/base/log.h"

#include "daemon/base/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* One write a line, so that threads never mix; the priority only where a journal reads it. */
static void put(enum log_level level, const char *text, uint64_t held)
{
    char line[1100];
    int n = 0;
    if (getenv("JOURNAL_STREAM") != NULL) {
        n = snprintf(line, sizeof line, "<%d>", (int)level);
    }
    if (held > 0) {
        n += snprintf(line + n, sizeof line - (size_t)n, "%s (and %llu more like it)\n", text,
                      (unsigned long long)held);
    } else {
        n += snprintf(line + n, sizeof line - (size_t)n, "%s\n", text);
    }
    const size_t len = (size_t)n < sizeof line ? (size_t)n : sizeof line - 1;
    const ssize_t ignored = write(STDERR_FILENO, line, len);
    (void)ignored;
}

void log_line(enum log_level level, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    put(level, text, 0);
}

void log_limited(struct log_limit *l, double every_s, enum log_level level, const char *fmt, ...)
{
    const struct clock c = {0};
    const int64_t now_ns = clock_now_ns(&c);
    if (now_ns < l->next_ns) {
        l->held++;
        return;
    }
    char text[1024];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    put(level, text, l->held);
    l->held = 0;
    l->next_ns = now_ns + (int64_t)(every_s * (double)NS_PER_S);
}
