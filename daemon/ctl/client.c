/* One question, one answer, over the command socket. */
#include "daemon/ctl/ctl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

static bool open_socket(struct ctl *c)
{
    char endpoint[320];
    const int zero = 0, wait = ANSWER_MS;
    if (c->socket != NULL) {
        return true;
    }
    (void)snprintf(endpoint, sizeof endpoint, "ipc://%s/command", c->runtime_dir);
    c->context = zmq_ctx_new();
    c->socket = c->context != NULL ? zmq_socket(c->context, ZMQ_DEALER) : NULL;
    if (c->socket == NULL) {
        return false;
    }
    (void)zmq_setsockopt(c->socket, ZMQ_LINGER, &zero, sizeof zero);
    (void)zmq_setsockopt(c->socket, ZMQ_RCVTIMEO, &wait, sizeof wait);
    (void)zmq_setsockopt(c->socket, ZMQ_SNDTIMEO, &wait, sizeof wait);
    return zmq_connect(c->socket, endpoint) == 0;
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

Basald__V1__Reply *ctl_ask(struct ctl *c, Basald__V1__Command *q)
{
    Basald__V1__Reply *r = NULL;
    q->id = 1;
    const size_t n = basald__v1__command__get_packed_size(q);
    uint8_t *bytes = malloc(n);
    zmq_msg_t m;
    (void)zmq_msg_init(&m);
    if (bytes != NULL && open_socket(c)) {
        (void)basald__v1__command__pack(q, bytes);
        if (zmq_send(c->socket, bytes, n, 0) >= 0 && zmq_msg_recv(&m, c->socket, 0) >= 0) {
            r = basald__v1__reply__unpack(NULL, zmq_msg_size(&m), zmq_msg_data(&m));
        }
    }
    (void)zmq_msg_close(&m);
    free(bytes);
    if (r == NULL) {
        (void)fprintf(stderr, "basalctl: basald does not answer at %s; start it, or give another --runtime-dir\n",
                      c->runtime_dir);
    }
    return r;
}

void ctl_free(Basald__V1__Reply *r)
{
    if (r != NULL) {
        basald__v1__reply__free_unpacked(r, NULL);
    }
}

static int print_reply(struct ctl *c, const Basald__V1__Reply *r)
{
    if (c->json) {
        struct json_object *o = json_begin();
        json_bool(o, "ok", r->ok != 0);
        json_text(o, "state", r->state);
        json_text(o, "why", r->why);
        json_print(o, stdout, true);
    } else if (r->ok) {
        (void)printf("%s\n", r->why[0] != '\0' ? r->why : r->state);
    } else {
        (void)fprintf(stderr, "basalctl: refused: %s (the robot is %s)\n", r->why, r->state);
    }
    return r->ok ? 0 : EXIT_FAILURE;
}

static int ask_and_print(struct ctl *c, Basald__V1__Command *q)
{
    Basald__V1__Reply *r = ctl_ask(c, q);
    const int status = r != NULL ? print_reply(c, r) : EXIT_NOT_RUNNING;
    ctl_free(r);
    return status;
}

int ctl_simple(struct ctl *c, const char *verb)
{
    Basald__V1__Command q = BASALD__V1__COMMAND__INIT;
    q.verb = ctl_text(verb);
    return ask_and_print(c, &q);
}

static bool read_block(const char *path, uint8_t **ret_bytes, size_t *ret_n)
{
    enum { MOST = 24 << 20 };
    FILE *f = fopen(path, "rbe");
    uint8_t *bytes = malloc(MOST);
    const size_t n = f != NULL && bytes != NULL ? fread(bytes, 1, MOST, f) : 0;
    if (f != NULL) {
        (void)fclose(f);
    }
    if (n == 0 || n == MOST) {
        free(bytes);
        (void)fprintf(stderr, "basalctl: cannot read weights from %s; save some with: basalctl policy save FILE\n", path);
        return false;
    }
    *ret_bytes = bytes;
    *ret_n = n;
    return true;
}

int ctl_run(struct ctl *c)
{
    Basald__V1__Command q = BASALD__V1__COMMAND__INIT;
    q.verb = ctl_text("run");
    q.no_explore = c->no_explore;
    q.no_learn = c->no_learn;
    q.random = c->random;
    if (c->policy != NULL && !read_block(c->policy, &q.block.data, &q.block.len)) {
        return EXIT_FAILURE;
    }
    const int status = ask_and_print(c, &q);
    free(q.block.data);
    return status;
}

int ctl_eval(struct ctl *c)
{
    Basald__V1__Command q = BASALD__V1__COMMAND__INIT;
    q.verb = ctl_text("eval");
    q.seconds = c->seconds;
    return ask_and_print(c, &q);
}

int ctl_episode(struct ctl *c)
{
    Basald__V1__Command q = BASALD__V1__COMMAND__INIT;
    if (c->n_words != 1 || strcmp(c->words[0], "end") != 0) {
        (void)fprintf(stderr, "basalctl: episode end [--reward X] [--success]\n");
        return EXIT_USAGE;
    }
    q.verb = ctl_text("episode-end");
    q.reward = c->reward;
    q.success = c->success;
    return ask_and_print(c, &q);
}

int ctl_learner(struct ctl *c)
{
    const bool pause = c->n_words == 1 && strcmp(c->words[0], "pause") == 0;
    if (!pause && !(c->n_words == 1 && strcmp(c->words[0], "resume") == 0)) {
        (void)fprintf(stderr, "basalctl: learner pause | resume\n");
        return EXIT_USAGE;
    }
    return ctl_simple(c, pause ? "learner-pause" : "learner-resume");
}

int ctl_config(struct ctl *c)
{
    Basald__V1__Command q = BASALD__V1__COMMAND__INIT;
    q.verb = ctl_text("config");
    Basald__V1__Reply *r = ctl_ask(c, &q);
    if (r == NULL) {
        return EXIT_NOT_RUNNING;
    }
    (void)fputs(r->text, stdout);
    ctl_free(r);
    return 0;
}
