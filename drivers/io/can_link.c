#include "drivers/io/can_link.h"

#include <errno.h>
#include <linux/can/netlink.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_BYTES 8192
#define ANSWER_S     1
#define TYPE_BITS    0x3FFFu /* of an attribute's type; above them are flags */

const char *can_link_command(const struct can_spec *s, char *ret_text, int cap)
{
    int n = snprintf(ret_text, (size_t)cap, "ip link set %.15s up type can bitrate %d",
                     s->interface, s->rate.bitrate);
    if (s->rate.data_bitrate > 0) {
        n += snprintf(ret_text + n, (size_t)(cap - n), " dbitrate %d fd on", s->rate.data_bitrate);
    }
    (void)snprintf(ret_text + n, (size_t)(cap - n), " restart-ms 0");
    return ret_text;
}

/* --- the kernel's answer --- */

struct span {
    const uint8_t *at;
    size_t n;
};

/* The next attribute of a list; false: its end, or damage. */
static bool next(struct span *rest, unsigned *ret_type, struct span *ret_value)
{
    struct rtattr a;
    if (rest->n < sizeof a) {
        return false;
    }
    memcpy(&a, rest->at, sizeof a);
    if (a.rta_len < sizeof a || a.rta_len > rest->n) {
        return false;
    }
    const size_t whole = RTA_ALIGN((size_t)a.rta_len);
    *ret_type = a.rta_type & TYPE_BITS;
    *ret_value = (struct span){rest->at + sizeof a, a.rta_len - sizeof a};
    *rest = (struct span){rest->at + (whole < rest->n ? whole : rest->n),
                          rest->n - (whole < rest->n ? whole : rest->n)};
    return true;
}

/* The first number of an attribute, or 0. */
static uint32_t number(struct span v)
{
    uint32_t u = 0;
    if (v.n >= sizeof u) {
        memcpy(&u, v.at, sizeof u);
    }
    return u;
}

static void read_can(struct span list, struct can_link *l)
{
    unsigned type;
    struct span v;
    while (next(&list, &type, &v)) {
        switch (type) {
        case IFLA_CAN_BITTIMING: /* struct can_bittiming begins with the rate */
            l->bitrate = number(v);
            break;
        case IFLA_CAN_DATA_BITTIMING:
            l->data_bitrate = number(v);
            break;
        case IFLA_CAN_RESTART_MS:
            l->restart_ms = number(v);
            break;
        case IFLA_CAN_CTRLMODE: {
            struct can_ctrlmode m = {0};
            if (v.n >= sizeof m) {
                memcpy(&m, v.at, sizeof m);
            }
            l->modes = m.flags;
            break;
        }
        default:
            break;
        }
    }
}

static void read_info(struct span list, struct can_link *l)
{
    unsigned type;
    struct span v, data = {.n = 0};
    while (next(&list, &type, &v)) {
        if (type == IFLA_INFO_KIND) {
            const size_t n = v.n < sizeof l->kind - 1 ? v.n : sizeof l->kind - 1;
            memcpy(l->kind, v.at, n);
            l->kind[n] = '\0';
        } else if (type == IFLA_INFO_DATA) {
            data = v;
        }
    }
    if (strcmp(l->kind, "can") == 0) { /* of other kinds it means other things */
        read_can(data, l);
    }
}

int can_link_parse(const void *answer, size_t n, struct can_link *ret_link)
{
    struct nlmsghdr h;
    struct can_link l = {.queue_frames = 0};
    if (n < sizeof h) {
        return -EBADMSG;
    }
    memcpy(&h, answer, sizeof h);
    if (h.nlmsg_len < sizeof h || h.nlmsg_len > n) {
        return -EBADMSG;
    }
    struct span body = {(const uint8_t *)answer + NLMSG_HDRLEN, h.nlmsg_len - NLMSG_HDRLEN};
    if (h.nlmsg_type == NLMSG_ERROR) {
        const int error = (int)number(body);
        return error < 0 && error > -4096 ? error : -EBADMSG;
    }
    const size_t before = NLMSG_ALIGN(sizeof(struct ifinfomsg));
    if (h.nlmsg_type != RTM_NEWLINK || body.n < before) {
        return -EBADMSG;
    }
    body = (struct span){body.at + before, body.n - before};
    unsigned type;
    struct span v;
    while (next(&body, &type, &v)) {
        if (type == IFLA_TXQLEN) {
            l.queue_frames = number(v);
        } else if (type == IFLA_LINKINFO) {
            read_info(v, &l);
        }
    }
    *ret_link = l;
    return 0;
}

