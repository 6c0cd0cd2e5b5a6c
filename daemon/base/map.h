/*
 * Large shared mappings where the processor needs few translations: on whole huge pages, where the
 * kernel gives them.
 */
#pragma once

#include <stddef.h>

/* mmap of the first n bytes of fd, MAP_SHARED and more flags, at an address that a huge page may
 * begin at. NULL: errno. */
void *map_shared(int fd, size_t n, int protection, int flags);
/* Into huge pages what is there, as far as that is possible; it need not be. */
void map_collapse(void *p, size_t n);
