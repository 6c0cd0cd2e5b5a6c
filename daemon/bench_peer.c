#include "daemon/bench_peer.h"

#include "daemon/base/rt.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int start(struct peer *p, const char *path, const char *const *args, const int to[2],
                 const int from[2])
{
    char *argv[PEER_ARGS_MAX + 2] = {(char *)path};
    posix_spawn_file_actions_t actions;
    for (int i = 0; args[i] != NULL; i++) {
        basal_assert(i < PEER_ARGS_MAX);
        argv[i + 1] = (char *)args[i];
    }
    int rc = posix_spawn_file_actions_init(&actions);
    if (rc != 0) {
        return -rc;
    }
    /* ours are closed on exec; the copies are not */
    rc = posix_spawn_file_actions_adddup2(&actions, to[0], STDIN_FILENO);
    rc = rc != 0 ? rc : posix_spawn_file_actions_adddup2(&actions, from[1], STDOUT_FILENO);
    rc = rc != 0 ? rc : posix_spawn(&p->pid, path, &actions, NULL, argv, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    return -rc;
}

/* The next line that begins with word; what stands before it is none of our business. */
static bool next_line(struct peer *p, const char *word, char *ret_rest, size_t cap)
{
    char line[256];
    const size_t n = strlen(word);
    while (fgets(line, (int)sizeof line, p->from) != NULL) {
        if (strncmp(line, word, n) == 0 && line[n] == ' ') {
            (void)snprintf(ret_rest, cap, "%.*s", (int)strcspn(line + n + 1, "\n"), line + n + 1);
            return true;
        }
    }
    return false;
}

static int gone(const char *path, char *ret_why, int cap)
{
    return why(ret_why, cap, -EIO, "%s ended: see above, or run it by itself", path);
}

int peer_open(struct peer *ret_peer, const char *path, const char *const *args, char *ret_why,
              int cap)
{
    struct peer *p = ret_peer;
    int to[2] = {-1, -1}, from[2] = {-1, -1};
    *p = (struct peer){0};
    if (pipe2(to, O_CLOEXEC) < 0 || pipe2(from, O_CLOEXEC) < 0) {
        const int rc = -errno;
        if (to[0] >= 0) {
            (void)close(to[0]);
            (void)close(to[1]);
        }
        return why(ret_why, cap, rc, "no pipe: %s", strerror(-rc));
    }
    (void)signal(SIGPIPE, SIG_IGN); /* one that has ended shows in what it does not answer */
    const int rc = start(p, path, args, to, from);
    (void)close(to[0]);
    (void)close(from[1]);
    p->to = fdopen(to[1], "w");
    p->from = fdopen(from[0], "r");
    if (rc < 0 || p->to == NULL || p->from == NULL) {
        p->pid = rc < 0 ? 0 : p->pid;
        peer_close(p);
        return why(ret_why, cap, rc < 0 ? rc : -ENOMEM, "cannot start %s: %s", path,
                   strerror(rc < 0 ? -rc : ENOMEM));
    }
    return next_line(p, "ready", p->name, sizeof p->name) ? 0 : gone(path, ret_why, cap);
}

int peer_run(struct peer *p, double seconds, double *ret_updates, double *ret_seconds,
             char *ret_why, int cap)
{
    char answer[128];
    (void)fprintf(p->to, "run %g\n", seconds);
    (void)fflush(p->to);
    if (!next_line(p, "done", answer, sizeof answer)) {
        return gone(p->name, ret_why, cap);
    }
    char *end = answer;
    const double updates = strtod(answer, &end), took_s = strtod(end, &end);
    if (!(updates > 0.0) || !(took_s > 0.0) || *end != '\0') {
        return why(ret_why, cap, -EPROTO, "%s answers 'done %s', not 'done UPDATES SECONDS'",
                   p->name, answer);
    }
    *ret_updates += updates;
    *ret_seconds += took_s;
    return 0;
}

void peer_close(struct peer *p)
{
    if (p == NULL) {
        return;
    }
    if (p->to != NULL) {
        (void)fclose(p->to);
    }
    if (p->from != NULL) {
        (void)fclose(p->from);
    }
    if (p->pid > 0) {
        (void)waitpid(p->pid, NULL, 0);
    }
    *p = (struct peer){0};
}
