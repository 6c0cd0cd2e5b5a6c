#include "daemon/comms.h"

#include "daemon/base/log.h"
#include "daemon/comms_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#define WAIT_MS         5
#define MESSAGES_A_STEP 32
#define RECORDS_A_STEP  256
#define COMMAND_BYTES   ((int64_t)24 << 20)

double comms_unix_s(int64_t t_ns)
{
    struct timespec real, mono;
    (void)clock_gettime(CLOCK_REALTIME, &real);
    (void)clock_gettime(CLOCK_MONOTONIC, &mono);
    const double now = (double)real.tv_sec + (double)real.tv_nsec * 1e-9;
    return now - ((double)mono.tv_sec + (double)mono.tv_nsec * 1e-9) + (double)t_ns * 1e-9;
}

static void *open_socket(struct comms *c, int type, const char *name, bool binds, char *ret_why, int cap)
{
    char endpoint[PATH_CHARS + 32];
    void *s = zmq_socket(c->context, type);
    const int zero = 0, hwm = 1000;
    const int64_t most = COMMAND_BYTES;
    (void)snprintf(endpoint, sizeof endpoint, "ipc://%s/%s", c->dir, name);
    if (s == NULL) {
        (void)why(ret_why, cap, 0, "no socket: %s", zmq_strerror(zmq_errno()));
        return NULL;
    }
    (void)zmq_setsockopt(s, ZMQ_LINGER, &zero, sizeof zero);
    (void)zmq_setsockopt(s, ZMQ_SNDHWM, &hwm, sizeof hwm);
    (void)zmq_setsockopt(s, ZMQ_RCVHWM, &hwm, sizeof hwm);
    (void)zmq_setsockopt(s, ZMQ_MAXMSGSIZE, &most, sizeof most);
    if ((binds ? zmq_bind(s, endpoint) : zmq_connect(s, endpoint)) != 0) {
        (void)why(ret_why, cap, 0, "cannot use %s: %s", endpoint, zmq_strerror(zmq_errno()));
        (void)zmq_close(s);
        return NULL;
    }
    return s;
}

/* Whoever is in the group may command and read; nobody else. */
static void guard(const struct comms *c, const char *name)
{
    char path[PATH_CHARS + 32];
    (void)snprintf(path, sizeof path, "%s/%s", c->dir, name);
    (void)chmod(path, 0660);
    const struct group *g = getgrnam("basald");
    if (g != NULL && chown(path, (uid_t)-1, g->gr_gid) != 0) {
        log_line(LOG_LEVEL_WARN, "%s: cannot give it to group basald: %s", path, strerror(errno));
    }
}

static int open_replay_socket(struct comms *c, char *ret_why, int cap)
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
    if (c->replay_fd < 0 || bind(c->replay_fd, (const struct sockaddr *)&address, sizeof address) != 0 ||
        listen(c->replay_fd, 4) != 0) {
        return why(ret_why, cap, -errno, "cannot use %s: %s", path, strerror(errno));
    }
    guard(c, "replay.sock");
    return 0;
}

static int open_sockets(struct comms *c, char *ret_why, int cap)
{
    const char *tcp = c->spec.config->comms.telemetry;
    c->telemetry = open_socket(c, ZMQ_PUB, "telemetry", true, ret_why, cap);
    c->weights_out = open_socket(c, ZMQ_PUB, "weights", true, ret_why, cap);
    c->events = open_socket(c, ZMQ_PUB, "events", true, ret_why, cap);
    c->command = open_socket(c, ZMQ_ROUTER, "command", true, ret_why, cap);
    c->weights_in = open_socket(c, ZMQ_SUB, "weights", false, ret_why, cap);
    if (c->telemetry == NULL || c->weights_out == NULL || c->events == NULL || c->command == NULL ||
        c->weights_in == NULL) {
        return -EIO;
    }
    (void)zmq_setsockopt(c->weights_in, ZMQ_SUBSCRIBE, "basald/weights", 14);
    guard(c, "command");
    guard(c, "weights");
    guard(c, "events");
    guard(c, "telemetry");
    if (strcmp(tcp, "off") != 0 && zmq_bind(c->telemetry, tcp) != 0) {
        log_line(LOG_LEVEL_WARN, "comms.telemetry: cannot bind %s: %s; plots can use %s/telemetry", tcp,
                 zmq_strerror(zmq_errno()), c->dir);
    }
    return open_replay_socket(c, ret_why, cap);
}

