/*
 * The daemon at a glance: a screen that is drawn again in place, or plain lines where there is no
 * terminal, or JSON, one object a line.
 */
#include "daemon/ctl/ctl.h"
#include "daemon/ctl/view.h"

#include <langinfo.h>
#include <locale.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define SPEEDS_KEPT 256
#define SCREEN_HZ   5.0
#define LINES_HZ    1.0

/* Other page of the terminal, no cursor; and back. xterm control sequences. */
#define ENTER_SCREEN "\033[?1049h\033[?25l"
#define LEAVE_SCREEN "\033[?25h\033[?1049l"
#define HOME         "\033[H"
#define CLEAR_BELOW  "\033[J"
#define END_OF_LINE  "\033[K"

struct monitor {
    bool screen, ascii;
    struct termios cooked; /* how the terminal was; only with keys */
    bool keys;             /* keys are read one by one */
    sigset_t signals;
    double begun_s, sampled_s;
    double speed[SPEEDS_KEPT]; /* one a second */
    int n_speeds;
};

/* --- the terminal --- */

static void enter(struct monitor *m)
{
    m->keys = isatty(STDIN_FILENO) != 0 && tcgetattr(STDIN_FILENO, &m->cooked) == 0;
    if (m->keys) {
        struct termios raw = m->cooked;
        raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        raw.c_cc[VMIN] = raw.c_cc[VTIME] = 0;
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    }
    (void)fputs(ENTER_SCREEN, stdout);
}

static void leave(const struct monitor *m)
{
    (void)fputs(LEAVE_SCREEN, stdout);
    (void)fflush(stdout);
    if (m->keys) {
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &m->cooked);
    }
}

static bool wants_screen(const struct ctl *c)
{
    const char *term = getenv("TERM");
    return isatty(STDOUT_FILENO) != 0 && !c->lines && !c->json && term != NULL &&
           strcmp(term, "dumb") != 0;
}

/* Whoever waits for the screen may say so: Ctrl-C, a window's new size, Ctrl-Z. */
static void hear_signals(struct monitor *m)
{
    static const int all[] = {SIGINT, SIGTERM, SIGHUP}, screen[] = {SIGWINCH, SIGTSTP};
    (void)sigemptyset(&m->signals);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        (void)sigaddset(&m->signals, all[i]);
    }
    for (size_t i = 0; m->screen && i < sizeof screen / sizeof screen[0]; i++) {
        (void)sigaddset(&m->signals, screen[i]);
    }
    (void)sigprocmask(SIG_BLOCK, &m->signals, NULL);
}

static bool quit_key(const struct monitor *m)
{
    char key = '\0';
    return m->keys && read(STDIN_FILENO, &key, 1) == 1 && (key == 'q' || key == 'Q');
}

/* Sleep for a period, or until there is reason to draw at once. True: it is enough. */
static bool rest(struct monitor *m, double period_s)
{
    const struct timespec t = {.tv_sec = (time_t)period_s,
                               .tv_nsec = (long)(fmod(period_s, 1.0) * 1e9)};
    const int sig = sigtimedwait(&m->signals, NULL, &t);
    if (sig == SIGTSTP) {
        leave(m);
        (void)raise(SIGSTOP);
        enter(m);
    }
    return sig == SIGINT || sig == SIGTERM || sig == SIGHUP || quit_key(m);
}

/* --- what is shown --- */

/* One line of at most columns characters; what sets bold takes no room. UTF-8. */
static const char *put_line(const char *p, const char *end, int columns)
{
    int n = 0;
    for (; p < end && *p != '\n'; p++) {
        if (*p == '\033') {
            const char *m = memchr(p, 'm', (size_t)(end - p));
            const size_t length = m != NULL ? (size_t)(m - p) + 1 : 1;
            (void)fwrite(p, 1, length, stdout);
            p += length - 1;
            continue;
        }
        n += ((unsigned char)*p & 0xC0) != 0x80;
        if (n <= columns) {
            (void)fputc(*p, stdout);
        }
    }
    return p < end ? p + 1 : end;
}

/* As many lines of text as the terminal has. */
static void put_rows(const char *text, size_t n, const struct winsize *size)
{
    const char *p = text, *end = text + n;
    (void)fputs(HOME, stdout);
    for (int row = 0; row < size->ws_row && p < end; row++) {
        (void)fputs(row > 0 ? "\n" : "", stdout);
        p = put_line(p, end, size->ws_col);
        (void)fputs(END_OF_LINE, stdout);
    }
    (void)fputs(CLEAR_BELOW, stdout);
}

