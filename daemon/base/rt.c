#include "daemon/base/rt.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

_Noreturn void basal_panic(const char *file, int line, const char *what)
{
    char text[256];
    int n = snprintf(text, sizeof text, "<0>%s:%d: assertion failed: %s\n", file, line, what);
    if (n > 0) {
        size_t len = (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
        ssize_t ignored = write(STDERR_FILENO, text, len);
        (void)ignored;
    }
    abort();
}
