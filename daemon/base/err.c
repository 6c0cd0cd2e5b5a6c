#include "daemon/base/err.h"

#include <stdarg.h>
#include <stdio.h>

int why(char *ret_why, int cap, int code, const char *fmt, ...)
{
    if (ret_why != NULL && cap > 0) {
        va_list args;
        va_start(args, fmt);
        (void)vsnprintf(ret_why, (size_t)cap, fmt, args);
        va_end(args);
    }
    return code;
}
