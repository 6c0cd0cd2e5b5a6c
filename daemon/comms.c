/* Sockets: opened in one order, closed in the other, served in a bounded step. */
#include "daemon/comms.h"

#include "daemon/base/log.h"
#include "daemon/comms_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#define WAIT_MS      5
#define HANDSHAKE_MS 2000
#define IPC          "ipc://"
/* A person's file may hold another network: room for a few, so that its refusal has a sentence. */
#define FOREIGN_BYTES ((size_t)1 << 20)

/* What a socket may hold: messages waiting per peer, bytes of the largest that may come in. */
struct bounds {
    int messages;
    int64_t bytes;
};

static double seconds(const struct timespec *t)
{
    return (double)t->tv_sec + (double)t->tv_nsec * 1e-9;
}

/* The pair whose two readings lie closest together: being put aside between them would show. */
static void pair_clocks(struct comms *c)
{
    if (c->now_ns < c->unix_pair.next_ns) {
        return;
    }
    double best_s = 1.0;
    for (int i = 0; i < 3; i++) {
        struct timespec before, real, after;
        (void)clock_gettime(CLOCK_MONOTONIC, &before);
        (void)clock_gettime(CLOCK_REALTIME, &real);
        (void)clock_gettime(CLOCK_MONOTONIC, &after);
        const double apart_s = seconds(&after) - seconds(&before);
        if (apart_s < best_s) {
            best_s = apart_s;
            c->unix_pair.offset_s = seconds(&real) - 0.5 * (seconds(&before) + seconds(&after));
        }
    }
    c->unix_pair.next_ns = c->now_ns + NS_PER_S;
}

double comms_unix_s(const struct comms *c, int64_t t_ns)
{
    return c->unix_pair.offset_s + (double)t_ns * 1e-9;
}

void comms_drop_rest(void *socket)
{
    int more = 0;
    size_t size = sizeof more;
    zmq_msg_t frame;
    (void)zmq_msg_init(&frame);
    while (zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &size) == 0 && more != 0 &&
           zmq_msg_recv(&frame, socket, ZMQ_DONTWAIT) >= 0) {
    }
    (void)zmq_msg_close(&frame);
}

static void *open_socket(struct comms *c, int type, const struct bounds *b, char *ret_why, int cap)
{
    void *s = zmq_socket(c->context, type);
    const int zero = 0, handshake_ms = HANDSHAKE_MS;
    if (s == NULL) {
        (void)why(ret_why, cap, 0, "no socket: %s", zmq_strerror(zmq_errno()));
        return NULL;
    }
    (void)zmq_setsockopt(s, ZMQ_LINGER, &zero, sizeof zero);
    (void)zmq_setsockopt(s, ZMQ_HANDSHAKE_IVL, &handshake_ms, sizeof handshake_ms);
    (void)zmq_setsockopt(s, ZMQ_SNDHWM, &b->messages, sizeof b->messages);
    (void)zmq_setsockopt(s, ZMQ_RCVHWM, &b->messages, sizeof b->messages);
    (void)zmq_setsockopt(s, ZMQ_MAXMSGSIZE, &b->bytes, sizeof b->bytes);
    return s;
}

void comms_guard(const struct comms *c, const char *name)
{
    char path[PATH_CHARS + 32];
    (void)snprintf(path, sizeof path, "%s/%s", c->dir, name);
    (void)chmod(path, 0660);
    const struct group *g = getgrnam("basald");
    if (g != NULL && g->gr_gid != getegid() && chown(path, (uid_t)-1, g->gr_gid) != 0) {
        log_line(LOG_LEVEL_WARN, "%s: cannot give it to group basald: %s", path, strerror(errno));
    }
}