int comms_open(struct comms **ret_comms, const struct comms_spec *spec, struct arena *mem, char *ret_why, int cap)
{
    struct comms *c = arena_take(mem, sizeof *c);
    *c = (struct comms){.spec = *spec, .replay_fd = -1};
    (void)snprintf(c->dir, sizeof c->dir, "%s", spec->runtime_dir);
    if (mkdir(c->dir, 0755) != 0 && errno != EEXIST) {
        return why(ret_why, cap, -errno, "cannot make the runtime folder %s: %s; give another with --runtime-dir", c->dir,
                   strerror(errno));
    }
    const size_t slot = (sizeof(struct offered) + spec->block_bytes + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    mailbox_init(&c->offer, arena_take(mem, 3 * slot), slot);
    c->block_cap = spec->block_bytes;
    c->current = arena_take(mem, spec->block_bytes);
    c->context = zmq_ctx_new();
    c->begun_ns = clock_now_ns(&(const struct clock){0});
    const int rc = c->context != NULL ? open_sockets(c, ret_why, cap) : -ENOMEM;
    if (rc < 0) {
        comms_close(c);
        return rc;
    }
    *ret_comms = c;
    return 0;
}

void comms_close(struct comms *c)
{
    if (c == NULL) {
        return;
    }
    void *sockets[] = {c->telemetry, c->weights_out, c->events, c->command, c->weights_in};
    for (size_t i = 0; i < sizeof sockets / sizeof sockets[0]; i++) {
        if (sockets[i] != NULL) {
            (void)zmq_close(sockets[i]);
        }
    }
    if (c->replay_fd >= 0) {
        (void)close(c->replay_fd);
    }
    if (c->context != NULL) {
        (void)zmq_ctx_term(c->context);
    }
}

void comms_offer(void *to, const uint8_t *block, size_t n)
{
    struct comms *c = to;
    struct offered *slot = mailbox_back(&c->offer);
    basal_assert(n <= c->block_cap);
    slot->n = n;
    memcpy(slot->block, block, n);
    mailbox_put(&c->offer);
}

/* Two frames, neither empty; nobody waits for a slow viewer. */
static void publish(void *socket, const char *topic, const uint8_t *bytes, size_t n)
{
    if (n > 0 && zmq_send(socket, topic, strlen(topic), ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0) {
        (void)zmq_send(socket, bytes, n, ZMQ_DONTWAIT);
    }
}

static void publish_weights(struct comms *c)
{
    const struct offered *o = mailbox_take(&c->offer);
    if (o == NULL) {
        return;
    }
    memcpy(c->current, o->block, o->n);
    c->current_n = o->n;
    publish(c->weights_out, "basald/weights", o->block, o->n);
}

static void publish_records(struct comms *c)
{
    uint8_t bytes[WIRE_TELEMETRY_MAX];
    struct record r;
    const double hz = c->spec.config->comms.telemetry_hz;
    for (int i = 0; i < RECORDS_A_STEP && ring_pop(&c->spec.shared->telemetry, &r); i++) {
        c->last = r;
        c->any = true;
        if (hz > 0.0 && (double)(r.t_ns - c->sent_ns) < 1e9 / hz) {
            continue;
        }
        c->sent_ns = r.t_ns;
        const int n = wire_telemetry(&r, &c->spec.config->robot, comms_unix_s(r.t_ns), bytes, sizeof bytes);
        if (n > 0) {
            publish(c->telemetry, "basald/telemetry", bytes, (size_t)n);
        }
    }
}

static void note(struct comms *c, const struct happened *h)
{
    char sentence[WHY_CHARS + 64];
    wire_sentence(h, &c->spec.config->robot, sentence, (int)sizeof sentence);
    if (h->kind == HAPPENED_EPISODE) {
        memmove(c->returns, c->returns + 1, (RETURNS_KEPT - 1) * sizeof c->returns[0]);
        c->returns[RETURNS_KEPT - 1] = h->x;
        c->n_returns += c->n_returns < RETURNS_KEPT;
        log_limited(&c->episode_limit, 60.0, LOG_LEVEL_INFO, "%s", sentence);
        return;
    }
    if (h->kind == HAPPENED_TRIP) {
        (void)snprintf(c->reason, sizeof c->reason, "%s", sentence);
    } else if (h->kind == HAPPENED_STATE && h->text[0] != '\0') {
        (void)snprintf(c->reason, sizeof c->reason, "%s", h->text);
    }
    if (h->kind == HAPPENED_STATE && (h->b == STATE_READY || h->b == STATE_RUNNING)) {
        c->reason[0] = '\0';
    }
    log_line(h->kind == HAPPENED_TRIP ? LOG_LEVEL_ERR : LOG_LEVEL_NOTE, "%s", sentence);
}

static void publish_events(struct comms *c)
{
    uint8_t bytes[1024];
    struct happened h;
    for (int i = 0; i < MESSAGES_A_STEP && ring_pop(&c->spec.shared->happened, &h); i++) {
        note(c, &h);
        const int n = wire_event(&h, &c->spec.config->robot, comms_unix_s(h.t_ns), bytes, sizeof bytes);
        if (n > 0) {
            publish(c->events, "basald/event", bytes, (size_t)n);
        }
    }
}

/* Weights from whoever publishes them, this daemon's own learner included: the newest that passes the checks. */
static void take_weights(struct comms *c)
{
    for (int i = 0; i < MESSAGES_A_STEP; i++) {
        zmq_msg_t topic, block;
        (void)zmq_msg_init(&topic);
        (void)zmq_msg_init(&block);
        const bool got = zmq_msg_recv(&topic, c->weights_in, ZMQ_DONTWAIT) >= 0;
        const bool two = got && zmq_msg_more(&topic) && zmq_msg_recv(&block, c->weights_in, ZMQ_DONTWAIT) >= 0;
        if (two && !zmq_msg_more(&block)) {
            (void)intake_block(c->spec.intake, zmq_msg_data(&block), zmq_msg_size(&block));
        } else if (got) {
            c->garbage++;
        }
        (void)zmq_msg_close(&topic);
        (void)zmq_msg_close(&block);
        if (!got) {
            return;
        }
    }
}

/* One connection, one descriptor; opened again read-only so that no reader can write. */
static void hand_out_replay(struct comms *c)
{
    const int peer = accept4(c->replay_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (peer < 0) {
        return;
    }
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", replay_fd(c->spec.replay));
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        char byte = 'R';
        union {
            struct cmsghdr header;
            char bytes[CMSG_SPACE(sizeof(int))];
        } control = {0};
        struct iovec v = {.iov_base = &byte, .iov_len = 1};
        struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
        struct cmsghdr *h = CMSG_FIRSTHDR(&m);
        h->cmsg_level = SOL_SOCKET;
        h->cmsg_type = SCM_RIGHTS;
        h->cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(h), &fd, sizeof fd);
        (void)sendmsg(peer, &m, MSG_NOSIGNAL);
        (void)close(fd);
    }
    (void)close(peer);
}

void comms_wait(struct comms *c)
{
    zmq_pollitem_t items[] = {{.socket = c->command, .events = ZMQ_POLLIN},
                              {.socket = c->weights_in, .events = ZMQ_POLLIN},
                              {.fd = c->replay_fd, .events = ZMQ_POLLIN}};
    (void)zmq_poll(items, 3, WAIT_MS);
}

void comms_step(struct comms *c)
{
    atomic_fetch_add_explicit(&c->spec.shared->comms_beats, 1, memory_order_relaxed);
    publish_weights(c);
    take_weights(c);
    publish_records(c);
    publish_events(c);
    for (int i = 0; i < MESSAGES_A_STEP && comms_answer_one(c); i++) {
    }
    comms_send_replies(c);
    hand_out_replay(c);
}

void comms_note_checkpoint(struct comms *c, const char *path)
{
    /* one writer, one reader, a torn text is read at worst once: guarded by the sequence */
    atomic_fetch_add(&c->checkpoint_seq, 1);
    (void)snprintf(c->checkpoint, sizeof c->checkpoint, "%s", path);
    atomic_fetch_add(&c->checkpoint_seq, 1);
}
