/*
 * The daemon at a glance: a screen that is drawn again in place, or plain lines where there is no
 * terminal, or JSON, one object a line.
 */
#include "daemon/ctl/ctl.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define SPEEDS_KEPT  256
#define LABEL_COLUMN 26 /* of the sparklines: label, and the range behind them */
#define SCREEN_HZ    5.0
#define LINES_HZ     1.0

/* Other page of the terminal, no cursor; and back. xterm control sequences. */
#define ENTER_SCREEN "\033[?1049h\033[?25l"
#define LEAVE_SCREEN "\033[?25h\033[?1049l"
#define HOME         "\033[H"
#define CLEAR_BELOW  "\033[J"
#define END_OF_LINE  "\033[K\n"

struct monitor {
    double speed[SPEEDS_KEPT];
    int n_speeds;
    double begun_s;
    int rows, columns;
};

static void remember(struct monitor *m, double speed)
{
    if (m->n_speeds == SPEEDS_KEPT) {
        memmove(m->speed, m->speed + 1, (SPEEDS_KEPT - 1) * sizeof m->speed[0]);
        m->n_speeds--;
    }
    m->speed[m->n_speeds++] = speed;
}

/* The newest values that fit, as a line of eight heights, and the range that they span. */
static void sparkline(FILE *f, const char *label, const double *v, size_t n, int columns)
{
    static const char *const heights[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    const size_t most = columns > LABEL_COLUMN + 8 ? (size_t)(columns - LABEL_COLUMN) : 8;
    const size_t from = n > most ? n - most : 0;
    double low = (double)INFINITY, high = -(double)INFINITY;
    for (size_t i = from; i < n; i++) {
        low = fmin(low, v[i]);
        high = fmax(high, v[i]);
    }
    (void)fprintf(f, "%-8s", label);
    for (size_t i = from; i < n; i++) {
        const double part = high > low && isfinite(v[i]) ? (v[i] - low) / (high - low) : 0.0;
        (void)fputs(heights[(int)(part * 7.0 + 0.5)], f);
    }
    if (n > from) {
        (void)fprintf(f, "  %.3g .. %.3g", low, high);
    }
    (void)fputs(END_OF_LINE, f);
}

static void draw_loop(FILE *f, const Basald__V1__Status *s)
{
    const Basald__V1__Telemetry *t = s->last;
    (void)fprintf(
        f,
        "loop     %.1f Hz   late by p50 %.0f  p99 %.0f  max %.0f us   tick p99 %.0f us" END_OF_LINE,
        s->loop_rate_hz, s->wake_p50_us, s->wake_p99_us, s->wake_max_us, s->tick_p99_us);
    (void)fprintf(f, "         tick %llu   skipped %llu   coasted %llu   real time %s" END_OF_LINE,
                  (unsigned long long)t->tick, (unsigned long long)t->overruns,
                  (unsigned long long)t->coasted, s->realtime);
    (void)fprintf(
        f, "bus      %llu bytes out, %llu in   crc errors %llu   reconnects %llu" END_OF_LINE,
        (unsigned long long)t->bytes_tx, (unsigned long long)t->bytes_rx,
        (unsigned long long)t->crc_errors, (unsigned long long)t->reconnects);
}

static void draw_joints(FILE *f, const Basald__V1__Telemetry *t)
{
    (void)fprintf(f, END_OF_LINE "%-12s %8s %8s %8s %6s %6s %7s  %s" END_OF_LINE, "joint", "rad",
                  "rad/s", "Nm", "C", "V", "misses", "limited by");
    for (size_t j = 0; j < t->n_joint_name; j++) {
        (void)fprintf(f, "%-12s %8.3f %8.2f %8.2f %6.0f %6.1f %7llu  %s" END_OF_LINE,
                      t->joint_name[j], (double)t->position_rad[j], (double)t->velocity_rad_s[j],
                      (double)t->effort_nm[j], (double)t->temperature_c[j], (double)t->voltage_v[j],
                      (unsigned long long)t->misses[j], t->rule[j]);
    }
}

static void draw_learning(FILE *f, const struct monitor *m, const Basald__V1__Status *s)
{
    const Basald__V1__Telemetry *t = s->last;
    (void)fprintf(
        f,
        END_OF_LINE "step %lld   episode %lld   driven by %s   return so far %.2f   speed %.4f m/s",
        (long long)t->step, (long long)t->episode, t->source, t->episode_return, t->speed_m_s);
    if (s->best_known_speed_m_s > 0.0) {
        (void)fprintf(f, " (best known %.4f)", s->best_known_speed_m_s);
    }
    (void)fprintf(
        f, END_OF_LINE "learner  %s%s   %llu updates, %.0f a second   replay %llu rows" END_OF_LINE,
        s->algo, s->learner_paused ? " (paused)" : "", (unsigned long long)s->updates,
        s->updates_per_s, (unsigned long long)s->replay_rows);
    (void)fprintf(f, "weights  version %u   taken %llu, refused %llu %s" END_OF_LINE,
                  t->weights_version, (unsigned long long)s->weights_accepted,
                  (unsigned long long)s->weights_refused,
                  s->weights_refused > 0 ? s->weights_why : "");
    sparkline(f, "return", s->episode_return, s->n_episode_return, m->columns);
    sparkline(f, "speed", m->speed, (size_t)m->n_speeds, m->columns);
    for (size_t i = 0; i < s->n_stat && i < s->n_stat_name; i++) {
        (void)fprintf(f, "%-26s %.4g" END_OF_LINE, s->stat_name[i], s->stat[i]);
    }
}

/* As many lines of text as the terminal has. */
static void put_rows(const char *text, size_t n, int rows)
{
    size_t end = 0;
    for (int row = 0; row < rows - 1 && end < n; row++) {
        const char *feed = memchr(text + end, '\n', n - end);
        end = feed != NULL ? (size_t)(feed - text) + 1 : n;
    }
    (void)fputs(HOME, stdout);
    (void)fwrite(text, 1, end, stdout);
    (void)fputs(CLEAR_BELOW, stdout);
}

static void draw(struct monitor *m, const Basald__V1__Status *s)
{
    char *text = NULL;
    size_t n = 0;
    struct winsize size;
    const bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0;
    m->rows = known ? size.ws_row : 40;
    m->columns = known ? size.ws_col : 80;
    FILE *f = open_memstream(&text, &n);
    if (f == NULL) {
        return;
    }
    (void)fprintf(f, "basald %s   %s   \033[1m%s\033[0m   %s" END_OF_LINE END_OF_LINE, s->version,
                  s->robot, s->state, s->why);
    draw_loop(f, s);
    draw_joints(f, s->last);
    draw_learning(f, m, s);
    if (fclose(f) == 0) {
        put_rows(text, n, m->rows);
    }
    free(text);
}

static void line(const struct monitor *m, const Basald__V1__Status *s)
{
    const Basald__V1__Telemetry *t = s->last;
    const size_t n = s->n_episode_return;
    const double last = n > 0 ? s->episode_return[n - 1] : (double)NAN;
    (void)printf("%6.1f s  %-8s step %6lld  by %-6s  speed %7.4f m/s  last return %7.2f  updates "
                 "%7llu (%4.0f/s)  late %llu  %s\n",
                 ctl_now_s() - m->begun_s, s->state, (long long)t->step, t->source, t->speed_m_s,
                 last, (unsigned long long)s->updates, s->updates_per_s,
                 (unsigned long long)t->overruns, s->why);
}

/* Fault and estop are latched: nothing more will happen until someone has looked. */
static bool latched(const Basald__V1__Status *s)
{
    return strcmp(s->state, "fault") == 0 || strcmp(s->state, "estop") == 0;
}

/* Sleep for a period; true: a signal says that it is enough. */
static bool rest(double period_s, const sigset_t *signals)
{
    const struct timespec t = {.tv_sec = (time_t)period_s,
                               .tv_nsec = (long)(fmod(period_s, 1.0) * 1e9)};
    return sigtimedwait(signals, NULL, &t) > 0;
}

int ctl_monitor(struct ctl *c)
{
    struct monitor m = {.begun_s = ctl_now_s()};
    const bool screen = isatty(STDOUT_FILENO) != 0 && !c->lines && !c->json;
    const double hz = c->hz > 0.0 ? c->hz : screen ? SCREEN_HZ : LINES_HZ;
    const double period_s = fmin(1.0 / hz, c->seconds > 0.0 ? c->seconds : 1.0 / hz);
    int status = 0;
    sigset_t signals;
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &signals, NULL);
    Basald__V1__Reply *r = ctl_ask_status(c, &status);
    if (r != NULL && screen) {
        (void)fputs(ENTER_SCREEN, stdout);
    }
    const bool entered = r != NULL && screen;
    bool enough = false;
    while (r != NULL && !enough) {
        remember(&m, r->status->last->speed_m_s);
        if (screen) {
            draw(&m, r->status);
        } else if (c->json) {
            json_print(ctl_status_json(r->status), stdout, true);
        } else {
            line(&m, r->status);
        }
        const bool fault = c->until_fault && latched(r->status);
        status = fault ? EXIT_FAILURE : status;
        ctl_free(r);
        r = NULL;
        enough = fflush(stdout) != 0 || fault || rest(period_s, &signals) ||
                 (c->seconds > 0.0 && ctl_now_s() - m.begun_s >= c->seconds);
        if (!enough) {
            r = ctl_ask_status(c, &status);
        }
    }
    if (entered) {
        (void)fputs(LEAVE_SCREEN, stdout);
        (void)fflush(stdout);
    }
    ctl_free(r);
    return status;
}
