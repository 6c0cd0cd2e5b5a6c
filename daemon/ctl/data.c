/* Weights, replay, configuration: what was learned, and what it was learned from. */
#include "daemon/ctl/ctl.h"

#include "policies/replay.h"
#include "policies/weights.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/* The weights as a file, for run --policy. */
static int save(struct ctl *c, const char *path, const uint8_t *bytes, size_t n)
{
    struct weights_view v;
    char reason[WHY_CHARS];
    if (weights_decode(bytes, n, &v, reason, (int)sizeof reason) < 0) {
        ctl_say(c, "%s", reason);
        return EXIT_FAILURE;
    }
    const int status = ctl_write_file(c, path, bytes, n);
    if (status == 0 && c->json) {
        struct json_object *o = json_begin();
        json_text(o, "file", path);
        json_int(o, "version", v.id.version);
        json_int(o, "bytes", (int64_t)n);
        json_print(o, stdout, true);
    } else if (status == 0) {
        (void)printf("%s holds version %u of %s, %zu bytes\n", path, v.id.version, v.id.algo, n);
    }
    return status;
}

static int show(struct ctl *c, const uint8_t *bytes, size_t n)
{
    struct weights_view v;
    char reason[WHY_CHARS], hash[20];
    if (weights_decode(bytes, n, &v, reason, (int)sizeof reason) < 0) {
        ctl_say(c, "%s", reason);
        return EXIT_FAILURE;
    }
    struct json_object *o = json_begin();
    json_text(o, "algo", v.id.algo);
    json_int(o, "version", v.id.version);
    json_int(o, "step", v.id.step);
    (void)snprintf(hash, sizeof hash, "%016llx", (unsigned long long)v.id.run_id);
    json_text(o, "run_id", hash);
    (void)snprintf(hash, sizeof hash, "%016llx", (unsigned long long)v.id.robot_hash);
    json_text(o, "robot_hash", hash);
    json_number(o, "policy_rate_hz", v.id.policy_rate_hz);
    json_int(o, "n_obs", v.id.n_obs);
    json_int(o, "n_act", v.id.n_act);
    json_int(o, "n_weights", v.n);
    json_print(o, stdout, c->json);
    return 0;
}

int ctl_policy(struct ctl *c)
{
    const bool saves = c->n_words == 2 && ctl_word(c, 0, "save");
    if (!saves && !(c->n_words == 1 && ctl_word(c, 0, "show"))) {
        return ctl_usage(c, "policy show | save FILE");
    }
    Basald__V1__Command q = BASALD__V1__COMMAND__INIT;
    q.verb = ctl_text("policy");
    int status = 0;
    Basald__V1__Reply *r = ctl_ask(c, &q, &status);
    if (r != NULL && !r->ok) {
        status = ctl_print_reply(c, r);
    } else if (r != NULL) {
        status = saves ? save(c, c->words[1], r->block.data, r->block.len)
                       : show(c, r->block.data, r->block.len);
    }
    ctl_free(r);
    return status;
}

/* The replay's descriptor, read-only, from the daemon; -1: nobody is there. */
static int fetch_descriptor(const char *runtime_dir)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};

    char byte;
    struct iovec v = {.iov_base = &byte, .iov_len = 1};
    struct msghdr m = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    int fd = -1;
    const struct timeval patience = {.tv_sec = 3};
    const int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if ((size_t)snprintf(address.sun_path, sizeof address.sun_path, "%s/replay.sock", runtime_dir) <
            sizeof address.sun_path &&
        s >= 0 && connect(s, (const struct sockaddr *)&address, sizeof address) == 0 &&
        recvmsg(s, &m, MSG_CMSG_CLOEXEC) == 1) {
        const struct cmsghdr *h = CMSG_FIRSTHDR(&m);
        if (h != NULL && h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS) {
            memcpy(&fd, CMSG_DATA(h), sizeof fd);
        }
    }
    if (s >= 0) {
        (void)close(s);
    }
    return fd;
}

