/*
 * replay.sock: one connection, one descriptor, by SCM_RIGHTS.
 *
 * The segment is opened again O_RDONLY through /proc/self/fd, and its mode is 0600: whoever
 * receives it can neither map it writable nor open it once more for writing, unless he is the
 * daemon's own user. A write seal would bind the daemon of the next life too, which takes over the
 * kept segment as its writer.
 */
#include "daemon/comms_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PEERS_A_STEP 8

int comms_replay_open(struct comms *c, char *ret_why, int cap)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char path[PATH_CHARS + 32];
    (void)snprintf(path, sizeof path, "%s/replay.sock", c->dir);
    if (strlen(path) >= sizeof address.sun_path) {
        return why(ret_why, cap, -ENAMETOOLONG, "%s: the path is too long for a socket", path);
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    (void)unlink(path);
    c->replay_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (c->replay_fd < 0 ||
        bind(c->replay_fd, (const struct sockaddr *)&address, sizeof address) != 0 ||
        listen(c->replay_fd, PEERS_A_STEP) != 0) {
        return why(ret_why, cap, -errno, "cannot use %s: %s", path, strerror(errno));
    }
    comms_guard(c, "replay.sock");
    return 0;
}

static void send_descriptor(int peer, int fd)
{
    char byte = 'R';

    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec v = {.iov_base = &byte, .iov_len = 1};
    struct msghdr m = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    struct cmsghdr *h = CMSG_FIRSTHDR(&m);
    h->cmsg_level = SOL_SOCKET;
    h->cmsg_type = SCM_RIGHTS;
    h->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(h), &fd, sizeof fd);
    (void)sendmsg(peer, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void comms_replay_step(struct comms *c)
{
    for (int i = 0; i < PEERS_A_STEP; i++) {
        const int peer = accept4(c->replay_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (peer < 0) {
            return;
        }
        char path[64];
        (void)snprintf(path, sizeof path, "/proc/self/fd/%d", replay_fd(c->spec.replay));
        const int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd >= 0) {
            send_descriptor(peer, fd);
            (void)close(fd);
        }
        (void)close(peer);
    }
}
