#include "daemon/args.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool args_whole(const char *text, int64_t *ret_v)
{
    char *end = NULL;
    errno = 0;
    const long long v = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || v < 0) {
        return false;
    }
    *ret_v = v;
    return true;
}

bool args_number(const char *text, double *ret_v)
{
    char *end = NULL;
    const double v = strtod(text, &end);
    if (end == text || *end != '\0' || !isfinite(v)) {
        return false;
    }
    *ret_v = v;
    return true;
}

static void help(const struct program *p)
{
    (void)printf("usage: %s %s\n\n%s\n\n", p->name, p->usage, p->about);
    for (const struct flag *f = p->flags; f->name != NULL; f++) {
        char left[48];
        (void)snprintf(left, sizeof left, "--%s %s", f->name,
                       f->argument != NULL ? f->argument : "");
        (void)printf("  %-26s %s\n", left, f->help);
    }
    (void)printf("  %-26s %s\n  %-26s %s\n", "--version", "print the version", "--help",
                 "print this");
}

/* "name" of "--name" or "--name=value". */
static const struct flag *find(const struct program *p, const char *word, const char **ret_value)
{
    const char *equals = strchr(word, '=');
    const size_t n = equals != NULL ? (size_t)(equals - word) : strlen(word);
    *ret_value = equals != NULL ? equals + 1 : NULL;
    for (const struct flag *f = p->flags; f->name != NULL; f++) {
        if (strlen(f->name) == n && strncmp(f->name, word, n) == 0) {
            return f;
        }
    }
    return NULL;
}

static int mistake(const struct program *p, const char *word, const char *what)
{
    (void)fprintf(stderr, "%s: %s: %s; see %s --help\n", p->name, word, what, p->name);
    return -1 - EXIT_USAGE;
}

/* Where the caller closed one of the three standard streams, the next file would get its number:
 * what is said on standard error would go onto a servo bus or into a checkpoint. */
static void hold_standard_streams(void)
{
    int fd = 0;
    while (fd >= 0 && fd <= STDERR_FILENO) {
        fd = open("/dev/null", O_RDWR);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
}

int args_read(const struct program *p, int argc, char **argv, void *self)
{
    int i = 1;
    hold_standard_streams();
    for (; i < argc && strncmp(argv[i], "--", 2) == 0 && argv[i][2] != '\0'; i++) {
        const char *word = argv[i], *value;
        if (strcmp(word, "--help") == 0) {
            help(p);
            return -1;
        }
        if (strcmp(word, "--version") == 0) {
            (void)printf("%s %s\n", p->name, BASALD_VERSION);
            return -1;
        }
        const struct flag *f = find(p, word + 2, &value);
        if (f == NULL) {
            return mistake(p, word, "no such flag");
        }
        if (f->argument != NULL && value == NULL && ++i < argc) {
            value = argv[i];
        }
        if ((f->argument != NULL) != (value != NULL)) {
            return mistake(p, word,
                           f->argument != NULL ? "its value is missing" : "it takes no value");
        }
        if (!p->take(self, f->name, value)) {
            return mistake(p, word, "the value does not fit");
        }
    }
    return i;
}

int args_end(const char *program, int status)
{
    errno = 0;
    if (fflush(stdout) == 0 && ferror(stdout) == 0) {
        return status;
    }
    (void)fprintf(stderr,
                  "%s: cannot write to standard output: %s; what was printed is cut short\n",
                  program, errno != 0 ? strerror(errno) : "an error before its end");
    return status == 0 ? EXIT_FAILURE : status;
}

int exit_status(int rc)
{
    switch (rc) {
    case 0:
        return 0;
    case -EINVAL: /* the robot file */
    case -ENOENT: /* ... or what it names, is not there */
    case -EISDIR:
    case -EPROTO:  /* a checkpoint of another robot or algorithm */
    case -EBADMSG: /* ... or a damaged one */
        return EXIT_CONFIG;
    case -EPERM:  /* real time */
    case -EMFILE: /* open files */
    case -ENOMEM:
        return EXIT_OS;
    case -EACCES:
    case -EROFS:
        return EXIT_PERMISSION;
    default:
        return EXIT_FAILURE;
    }
}

int exit_no_memory(const char *program)
{
    (void)fprintf(stderr, "%s: out of memory: end other programs, or raise its limit (ulimit -v)\n",
                  program);
    return EXIT_OS;
}
