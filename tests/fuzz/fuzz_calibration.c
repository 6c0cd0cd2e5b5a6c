/* Any text as a calibration, once as it is and once with the checksum that it needs: refused with a
 * sentence, or what is read says the same again. */
#include "daemon/base/hash.h"
#include "daemon/base/rt.h"
#include "daemon/calibration.h"

#include <stdio.h>
#include <string.h>

#define TEXT_MAX 8192

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void try_text(const char *text, size_t n)
{
    static struct calibration c, again;
    static char out[CALIBRATION_BYTES_MAX];
    char why[WHY_CHARS] = "";
    if (calibration_read(&c, text, n, "fuzz", why, (int)sizeof why) < 0) {
        basal_assert(why[0] != '\0');
        return;
    }
    const int len = calibration_text(&c, out, (int)sizeof out);
    basal_assert(len > 0);
    basal_assert(calibration_read(&again, out, (size_t)len, "again", why, (int)sizeof why) == 0);
    basal_assert(again.n == c.n && strcmp(again.robot, c.robot) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char text[TEXT_MAX + 64];
    n = n < TEXT_MAX ? n : TEXT_MAX;
    memcpy(text, data, n);
    try_text(text, n);
    const int more =
        snprintf(text + n, 64, "checksum: '%08x'\n", (unsigned)hash_crc32c(0, text, n));
    try_text(text, n + (size_t)more);
    return 0;
}
