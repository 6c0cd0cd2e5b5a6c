/*
 * refuse SYSCALL COMMAND ...: run a command on a system that refuses one system call with EPERM, as
 * a hardened kernel or a container does. Exit status 77: seccomp itself is refused here.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct {
    const char *name;
    unsigned nr;
} calls[] = {
    {"io_uring_setup", SYS_io_uring_setup},
    {"sched_setscheduler", SYS_sched_setscheduler},
    {"mlockall", SYS_mlockall},
};

static int refuse(unsigned nr)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof code / sizeof code[0], .filter = code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
                   prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0
               ? 0
               : -errno;
}

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 2 && i < sizeof calls / sizeof calls[0]; i++) {
        if (strcmp(argv[1], calls[i].name) != 0) {
            continue;
        }
        if (refuse(calls[i].nr) < 0) {
            perror("refuse: seccomp");
            return 77;
        }
        (void)execvp(argv[2], argv + 2);
        perror(argv[2]);
        return 126;
    }
    (void)fprintf(stderr, "usage: refuse SYSCALL COMMAND ...\n");
    return 2;
}