/* Returns 0, or -errno. A socket that is NULL has said why already. */
static int bind_ipc(struct comms *c, void *socket, const char *name, char *ret_why, int cap)
{
    char endpoint[PATH_CHARS + 32];
    (void)snprintf(endpoint, sizeof endpoint, IPC "%s/%s", c->dir, name);
    if (socket == NULL) {
        return -EIO;
    }
    if (zmq_bind(socket, endpoint) != 0) {
        return why(ret_why, cap, -EIO, "cannot use %s: %s", endpoint, zmq_strerror(zmq_errno()));
    }
    comms_guard(c, name);
    return 0;
}

/* For plots, from this or another machine. Neither secret nor asked who it is. */
static void bind_plots(struct comms *c)
{
    const char *tcp = c->spec.config->comms.telemetry;
    if (strcmp(tcp, "off") == 0) {
        return;
    }
    if (zmq_bind(c->telemetry, tcp) != 0) {
        log_line(LOG_LEVEL_WARN, "comms.telemetry: cannot bind %s: %s; plots can use %s/telemetry",
                 tcp, zmq_strerror(zmq_errno()), c->dir);
    } else if (strncmp(tcp, "tcp://127.", 10) != 0 && strncmp(tcp, "tcp://localhost:", 16) != 0) {
        log_line(LOG_LEVEL_WARN, "comms.telemetry: whoever reaches %s can read it", tcp);
    }
}

/* Weights come from here: this daemon's own learner, or what comms.weights names. */
static int connect_weights(struct comms *c, char *ret_why, int cap)
{
    char endpoint[PATH_CHARS + 32];
    const char *from = c->spec.config->comms.weights;
    const bool own = strcmp(from, "own") == 0;
    static const char topic[] = "basald/weights";
    (void)snprintf(endpoint, sizeof endpoint, own ? IPC "%s/weights" : "%s", own ? c->dir : from);
    if (zmq_setsockopt(c->weights_in, ZMQ_SUBSCRIBE, topic, sizeof topic - 1) != 0 ||
        zmq_connect(c->weights_in, endpoint) != 0) {
        return why(ret_why, cap, -EIO, "comms.weights: cannot connect to %s: %s", endpoint,
                   zmq_strerror(zmq_errno()));
    }
    intake_follow(c->spec.intake, own ? c->spec.run_id : 0);
    return 0;
}

static int open_sockets(struct comms *c, char *ret_why, int cap)
{
    const struct bounds plots = {1000, 1024}, events = {1000, 1024};
    const struct bounds weights = {4, (int64_t)c->message_bytes};
    const struct bounds commands = {64, (int64_t)c->command_bytes};
    c->telemetry = open_socket(c, ZMQ_PUB, &plots, ret_why, cap);
    c->events = open_socket(c, ZMQ_PUB, &events, ret_why, cap);
    c->weights_out = open_socket(c, ZMQ_PUB, &weights, ret_why, cap);
    c->weights_in = open_socket(c, ZMQ_SUB, &weights, ret_why, cap);
    c->command = open_socket(c, ZMQ_ROUTER, &commands, ret_why, cap);
    int rc = bind_ipc(c, c->telemetry, "telemetry", ret_why, cap);
    rc = rc == 0 ? bind_ipc(c, c->events, "events", ret_why, cap) : rc;
    rc = rc == 0 ? bind_ipc(c, c->weights_out, "weights", ret_why, cap) : rc;
    rc = rc == 0 ? bind_ipc(c, c->command, "command", ret_why, cap) : rc;
    rc = rc == 0 && c->weights_in == NULL ? -EIO : rc;
    rc = rc == 0 ? connect_weights(c, ret_why, cap) : rc;
    rc = rc == 0 ? comms_replay_open(c, ret_why, cap) : rc;
    if (rc == 0) {
        bind_plots(c);
    }
    return rc;
}

