#include "daemon/bus_codec.h"

#include <errno.h>
#include <string.h>

struct bus_codec bus_codec_find(const char *name)
{
    struct bus_codec c = {.serial = serial_driver_find(name), .can = can_driver_find(name)};
    c.info = c.serial != NULL ? &c.serial->info : c.can != NULL ? &c.can->info : NULL;
    return c;
}

const struct driver_info *bus_codec_info(int i)
{
    int n = 0;
    while (serial_drivers[n] != NULL) {
        n++;
    }
    if (i < n) {
        return &serial_drivers[i]->info;
    }
    return can_drivers[i - n] != NULL ? &can_drivers[i - n]->info : NULL;
}

static const struct canfd_frame *frames_of(const uint8_t *bytes)
{
    return (const struct canfd_frame *)(const void *)bytes;
}

static struct canfd_frame *frames_to(uint8_t *bytes)
{
    return (struct canfd_frame *)(void *)bytes;
}

static int frames_in(size_t bytes)
{
    return (int)(bytes / CANFD_MTU);
}

/* A count of frames, or -errno, as bytes. */
static int bytes_of(int frames)
{
    return frames > 0 ? frames * (int)CANFD_MTU : frames;
}

int bus_setup(const struct bus_codec *c, struct setup *s, int64_t now_ns, const uint8_t *rx,
              size_t n, uint8_t *ret_tx, size_t cap)
{
    if (c->serial != NULL) {
        return c->serial->setup(s, now_ns, rx, n, ret_tx, cap);
    }
    const int sent =
        c->can->setup(s, now_ns, frames_of(rx), frames_in(n), frames_to(ret_tx), frames_in(cap));
    s->used *= CANFD_MTU;
    return bytes_of(sent);
}

int bus_ask(const struct bus_codec *c, struct robot_bus *b, uint8_t *ret_tx, size_t cap)
{
    return c->serial != NULL ? c->serial->ask(b, ret_tx, cap)
                             : bytes_of(c->can->ask(b, frames_to(ret_tx), frames_in(cap)));
}

int bus_goals(const struct bus_codec *c, struct robot_bus *b, const struct command *cmd,
              uint8_t *ret_tx, size_t cap)
{
    return c->serial != NULL ? c->serial->goals(b, cmd, ret_tx, cap)
                             : bytes_of(c->can->goals(b, cmd, frames_to(ret_tx), frames_in(cap)));
}

int bus_decode(const struct bus_codec *c, struct robot_bus *b, const uint8_t *rx, size_t n,
               struct sensed *ret_sensed)
{
    if (c->serial != NULL) {
        return c->serial->decode(b, rx, n, ret_sensed);
    }
    if (n < CANFD_MTU) {
        return 0;
    }
    const int rc = c->can->decode(b, frames_of(rx), ret_sensed);
    b->bad_replies += rc == 0;
    b->crc_errors += rc < 0;
    return CANFD_MTU;
}

int bus_stop(const struct bus_codec *c, const struct robot_bus *b, enum stop_how how,
             uint8_t *ret_tx, size_t cap)
{
    return c->serial != NULL ? c->serial->stop(b, how, ret_tx, cap)
                             : bytes_of(c->can->stop(b, how, frames_to(ret_tx), frames_in(cap)));
}

struct cantime bus_cantime(const struct bus_spec *b)
{
    return (struct cantime){.bitrate = b->bitrate, .data_bitrate = b->data_bitrate};
}

int bus_bitrate(const struct bus_codec *c, const struct bus_spec *b)
{
    return c->can != NULL ? b->bitrate : b->baud;
}

bool bus_is_tty(const struct bus_spec *b)
{
    return strchr(b->device, '/') != NULL;
}
