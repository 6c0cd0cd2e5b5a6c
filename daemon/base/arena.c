#include "daemon/base/arena.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int arena_open(struct arena *ret_arena, const char *name, size_t cap)
{
    void *p =
        mmap(NULL, cap, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) {
        return -ENOMEM;
    }
    *ret_arena = (struct arena){.name = name, .base = p, .cap = cap};
    return 0;
}

void arena_close(struct arena *a)
{
    if (a != NULL && a->base != NULL) {
        (void)munmap(a->base, a->cap);
        *a = (struct arena){.name = a->name};
    }
}

void *arena_take(struct arena *a, size_t n)
{
    const size_t rounded = (n + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    basal_assert(!a->frozen);
    basal_assert(rounded <= a->cap - a->used);
    void *p = a->base + a->used;
    a->used += rounded;
    return p;
}

void arena_freeze(struct arena *a)
{
    a->frozen = true;
}

void arena_prefault(struct arena *a)
{
    memory_prefault(a->base, a->used);
}

void memory_prefault(void *p, size_t n)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *from = p;
    const size_t before = (uintptr_t)from % page;
    if (n == 0 || madvise(from - before, before + n, MADV_POPULATE_WRITE) == 0) {
        return;
    }
    for (size_t at = 0; at < n; at += page - (at == 0 ? before : 0)) { /* before 5.14: by hand */
        volatile char *first = from + at;
        const char same = *first;
        *first = same;
    }
}

int64_t memory_available_bytes(void)
{
    char line[256];
    long long kb = -1;
    FILE *f = fopen("/proc/meminfo", "re");
    while (f != NULL && kb < 0 && fgets(line, (int)sizeof line, f) != NULL) {
        if (strncmp(line, "MemAvailable:", 13) == 0) {
            kb = strtoll(line + 13, NULL, 10);
        }
    }
    if (f != NULL) {
        (void)fclose(f);
    }
    return kb < 0 ? INT64_MAX : (int64_t)kb * 1024;
}