/* One daemon a folder: binding would silently take the sockets of another. */
static int lock_folder(struct comms *c, char *ret_why, int cap)
{
    char path[PATH_CHARS + 32];
    if (mkdir(c->dir, 0755) != 0 && errno != EEXIST) {
        return why(ret_why, cap, -errno,
                   "cannot make the runtime folder %s: %s; give another with --runtime-dir", c->dir,
                   strerror(errno));
    }
    (void)snprintf(path, sizeof path, "%s/lock", c->dir);
    c->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (c->lock_fd < 0) {
        return why(ret_why, cap, -errno, "cannot use the runtime folder %s: %s", c->dir,
                   strerror(errno));
    }
    if (flock(c->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        return why(ret_why, cap, -EBUSY,
                   "another basald uses %s; stop it, or give another --runtime-dir", c->dir);
    }
    return 0;
}

static size_t slot_bytes(size_t n)
{
    return (n + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
}

static void take_memory(struct comms *c, struct arena *mem)
{
    const size_t n = c->spec.block_bytes, slot = slot_bytes(sizeof(struct offered) + n);
    mailbox_init(&c->offer, arena_take(mem, 3 * slot), slot);
    mailbox_init(&c->checkpoint, arena_take(mem, 3 * slot_bytes(PATH_CHARS)),
                 slot_bytes(PATH_CHARS));
    const size_t rollout = slot_bytes(sizeof(struct rollout));
    mailbox_init(&c->ended, arena_take(mem, 3 * rollout), rollout);
    c->own.block = arena_take(mem, n);
    c->driving.block = arena_take(mem, n);
    c->source.block = arena_take(mem, n);
    c->message_bytes = n + WIRE_AROUND;
    c->message = arena_take(mem, c->message_bytes);
    c->command_bytes = c->message_bytes + FOREIGN_BYTES;
}

int comms_open(struct comms **ret_comms, const struct comms_spec *spec, struct arena *mem,
               char *ret_why, int cap)
{
    struct comms *c = arena_take(mem, sizeof *c);
    *c = (struct comms){.spec = *spec, .replay_fd = -1, .lock_fd = -1, .last_checkpoint = ""};
    (void)snprintf(c->dir, sizeof c->dir, "%s", spec->runtime_dir);
    take_memory(c, mem);
    c->begun_ns = c->now_ns = clock_now_ns(&(const struct clock){0});
    pair_clocks(c);
    int rc = lock_folder(c, ret_why, cap);
    if (rc == 0) {
        const mode_t mask = umask(0117); /* from the first moment on, not only after comms_guard */
        c->context = zmq_ctx_new();
        rc = c->context != NULL ? open_sockets(c, ret_why, cap)
                                : why(ret_why, cap, -ENOMEM, "no sockets: %s; end other programs",
                                      zmq_strerror(zmq_errno()));
        (void)umask(mask);
    }
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
    if (c->context != NULL) {
        (void)zmq_ctx_term(c->context);
    }
    if (c->replay_fd >= 0) {
        (void)close(c->replay_fd);
    }
    if (c->lock_fd >= 0) {
        (void)close(c->lock_fd);
    }
}

void comms_offer(void *to, const uint8_t *block, size_t n)
{
    struct comms *c = to;
    struct offered *slot = mailbox_back(&c->offer);
    basal_assert(n <= c->spec.block_bytes);
    slot->n = n;
    memcpy(slot->block, block, n);
    mailbox_put(&c->offer);
}

void comms_note_checkpoint(struct comms *c, const char *path)
{
    (void)snprintf(mailbox_back(&c->checkpoint), PATH_CHARS, "%s", path);
    mailbox_put(&c->checkpoint);
}

const struct rollout *comms_rollout(struct comms *c)
{
    return mailbox_take(&c->ended);
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
    c->now_ns = clock_now_ns(&(const struct clock){0});
    pair_clocks(c);
    const char *checkpoint = mailbox_take(&c->checkpoint);
    c->last_checkpoint = checkpoint != NULL ? checkpoint : c->last_checkpoint;
    comms_publish_weights(c);
    comms_take_weights(c);
    comms_publish_records(c);
    comms_publish_events(c);
    for (int i = 0; i < MESSAGES_A_STEP && comms_answer_one(c); i++) {
    }
    comms_send_replies(c);
    comms_replay_step(c);
}