/* The most telling first: what a small terminal cuts off is at the bottom. */
static void draw(const struct monitor *m, const Basald__V1__Status *s)
{
    char *text = NULL;
    size_t n = 0;
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0) {
        size = (struct winsize){.ws_row = 24, .ws_col = 80};
    }
    FILE *f = open_memstream(&text, &n);
    if (f == NULL) {
        return;
    }
    const bool gaps = size.ws_row >= 26;
    view_head(f, s, true);
    (void)fputs(gaps ? "\n" : "", f);
    view_learning(f, s);
    view_spark(f, "return", s->episode_return, s->n_episode_return, size.ws_col, m->ascii);
    if (s->has_odometer) {
        view_spark(f, "speed", m->speed, (size_t)m->n_speeds, size.ws_col, m->ascii);
    }
    (void)fputs(gaps ? "\n" : "", f);
    view_machine(f, s);
    (void)fputs(gaps ? "\n" : "", f);
    view_joints(f, s);
    (void)fputs(gaps ? "\n" : "", f);
    view_stats(f, s);
    if (fclose(f) == 0) {
        put_rows(text, n, &size);
    }
    free(text);
}

static void line(const struct monitor *m, const Basald__V1__Status *s)
{
    const Basald__V1__Telemetry *t = s->last;
    char last[32] = "-", speed[48] = "";
    if (s->n_episode_return > 0) {
        (void)snprintf(last, sizeof last, "%.2f", s->episode_return[s->n_episode_return - 1]);
    }
    if (s->has_odometer) {
        (void)snprintf(speed, sizeof speed, "  speed %7.4f m/s", t->speed_m_s);
    }
    (void)printf("%6.1f s  %-8s step %5lld%s  return %7s  updates %6llu (%.0f/s)  late %llu%s%s\n",
                 ctl_now_s() - m->begun_s, s->state, (long long)t->step, speed, last,
                 (unsigned long long)s->updates, s->updates_per_s, (unsigned long long)t->overruns,
                 s->why[0] != '\0' ? "  " : "", s->why);
}

static void remember_speed(struct monitor *m, double speed_m_s)
{
    if (m->n_speeds > 0 && ctl_now_s() < m->sampled_s + 1.0) {
        return;
    }
    if (m->n_speeds == SPEEDS_KEPT) {
        memmove(m->speed, m->speed + 1, (SPEEDS_KEPT - 1) * sizeof m->speed[0]);
        m->n_speeds--;
    }
    m->speed[m->n_speeds++] = speed_m_s;
    m->sampled_s = ctl_now_s();
}

static void show(struct ctl *c, struct monitor *m, const Basald__V1__Status *s)
{
    if (m->screen) {
        remember_speed(m, s->last->speed_m_s);
        draw(m, s);
    } else if (c->json) {
        json_print(ctl_status_json(s), stdout, true);
    } else {
        line(m, s);
    }
}

/* Until it is enough; returns the exit status. r: the first answer, freed here. */
static int follow(struct ctl *c, struct monitor *m, Basald__V1__Reply *r)
{
    const double hz = c->hz > 0.0 ? c->hz : m->screen ? SCREEN_HZ : LINES_HZ;
    int status = 0;
    for (bool enough = false; !enough;) {
        show(c, m, r->status);
        const double left_s =
            c->seconds > 0.0 ? m->begun_s + c->seconds - ctl_now_s() : (double)INFINITY;
        const bool fault = c->until_fault && view_latched(r->status);
        if (fault) {
            status = EXIT_FAILURE;
            ctl_say(c, "the robot is in %s: %s", r->status->state, r->status->why);
        }
        enough = fflush(stdout) != 0 || fault || left_s <= 0.0 ||
                 rest(m, fmax(fmin(1.0 / hz, left_s), 0.0));
        if (enough) {
            break;
        }
        Basald__V1__Reply *next = ctl_ask_status(c, &status);
        if (next == NULL) {
            break;
        }
        ctl_free(r);
        r = next;
    }
    if (m->screen) { /* the page is gone: its last state stays as a line */
        leave(m);
        line(m, r->status);
    }
    ctl_free(r);
    return status;
}

int ctl_monitor(struct ctl *c)
{
    struct monitor m = {.screen = wants_screen(c), .begun_s = ctl_now_s()};
    int status = 0;
    m.ascii = setlocale(LC_CTYPE, "") == NULL || strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
    Basald__V1__Reply *r = ctl_ask_status(c, &status);
    if (r == NULL) {
        return status;
    }
    hear_signals(&m);
    c->holds_words = m.screen; /* a sentence on the other page would be gone with it */
    if (m.screen) {
        enter(&m);
    }
    status = follow(c, &m, r);
    ctl_release(c);
    return status;
}
