#include "drivers/io/can_link.h"

#include "daemon/base/clock.h"

#include <errno.h>
#include <linux/can/error.h>
#include <linux/can/raw.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SKB_BYTES   512 /* of SO_SNDBUF for a frame; the kernel doubles it, and takes 768 or 1024 */
#define QUEUE_LEAST 10  /* frames: the kernel's own default for the transmit queue */

/* Lost arbitration is no error: it is how the bus decides. */
#define ERRORS                                                                                     \
    (CAN_ERR_TX_TIMEOUT | CAN_ERR_CRTL | CAN_ERR_PROT | CAN_ERR_TRX | CAN_ERR_ACK |                \
     CAN_ERR_BUSOFF | CAN_ERR_BUSERROR | CAN_ERR_RESTARTED)

static int no_socket(char *ret_why, int cap)
{
    const int error = errno;
    if (error == EAFNOSUPPORT || error == EPROTONOSUPPORT) {
        return why(ret_why, cap, -EAFNOSUPPORT,
                   "this kernel has no CAN sockets: load its module can_raw, or name an slcan "
                   "adapter's device file in bus.device");
    }
    return why(ret_why, cap, -error, "no CAN socket: %s", strerror(error));
}

/* Is the interface there, up, on the bus, and can it do what is wanted? Its index, or -errno. */
static int look(int fd, const struct can_spec *s, char *ret_why, int cap)
{
    char text[128];
    struct ifreq r = {0};
    (void)snprintf(r.ifr_name, sizeof r.ifr_name, "%s", s->interface);
    if (ioctl(fd, SIOCGIFINDEX, &r) != 0) {
        return why(ret_why, cap, -ENODEV,
                   "there is no interface %.32s: is the adapter plugged in? ip link shows them all",
                   s->interface);
    }
    const int index = r.ifr_ifindex;
    if (ioctl(fd, SIOCGIFFLAGS, &r) != 0 || (r.ifr_flags & IFF_UP) == 0) {
        return why(ret_why, cap, -ENETDOWN, "%.15s is down: %s", s->interface,
                   can_link_command(s, text, (int)sizeof text));
    }
    if ((r.ifr_flags & IFF_RUNNING) == 0) {
        return why(ret_why, cap, -ENETDOWN,
                   "%.15s has left the bus after too many errors (bus-off): check cable, "
                   "termination and bit rate, then ip link set %.15s type can restart",
                   s->interface, s->interface);
    }
    if (s->rate.data_bitrate > 0 &&
        (ioctl(fd, SIOCGIFMTU, &r) != 0 || r.ifr_mtu < (int)CANFD_MTU)) {
        return why(ret_why, cap, -EPROTONOSUPPORT,
                   "%.15s is set up for classic CAN, bus.data_bitrate wants CAN FD: %s",
                   s->interface, can_link_command(s, text, (int)sizeof text));
    }
    struct can_link l;
    const int rc = can_link_ask(s->interface, &l) == 0 ? can_link_judge(s, &l, ret_why, cap) : 0;
    return rc < 0 ? rc : index;
}

/* What waits in a long queue is sent after an outage, when it is long untrue. */
static void look_at_queue(int fd, const struct can_spec *s, char *ret_note, int cap)
{
    struct ifreq r = {0};
    const int most = s->queue_frames > QUEUE_LEAST ? s->queue_frames : QUEUE_LEAST;
    (void)snprintf(r.ifr_name, sizeof r.ifr_name, "%s", s->interface);
    if (ioctl(fd, SIOCGIFTXQLEN, &r) == 0 && r.ifr_qlen > most) {
        (void)why(ret_note, cap, 0,
                  "%.15s queues up to %d frames, of which the motors would get what is long untrue "
                  "after an outage; two ticks are enough: ip link set %.15s txqueuelen %d",
                  s->interface, r.ifr_qlen, s->interface, most);
    }
}

static int set_options(int fd, const struct can_spec *s)
{
    const can_err_mask_t errors = ERRORS;
    const int on = 1, bytes = s->queue_frames * SKB_BYTES;
    int rc = setsockopt(fd, SOL_CAN_RAW, CAN_RAW_ERR_FILTER, &errors, sizeof errors);
    if (rc == 0 && s->n_filters > 0) {
        rc = setsockopt(fd, SOL_CAN_RAW, CAN_RAW_FILTER, s->filter,
                        (socklen_t)((size_t)s->n_filters * sizeof *s->filter));
    }
    if (rc == 0 && s->rate.data_bitrate > 0) {
        rc = setsockopt(fd, SOL_CAN_RAW, CAN_RAW_FD_FRAMES, &on, sizeof on);
    }
    if (rc == 0) {
        rc = setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    }
    if (rc == 0) {
        rc = setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
    }
    return rc == 0 ? 0 : -errno;
}

