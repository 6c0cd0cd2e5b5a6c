#include "daemon/base/map.h"

#include <stdint.h>
#include <sys/mman.h>

#define HUGE_BYTES ((size_t)2 << 20)

#ifndef MADV_COLLAPSE /* Linux 6.1; Debian 12's headers have it not */
#define MADV_COLLAPSE 25
#endif

void *map_shared(int fd, size_t n, int protection, int flags)
{
    const size_t room = n + HUGE_BYTES;
    char *reserved =
        mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (reserved == MAP_FAILED) {
        return NULL;
    }
    const size_t before = (HUGE_BYTES - (uintptr_t)reserved % HUGE_BYTES) % HUGE_BYTES;
    char *at = reserved + before;
    if (mmap(at, n, protection, MAP_SHARED | MAP_FIXED | flags, fd, 0) == MAP_FAILED) {
        (void)munmap(reserved, room);
        return NULL;
    }
    const size_t page = 4096, end = before + (n + page - 1) / page * page;
    if (before > 0) {
        (void)munmap(reserved, before);
    }
    if (end < room) {
        (void)munmap(reserved + end, room - end);
    }
    return at;
}

void map_collapse(void *p, size_t n)
{
    (void)madvise(p, n / HUGE_BYTES * HUGE_BYTES, MADV_COLLAPSE);
}