/* --- what is wanted of it --- */

/* It has to be down while its rates change. */
static int set_anew(const struct can_spec *s, const char *what, char *ret_why, int cap)
{
    char text[128];
    return why(ret_why, cap, -EINVAL, "%.15s %s: ip link set %.15s down, then %s", s->interface,
               what, s->interface, can_link_command(s, text, (int)sizeof text));
}

int can_link_judge(const struct can_spec *s, const struct can_link *l, char *ret_why, int cap)
{
    char what[128];
    const uint32_t bitrate = (uint32_t)s->rate.bitrate, data = (uint32_t)s->rate.data_bitrate;
    if (l->bitrate != 0 && l->bitrate != bitrate) {
        (void)snprintf(what, sizeof what, "runs at %u bit/s, bus.bitrate is %u", l->bitrate,
                       bitrate);
        return set_anew(s, what, ret_why, cap);
    }
    if (data != 0 && l->data_bitrate != 0 && l->data_bitrate != data) {
        (void)snprintf(what, sizeof what, "sends data at %u bit/s, bus.data_bitrate is %u",
                       l->data_bitrate, data);
        return set_anew(s, what, ret_why, cap);
    }
    if ((l->modes & CAN_CTRLMODE_LISTENONLY) != 0) {
        return set_anew(s, "only listens (listen-only on)", ret_why, cap);
    }
    if (l->restart_ms != 0) {
        (void)snprintf(what, sizeof what,
                       "goes back to the bus %u ms after bus-off, and sends what was queued before",
                       l->restart_ms);
        return set_anew(s, what, ret_why, cap);
    }
    return 0;
}

/* --- asking --- */

static int ask(int fd, const char *interface)
{
    struct {
        struct nlmsghdr h;
        struct ifinfomsg i;
        struct rtattr a;
        char name[IFNAMSIZ];
    } q = {.h = {.nlmsg_len = sizeof q, .nlmsg_type = RTM_GETLINK, .nlmsg_flags = NLM_F_REQUEST},
           .i = {.ifi_family = AF_UNSPEC},
           .a = {.rta_len = sizeof q.a + sizeof q.name, .rta_type = IFLA_IFNAME}};

    const struct timeval patience = {.tv_sec = ANSWER_S};
    (void)snprintf(q.name, sizeof q.name, "%s", interface);
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0 ||
        send(fd, &q, sizeof q, 0) != (ssize_t)sizeof q) {
        return -errno;
    }
    return 0;
}

int can_link_ask(const char *interface, struct can_link *ret_link)
{
    uint8_t answer[ANSWER_BYTES];
    const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0) {
        return -errno;
    }
    int rc = ask(fd, interface);
    if (rc == 0) {
        const ssize_t n = recv(fd, answer, sizeof answer, 0);
        rc = n < 0 ? -errno : can_link_parse(answer, (size_t)n, ret_link);
    }
    (void)close(fd);
    return rc;
}

/* --- whose it is --- */

static struct sockaddr_un lock_name(const char *interface, socklen_t *ret_n)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    /* abstract: it begins with a 0 and goes with its owner, however that ends */
    const int n = snprintf(a.sun_path + 1, sizeof a.sun_path - 1, "basald.can.%.15s", interface);
    *ret_n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
    return a;
}

/* The process that has the lock; 0: it has just left. */
static int owner_of(const struct sockaddr_un *a, socklen_t n)
{
    struct ucred who = {.pid = 0};
    socklen_t bytes = sizeof who;
    const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return 0;
    }
    if (connect(fd, (const struct sockaddr *)a, n) != 0 ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &bytes) != 0) {
        who.pid = 0;
    }
    (void)close(fd);
    return who.pid;
}

int can_link_lock(const char *interface, char *ret_why, int cap)
{
    socklen_t n;
    const struct sockaddr_un a = lock_name(interface, &n);
    const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && bind(fd, (const struct sockaddr *)&a, n) == 0 && listen(fd, 1) == 0) {
        return fd;
    }
    const int error = errno;
    if (fd >= 0) {
        (void)close(fd);
    }
    if (error != EADDRINUSE) {
        return why(ret_why, cap, -error, "cannot lock %.15s: %s", interface, strerror(error));
    }
    char other[32] = "";
    const int pid = owner_of(&a, n);
    if (pid > 0) {
        (void)snprintf(other, sizeof other, ", process %d", pid);
    }
    return why(
        ret_why, cap, -EBUSY,
        "%.15s belongs to another basald%s: both would command its motors; stop that one, or "
        "name another interface in bus.device",
        interface, other);
}
