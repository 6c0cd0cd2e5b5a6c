/* The daemon at a glance: a screen that redraws in place, or plain lines where there is no terminal. */
#include "daemon/ctl/ctl.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SPEEDS 48

struct screen {
    double speed[SPEEDS];
    int n_speeds;
    double begun_s;
};

static double now_s(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* The newest `most` values as a line of eight heights. */
static void sparkline(const double *v, size_t n, size_t most)
{
    static const char *const heights[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    const size_t from = n > most ? n - most : 0;
    double low = 0.0, high = 0.0;
    for (size_t i = from; i < n; i++) {
        low = i == from || v[i] < low ? v[i] : low;
        high = i == from || v[i] > high ? v[i] : high;
    }
    for (size_t i = from; i < n; i++) {
        const double part = high > low ? (v[i] - low) / (high - low) : 0.0;
        (void)fputs(heights[(int)(part * 7.0 + 0.5)], stdout);
    }
    if (n > from) {
        (void)printf("  %.3g .. %.3g", low, high);
    }
    (void)printf("\033[K\n");
}

static void draw(struct screen *k, const Basald__V1__Status *s)
{
    const Basald__V1__Telemetry *t = s->last;
    (void)printf("\033[Hbasald %s   %s   \033[1m%s\033[0m   %s\033[K\n", s->version, s->robot, s->state, s->why);
    (void)printf("tick %llu   wake p50 %.0f us  p99 %.0f us  max %.0f us   late %llu   coasted %llu   real time %s\033[K\n",
                 (unsigned long long)t->tick, s->wake_p50_us, s->wake_p99_us, s->wake_max_us,
                 (unsigned long long)t->overruns, (unsigned long long)t->coasted, s->realtime);
    (void)printf("bus  %llu bytes out, %llu in   crc errors %llu   reconnects %llu\033[K\n\033[K\n",
                 (unsigned long long)t->bytes_tx, (unsigned long long)t->bytes_rx, (unsigned long long)t->crc_errors,
                 (unsigned long long)t->reconnects);
    (void)printf("%-12s %8s %8s %8s %6s %6s %7s %-12s\033[K\n", "joint", "rad", "rad/s", "Nm", "C", "V", "misses", "rule");
    for (size_t j = 0; j < t->n_joint_name; j++) {
        (void)printf("%-12s %8.3f %8.2f %8.2f %6.0f %6.1f %7llu %-12s\033[K\n", t->joint_name[j],
                     (double)t->position_rad[j], (double)t->velocity_rad_s[j], (double)t->effort_nm[j],
                     (double)t->temperature_c[j], (double)t->voltage_v[j], (unsigned long long)t->misses[j], t->rule[j]);
    }
    (void)printf("\033[K\nstep %lld   episode %lld   driven by %s   return so far %.2f   speed %.4f m/s\033[K\n",
                 (long long)t->step, (long long)t->episode, t->source, t->episode_return, t->speed_m_s);
    (void)printf("learner %s%s   %llu updates, %.0f a second   weights %u   replay %llu rows\033[K\n", s->algo,
                 s->learner_paused ? " (paused)" : "", (unsigned long long)s->updates, s->updates_per_s,
                 t->weights_version, (unsigned long long)s->replay_rows);
    (void)printf("return  ");
    sparkline(s->episode_return, s->n_episode_return, SPEEDS);
    (void)printf("speed   ");
    sparkline(k->speed, (size_t)k->n_speeds, SPEEDS);
    for (size_t i = 0; i < s->n_stat && i < s->n_stat_name; i++) {
        (void)printf("%-26s %.4g\033[K\n", s->stat_name[i], s->stat[i]);
    }
    (void)printf("\033[J");
}

static void line(const struct screen *k, const Basald__V1__Status *s)
{
    const Basald__V1__Telemetry *t = s->last;
    const double last = s->n_episode_return > 0 ? s->episode_return[s->n_episode_return - 1] : (double)NAN;
    (void)printf("%6.1f s  %-8s step %6lld  by %-6s  speed %7.4f m/s  last return %7.2f  updates %7llu (%4.0f/s)  late %llu  %s\n",
                 now_s() - k->begun_s, s->state, (long long)t->step, t->source, t->speed_m_s, last,
                 (unsigned long long)s->updates, s->updates_per_s, (unsigned long long)t->overruns, s->why);
}

static void remember(struct screen *k, double speed)
{
    if (k->n_speeds == SPEEDS) {
        memmove(k->speed, k->speed + 1, (SPEEDS - 1) * sizeof k->speed[0]);
        k->n_speeds--;
    }
    k->speed[k->n_speeds++] = speed;
}

static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
    (void)sig;
    interrupted = 1;
}

int ctl_monitor(struct ctl *c)
{
    struct screen k = {.begun_s = now_s()};
    const bool screen = isatty(STDOUT_FILENO) != 0 && !c->lines && !c->json;
    const double hz = c->hz > 0.0 ? c->hz : screen ? 5.0 : 1.0;
    int status = 0;
    (void)signal(SIGINT, on_signal);
    if (screen) {
        (void)printf("\033[2J");
    }
    while (!interrupted && (c->seconds <= 0.0 || now_s() - k.begun_s < c->seconds)) {
        Basald__V1__Command q = BASALD__V1__COMMAND__INIT;
        q.verb = ctl_text("status");
        Basald__V1__Reply *r = ctl_ask(c, &q);
        if (r == NULL || r->status == NULL || r->status->last == NULL) {
            ctl_free(r);
            status = EXIT_NOT_RUNNING;
            break;
        }
        remember(&k, r->status->last->speed_m_s);
        if (screen) {
            draw(&k, r->status);
        } else {
            line(&k, r->status);
        }
        (void)fflush(stdout);
        ctl_free(r);
        (void)usleep((useconds_t)(1e6 / hz));
    }
    return status;
}
