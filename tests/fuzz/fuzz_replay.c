/* Arbitrary bytes as a replay segment: an error or a segment that can be walked, never a crash. */
#include "policies/replay.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char reason[WHY_CHARS];
    struct replay *r = NULL;
    const int fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, n) != (ssize_t)n) {
        return 0;
    }
    if (replay_attach(&r, fd, reason, (int)sizeof reason) == 0 && r != NULL) {
        struct replay_info *info = malloc(sizeof *info);
        if (info != NULL) {
            (void)replay_info(r, info);
        }
        (void)replay_verify(r, reason, (int)sizeof reason);
        free(info);
        replay_close(r);
    } else {
        (void)close(fd);
    }
    return 0;
}
