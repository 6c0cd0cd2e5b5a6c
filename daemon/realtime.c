#include "daemon/realtime.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

int realtime_cpu(const struct control_settings *c)
{
    cpu_set_t set;
    int last = 0;
    if (sched_getaffinity(0, sizeof set, &set) != 0) {
        return c->cpu >= 0 ? c->cpu : 0;
    }
    for (int i = 0; i < CPU_SETSIZE; i++) {
        last = CPU_ISSET((size_t)i, &set) ? i : last;
    }
    return c->cpu >= 0 && c->cpu < CPU_SETSIZE && CPU_ISSET((size_t)c->cpu, &set) ? c->cpu : last;
}

static void missing(char *ret_list, size_t cap, const char *what)
{
    const size_t used = strlen(ret_list);
    (void)snprintf(ret_list + used, cap - used, "%s%s", used > 0 ? ", " : "", what);
}

/*
 * May this process use SCHED_FIFO at all? Tried on this thread and taken back, without
 * RESET_ON_FORK: only CAP_SYS_NICE could clear that again, and LimitRTPRIO alone is enough for the
 * rest.
 */
static bool fifo_allowed(int priority)
{
    const struct sched_param want = {.sched_priority = priority}, none = {0};
    return sched_setscheduler(0, SCHED_FIFO, &want) == 0 &&
           sched_setscheduler(0, SCHED_OTHER, &none) == 0;
}

/* The program, libc and libm: what the loop runs in. mlock pages a segment in as it may be used. */
static int lock_program(struct dl_phdr_info *info, size_t size, void *arg)
{
    const char *name = strrchr(info->dlpi_name, '/');
    const bool ours =
        info->dlpi_name[0] == '\0' ||
        (name != NULL && (strncmp(name, "/libc.", 6) == 0 || strncmp(name, "/libm.", 6) == 0 ||
                          strncmp(name, "/ld-linux", 9) == 0));
    (void)size;
    (void)arg;
    for (int i = 0; ours && i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        if (p->p_type == PT_LOAD) {
            /* the loader tells addresses as numbers; a part that may not be read is not used */
            const void *segment = (const void *)(info->dlpi_addr + p->p_vaddr); /* NOLINT */
            (void)mlock(segment, p->p_memsz);
        }
    }
    return 0;
}

static bool cpu_clock_source(void)
{
    char name[32] = "";
    FILE *f = fopen("/sys/devices/system/clocksource/clocksource0/current_clocksource", "re");
    if (f == NULL) {
        return true; /* nothing says otherwise */
    }
    const bool read = fgets(name, (int)sizeof name, f) != NULL;
    (void)fclose(f);
    return !read || strncmp(name, "tsc", 3) == 0 || strncmp(name, "arch_sys", 8) == 0 ||
           strncmp(name, "kvm", 3) == 0;
}

int realtime_enter(struct realtime_state *ret_state, const struct control_settings *c,
                   char *ret_verdict, int cap)
{
    char lacks[160] = "";
    *ret_state = (struct realtime_state){.dma_latency_fd = -1};
    if (c->realtime == REALTIME_OFF) {
        (void)snprintf(ret_verdict, (size_t)cap, "off: the loop runs like any other program");
        return 0;
    }
    (void)prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
    if (!fifo_allowed(c->priority)) {
        missing(lacks, sizeof lacks, "SCHED_FIFO (CAP_SYS_NICE or LimitRTPRIO)");
    }
    if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) != 0) {
        missing(lacks, sizeof lacks, "locked memory (CAP_IPC_LOCK or LimitMEMLOCK)");
    } else {
        (void)dl_iterate_phdr(lock_program, NULL);
    }
    const int32_t zero = 0;
    ret_state->dma_latency_fd = open("/dev/cpu_dma_latency", O_WRONLY | O_CLOEXEC);
    if (ret_state->dma_latency_fd < 0 ||
        write(ret_state->dma_latency_fd, &zero, sizeof zero) != sizeof zero) {
        missing(lacks, sizeof lacks, "/dev/cpu_dma_latency");
    }
    if (c->cpu >= 0 && realtime_cpu(c) != c->cpu) {
        missing(lacks, sizeof lacks, "the processor that control.cpu names");
    }
    if (!cpu_clock_source()) {
        missing(lacks, sizeof lacks, "the processor's counter as clock source");
    }
    if (lacks[0] == '\0') {
        (void)snprintf(ret_verdict, (size_t)cap, "yes: SCHED_FIFO %d on CPU %d, memory locked",
                       c->priority, realtime_cpu(c));
        return 0;
    }
    (void)snprintf(ret_verdict, (size_t)cap, "%s: missing %s",
                   c->realtime == REALTIME_ENFORCE ? "refused" : "in part", lacks);
    if (c->realtime == REALTIME_ENFORCE) {
        realtime_leave(ret_state);
        return -EPERM;
    }
    return 0;
}

void realtime_leave(struct realtime_state *s)
{
    if (s->dma_latency_fd >= 0) {
        (void)close(s->dma_latency_fd);
        s->dma_latency_fd = -1;
    }
}
