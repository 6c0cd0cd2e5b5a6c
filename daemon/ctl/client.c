/* The client: one question, one answer over the command socket; and the daemon's events. */
#include "daemon/ctl/ctl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#define ANSWER_MS 3000

char *ctl_text(const char *s)
{
    union {
        const char *in;
        char *out;
    } u = {.in = s};

    return u.out;
}

double ctl_now_s(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

bool ctl_word(const struct ctl *c, int n, const char *text)
{
    return n < c->n_words && strcmp(c->words[n], text) == 0;
}

bool ctl_one_of(const char *words, const char *word)
{
    const size_t n = strlen(word);
    for (const char *at = strstr(words, word); at != NULL; at = strstr(at + 1, word)) {
        if ((at == words || at[-1] == ' ') && (at[n] == ' ' || at[n] == '\0')) {
            return true;
        }
    }
    return false;
}

void ctl_say(struct ctl *c, const char *format, ...)
{
    char sentence[sizeof c->held];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    if (c->holds_words) {
        (void)snprintf(c->held, sizeof c->held, "%s", sentence);
    } else {
        (void)fprintf(stderr, "basalctl: %s\n", sentence);
    }
}

void ctl_release(struct ctl *c)
{
    c->holds_words = false;
    if (c->held[0] != '\0') {
        ctl_say(c, "%s", c->held);
    }
    c->held[0] = '\0';
}

int ctl_usage(struct ctl *c, const char *forms)
{
    ctl_say(c, "it is: %s", forms);
    return EXIT_USAGE;
}

/* A ZeroMQ socket would wait for ever and not say why. */
int ctl_probe(struct ctl *c, const char *name)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    const int n = snprintf(a.sun_path, sizeof a.sun_path, "%s/%s", c->runtime_dir, name);
    const int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int error = s < 0 ? errno : 0;
    if (n >= (int)sizeof a.sun_path) {
        error = ENAMETOOLONG;
    } else if (error == 0 && connect(s, (const struct sockaddr *)&a, sizeof a) != 0) {
        error = errno;
    }
    if (s >= 0) {
        (void)close(s);
    }
    switch (error) {
    case 0:
        return 0;
    case EACCES:
    case EPERM:
        ctl_say(c, "you may not talk to the basald at %s: join the group basald", c->runtime_dir);
        return EXIT_PERMISSION;
    case ENOENT:
    case ENOTDIR:
    case ECONNREFUSED:
        ctl_say(
            c,
            "basald is not running at %s: start it with systemctl start basald, or give another "
            "--runtime-dir",
            c->runtime_dir);
        return EXIT_NOT_RUNNING;
    default:
        ctl_say(c, "cannot reach %s/%s: %s", c->runtime_dir, name, strerror(error));
        return EXIT_FAILURE;
    }
}

static void *open_socket(struct ctl *c, int type, const char *name)
{
    char endpoint[320];
    const int zero = 0, wait = ANSWER_MS;
    c->context = c->context != NULL ? c->context : zmq_ctx_new();
    void *s = c->context != NULL ? zmq_socket(c->context, type) : NULL;
    if (s == NULL) {
        return NULL;
    }
    (void)snprintf(endpoint, sizeof endpoint, "ipc://%s/%s", c->runtime_dir, name);
    (void)zmq_setsockopt(s, ZMQ_LINGER, &zero, sizeof zero);
    (void)zmq_setsockopt(s, ZMQ_RCVTIMEO, &wait, sizeof wait);
    (void)zmq_setsockopt(s, ZMQ_SNDTIMEO, &wait, sizeof wait);
    if (type == ZMQ_SUB) {
        (void)zmq_setsockopt(s, ZMQ_SUBSCRIBE, "basald/", 7);
    }
    if (zmq_connect(s, endpoint) != 0) {
        (void)zmq_close(s);
        return NULL;
    }
    return s;
}

void ctl_close(struct ctl *c)
{
    if (c->socket != NULL) {
        (void)zmq_close(c->socket);
    }
    if (c->context != NULL) {
        (void)zmq_ctx_term(c->context);
    }
    c->socket = c->context = NULL;
}

/* Answers to earlier questions, whose patience had ended, are passed over. */
static Basald__V1__Reply *receive(struct ctl *c, uint64_t id)
{
    Basald__V1__Reply *r = NULL;
    zmq_msg_t m;
    (void)zmq_msg_init(&m);
    while (r == NULL && zmq_msg_recv(&m, c->socket, 0) >= 0) {
        r = basald__v1__reply__unpack(NULL, zmq_msg_size(&m), zmq_msg_data(&m));
        if (r != NULL && r->id != id) {
            ctl_free(r);
            r = NULL;
        }
    }
    (void)zmq_msg_close(&m);
    return r;
}

