/* Arbitrary bytes as a command: refused or understood, never a crash. */
#include "daemon/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    Basald__V1__Command *c = NULL;
    if (wire_command(data, n, (size_t)1 << 20, &c) == 0) {
        wire_command_free(c);
    }
    return 0;
}