static int print_info(struct ctl *c, const struct replay *r)
{
    char text[20];
    struct replay_info *i = malloc(sizeof *i);
    if (i == NULL) {
        return exit_no_memory("basalctl");
    }
    (void)replay_info(r, i);
    struct json_object *o = json_begin();
    (void)snprintf(text, sizeof text, "%016llx", (unsigned long long)i->run_id);
    json_text(o, "run_id", text);
    json_int(o, "capacity", i->capacity);
    json_int(o, "head", i->head);
    json_int(o, "rows", i->rows);
    json_int(o, "episodes", i->episodes);
    json_int(o, "terminals", i->terminals);
    json_int(o, "truncated", i->truncated);
    json_int(o, "human", i->human);
    json_number(o, "policy_rate_hz", i->policy_rate_hz);
    struct json_object *slots = json_begin();
    for (int k = 0; k < i->n_obs + i->n_act; k++) {
        (void)snprintf(text, sizeof text, "%d", k);
        json_text(slots, text, i->slot[k]);
    }
    json_child(o, "slots", slots);
    json_print(o, stdout, c->json);
    free(i);
    return 0;
}

/* Every row: finite, in range, its episode in order. */
static int print_verify(struct ctl *c, const struct replay *r)
{
    char reason[WHY_CHARS] = "";
    struct replay_info *i = malloc(sizeof *i);
    const int64_t bad = replay_verify(r, reason, (int)sizeof reason);
    const int64_t rows = i != NULL && replay_info(r, i) == 0 ? i->rows : 0;
    free(i);
    if (c->json) {
        struct json_object *o = json_begin();
        json_int(o, "rows", rows);
        json_int(o, "bad_rows", bad);
        json_text(o, "first", reason);
        json_print(o, stdout, true);
    } else if (bad == 0) {
        (void)printf("%lld rows, all good\n", (long long)rows);
    } else {
        ctl_say(c, "%lld rows of the replay are bad; the first: %s", (long long)bad, reason);
    }
    return bad == 0 ? 0 : EXIT_FAILURE;
}

int ctl_replay(struct ctl *c)
{
    const bool verify = c->n_words == 1 && ctl_word(c, 0, "verify");
    char reason[WHY_CHARS] = "";
    struct replay *r = NULL;
    if (!verify && !(c->n_words == 1 && ctl_word(c, 0, "info"))) {
        return ctl_usage(c, "replay info | verify");
    }
    const int status = ctl_probe(c, "replay.sock");
    if (status != 0) {
        return status;
    }
    const int fd = fetch_descriptor(c->runtime_dir);
    if (fd < 0) {
        ctl_say(c, "the basald at %s hands out no replay within 3 s: look at journalctl -u basald",
                c->runtime_dir);
        return EXIT_FAILURE;
    }
    if (replay_attach(&r, fd, reason, (int)sizeof reason) < 0 || r == NULL) {
        ctl_say(c, "%s", reason);
        (void)close(fd);
        return EXIT_FAILURE;
    }
    const int result = verify ? print_verify(c, r) : print_info(c, r);
    replay_close(r);
    return result;
}

/* YAML for people, the same as one JSON string for scripts. */
int ctl_config(struct ctl *c)
{
    Basald__V1__Command q = BASALD__V1__COMMAND__INIT;
    int status = 0;
    if (c->n_words != 1 || !ctl_word(c, 0, "show")) {
        return ctl_usage(c, "config show");
    }
    q.verb = ctl_text("config");
    Basald__V1__Reply *r = ctl_ask(c, &q, &status);
    if (r != NULL && !r->ok) {
        status = ctl_print_reply(c, r);
    } else if (r != NULL && c->json) {
        struct json_object *o = json_begin();
        json_text(o, "yaml", r->text);
        json_print(o, stdout, true);
    } else if (r != NULL) {
        (void)fputs(r->text, stdout);
    }
    ctl_free(r);
    return status;
}