Basald__V1__Reply *ctl_ask(struct ctl *c, Basald__V1__Command *q, int *ret_status)
{
    static const uint64_t first_id = 1;
    Basald__V1__Reply *r = NULL;
    *ret_status = ctl_probe(c, "command");
    if (*ret_status != 0) {
        return NULL;
    }
    c->socket = c->socket != NULL ? c->socket : open_socket(c, ZMQ_DEALER, "command");
    q->id = first_id + (uint64_t)(ctl_now_s() * 1e6);
    q->sent_monotonic_ns = (int64_t)(ctl_now_s() * 1e9);
    const size_t n = basald__v1__command__get_packed_size(q);
    uint8_t *bytes = malloc(n);
    if (bytes != NULL && c->socket != NULL) {
        (void)basald__v1__command__pack(q, bytes);
        r = zmq_send(c->socket, bytes, n, 0) >= 0 ? receive(c, q->id) : NULL;
    }
    free(bytes);
    if (r == NULL) {
        *ret_status = ctl_probe(c, "command"); /* it may have ended meanwhile */
    }
    if (r == NULL && *ret_status == 0) {
        *ret_status = EXIT_FAILURE;
        ctl_say(c, "the basald at %s does not answer within %d s: look at journalctl -u basald",
                c->runtime_dir, ANSWER_MS / 1000);
    }
    return r;
}

Basald__V1__Reply *ctl_ask_status(struct ctl *c, int *ret_status)
{
    Basald__V1__Command q = BASALD__V1__COMMAND__INIT;
    q.verb = ctl_text("status");
    Basald__V1__Reply *r = ctl_ask(c, &q, ret_status);
    const Basald__V1__Telemetry *t = r != NULL && r->status != NULL ? r->status->last : NULL;
    if (r == NULL) {
        return NULL;
    }
    if (t == NULL || t->n_position_rad < t->n_joint_name || t->n_velocity_rad_s < t->n_joint_name ||
        t->n_effort_nm < t->n_joint_name || t->n_temperature_c < t->n_joint_name ||
        t->n_voltage_v < t->n_joint_name || t->n_torque < t->n_joint_name ||
        t->n_faults < t->n_joint_name || t->n_misses < t->n_joint_name ||
        t->n_rule < t->n_joint_name) {
        ctl_say(c, "basald answers something else: is it of this version? see basalctl version");
        *ret_status = EXIT_FAILURE;
        ctl_free(r);
        return NULL;
    }
    return r;
}

void ctl_free(Basald__V1__Reply *r)
{
    if (r != NULL) {
        basald__v1__reply__free_unpacked(r, NULL);
    }
}

int ctl_print_state(struct ctl *c, bool good, const char *state, const char *why)
{
    if (c->json) {
        struct json_object *o = json_begin();
        json_bool(o, "ok", good);
        json_text(o, "state", state);
        json_text(o, "why", why);
        json_print(o, stdout, true);
    } else if (!good) {
        ctl_say(c, "%s: the robot is %s: %s", c->verb, state, why);
    } else {
        (void)printf("%s: %s\n", state, why);
    }
    return good ? 0 : EXIT_FAILURE;
}

int ctl_print_reply(struct ctl *c, const Basald__V1__Reply *r)
{
    if (c->json) {
        return ctl_print_state(c, r->ok != 0, r->state, r->why);
    }
    if (r->ok) {
        (void)printf("%s\n", r->why[0] != '\0' ? r->why : r->state);
        return 0;
    }
    ctl_say(c, "%s is refused: %s (the robot is %s)", c->verb, r->why, r->state);
    return EXIT_FAILURE;
}

int ctl_ask_and_print(struct ctl *c, Basald__V1__Command *q)
{
    int status = 0;
    Basald__V1__Reply *r = ctl_ask(c, q, &status);
    if (r != NULL) {
        status = ctl_print_reply(c, r);
    }
    ctl_free(r);
    return status;
}

int ctl_simple(struct ctl *c, const char *verb)
{
    Basald__V1__Command q = BASALD__V1__COMMAND__INIT;
    q.verb = ctl_text(verb);
    return ctl_ask_and_print(c, &q);
}

void *ctl_listen(struct ctl *c, const char *name)
{
    void *s = open_socket(c, ZMQ_SUB, name);
    if (s == NULL) {
        ctl_say(c, "cannot listen to %s/%s: %s", c->runtime_dir, name, zmq_strerror(zmq_errno()));
    }
    return s;
}

void ctl_unlisten(void *socket)
{
    (void)zmq_close(socket);
}

/* A message's second frame into m, which the caller closes. */
static bool hear(void *socket, int timeout_ms, zmq_msg_t *m)
{
    zmq_pollitem_t item = {.socket = socket, .events = ZMQ_POLLIN};
    (void)zmq_msg_init(m);
    return zmq_poll(&item, 1, timeout_ms) > 0 && zmq_msg_recv(m, socket, 0) >= 0 &&
           zmq_msg_more(m) && zmq_msg_recv(m, socket, 0) >= 0;
}

Basald__V1__Event *ctl_next_event(void *events, int timeout_ms)
{
    zmq_msg_t m;
    Basald__V1__Event *e = hear(events, timeout_ms, &m)
                               ? basald__v1__event__unpack(NULL, zmq_msg_size(&m), zmq_msg_data(&m))
                               : NULL;
    (void)zmq_msg_close(&m);
    return e;
}

Basald__V1__Telemetry *ctl_next_telemetry(void *telemetry, int timeout_ms)
{
    zmq_msg_t m;
    Basald__V1__Telemetry *t =
        hear(telemetry, timeout_ms, &m)
            ? basald__v1__telemetry__unpack(NULL, zmq_msg_size(&m), zmq_msg_data(&m))
            : NULL;
    (void)zmq_msg_close(&m);
    return t;
}