int can_open(const struct can_spec *s, char *ret_note, char *ret_why, int cap)
{
    const int fd = socket(PF_CAN, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, CAN_RAW);
    if (fd < 0) {
        return no_socket(ret_why, cap);
    }
    ret_note[0] = '\0';
    const int index = look(fd, s, ret_why, cap);
    int rc = index;
    if (index >= 0) {
        const struct sockaddr_can a = {.can_family = AF_CAN, .can_ifindex = index};
        rc = set_options(fd, s);
        if (rc == 0 && bind(fd, (const struct sockaddr *)&a, sizeof a) != 0) {
            rc = -errno;
        }
        if (rc < 0) {
            (void)why(ret_why, cap, rc, "cannot use %.15s: %s", s->interface, strerror(-rc));
        }
    }
    if (rc < 0) {
        (void)close(fd);
        return rc;
    }
    look_at_queue(fd, s, ret_note, cap);
    return fd;
}

/* What a failed call means: later, down, or gone. */
static int later_or_gone(void)
{
    return errno == ENOBUFS || errno == EAGAIN || errno == EINTR ? 0
           : errno == ENETDOWN                                   ? -ENETDOWN
                                                                 : -EIO;
}

int can_write(int fd, const void *frames, size_t n)
{
    size_t at = 0;
    while (at + CANFD_MTU <= n) {
        struct canfd_frame f;
        memcpy(&f, (const char *)frames + at, sizeof f);
        const bool fd_frame = (f.flags & CANFD_FDF) != 0;
        if (!fd_frame) {
            f.flags = f.__res0 = f.__res1 = 0; /* where a classic frame has other things */
        }
        const size_t size = fd_frame ? CANFD_MTU : CAN_MTU;
        if (send(fd, &f, size, MSG_NOSIGNAL) != (ssize_t)size) {
            const int rc = later_or_gone();
            return rc < 0 ? rc : (int)at;
        }
        at += CANFD_MTU;
    }
    return (int)at;
}

static int64_t time_ns(const struct timespec *t)
{
    return (int64_t)t->tv_sec * NS_PER_S + t->tv_nsec;
}

/* The kernel's stamp, of CLOCK_REALTIME; 0: none. */
static int64_t stamp_ns(struct msghdr *m)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
            struct timespec t;
            memcpy(&t, CMSG_DATA(c), sizeof t);
            return time_ns(&t);
        }
    }
    return 0;
}

/* 1 and a frame, 0: none, -errno. */
static int read_frame(int fd, struct canfd_frame *ret_frame, int64_t *ret_stamp_ns)
{
    union {
        char bytes[CMSG_SPACE(sizeof(struct timespec)) + 64];
        struct cmsghdr align;
    } control;

    struct iovec v = {.iov_base = ret_frame, .iov_len = sizeof *ret_frame};
    struct msghdr m = {.msg_iov = &v,
                       .msg_iovlen = 1,
                       .msg_control = control.bytes,
                       .msg_controllen = sizeof control.bytes};
    const ssize_t n = recvmsg(fd, &m, MSG_DONTWAIT);
    if (n < 0) {
        return later_or_gone();
    }
    if (n != CAN_MTU && n != CANFD_MTU) {
        return -EIO; /* the other side has closed it */
    }
    if (n == CAN_MTU) {
        memset((char *)ret_frame + CAN_MTU, 0, sizeof *ret_frame - CAN_MTU);
        ret_frame->flags = ret_frame->__res0 = ret_frame->__res1 = 0;
        ret_frame->len = ret_frame->len < CAN_MAX_DLEN ? ret_frame->len : CAN_MAX_DLEN;
    } else {
        ret_frame->flags |= CANFD_FDF; /* older kernels leave it out */
        ret_frame->len = ret_frame->len < CANFD_MAX_DLEN ? ret_frame->len : CANFD_MAX_DLEN;
    }
    *ret_stamp_ns = stamp_ns(&m);
    return 1;
}

int can_read(int fd, void *ret_frames, size_t cap, int64_t *ret_age_ns)
{
    int64_t first_ns = 0;
    size_t at = 0;
    *ret_age_ns = 0;
    while (at + CANFD_MTU <= cap) {
        struct canfd_frame f = {0};
        int64_t came_ns = 0;
        const int rc = read_frame(fd, &f, &came_ns);
        if (rc < 0) {
            return rc; /* said once only */
        }
        if (rc == 0) {
            break;
        }
        first_ns = at == 0 ? came_ns : first_ns;
        memcpy((char *)ret_frames + at, &f, sizeof f);
        at += CANFD_MTU;
    }
    if (first_ns > 0) {
        struct timespec now;
        (void)clock_gettime(CLOCK_REALTIME, &now);
        const int64_t age_ns = time_ns(&now) - first_ns;
        *ret_age_ns = age_ns > 0 ? age_ns : 0;
    }
    return (int)at;
}

int can_wait(int fd, int64_t deadline_ns)
{
    const struct clock monotonic = {0};
    struct pollfd p = {.fd = fd, .events = POLLIN};
    for (;;) {
        const int64_t left_ns = deadline_ns - clock_now_ns(&monotonic);
        const struct timespec t = {.tv_sec = left_ns > 0 ? left_ns / NS_PER_S : 0,
                                   .tv_nsec = left_ns > 0 ? left_ns % NS_PER_S : 0};
        const int n = ppoll(&p, 1, &t, NULL);
        if (n > 0 || left_ns <= 0) {
            return n > 0;
        }
    }
}
