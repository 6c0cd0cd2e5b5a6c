/* Bytes written as in a manual: "FF FF FD 00"; anything between the digits is skipped. */
#pragma once

#include <ctype.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

static inline size_t hex(const char *text, uint8_t *ret_bytes, size_t cap)
{
    size_t n = 0;
    for (const char *p = text; *p != '\0' && n < cap;) {
        if (!isxdigit((unsigned char)p[0]) || !isxdigit((unsigned char)p[1])) {
            p++;
            continue;
        }
        const char two[3] = {p[0], p[1], '\0'};
        ret_bytes[n++] = (uint8_t)strtoul(two, NULL, 16);
        p += 2;
    }
    return n;
}
