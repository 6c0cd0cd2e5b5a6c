/* Zeros, signs and ranges by a person's hands, the robot limp: calibrate and find-limits. */
#include "daemon/ctl/limp.h"

#include "drivers/driver.h"
#include "drivers/position.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOVED_RAD  0.1  /* so far at least, for a direction */
#define TRAVEL_RAD 0.05 /* less is a joint that nobody moved */
#define MARGIN_RAD 0.03 /* kept inside the ends that were felt */
#define DRAW_TICKS 10

/* Of the words after the verb, or all; measured joints have no range, but a zero. */
static bool wanted(const struct ctl *c, const struct joint_spec *j)
{
    bool named = c->n_words == 0;
    for (int i = 0; i < c->n_words; i++) {
        named = named || strcmp(c->words[i], j->name) == 0;
    }
    return named && j->bus >= 0 && j->actuated;
}

/* Every word is a driven joint of the robot. */
static bool words_fit(struct ctl *c, const struct robot *r)
{
    for (int i = 0; i < c->n_words; i++) {
        bool found = false;
        for (int j = 0; j < r->n_joints; j++) {
            found =
                found || (strcmp(c->words[i], r->joint[j].name) == 0 && wanted(c, &r->joint[j]));
        }
        if (!found) {
            ctl_say(c, "%s has no driven joint %s", c->config, c->words[i]);
            return false;
        }
    }
    return true;
}

/* --- calibrate --- */

/* Which way is up: the last that the hand did before Enter. False: lost. */
static bool ask_direction(struct ctl *c, struct limp *l, int j, double from, double *ret_way)
{
    struct stretch s = {from, from};
    double q[JOINTS_MAX];
    enum limp_event e = LIMP_POSE;
    (void)fprintf(stderr,
                  "Move joint %s in its positive direction, from wherever it can, by %.1f rad or "
                  "more, then press Enter.\n",
                  limp_robot(l)->joint[j].name, MOVED_RAD);
    while (e == LIMP_POSE) {
        e = limp_next(c, l, q);
        stretch_follow(&s, q[j]);
    }
    *ret_way = s.tip - s.from;
    return e == LIMP_ENTER;
}

/* A position servo knows one turn: with its new zero its range must lie within. */
static bool fits(struct ctl *c, const struct robot *r, int j, const struct calibration_joint *row)
{
    struct joint_spec s = r->joint[j];
    s.sign = row->sign;
    s.zero_rad = row->zero_rad;
    const double low = position_range(&s, false), high = position_range(&s, true);
    if (serial_driver_find(r->bus[s.bus].driver) == NULL ||
        (low >= 0.0 && high < POSITION_PER_TURN)) {
        return true;
    }
    ctl_say(c,
            "joint %s: with this zero its range %.3f to %.3f rad is %.0f to %.0f counts of the "
            "servo, one turn has 0 to %d: put its horn on otherwise, or correct its range first",
            s.name, s.q_min, s.q_max, low, high, POSITION_PER_TURN - 1);
    return false;
}

/* 0, or an exit status, said. */
static int calibrate_joint(struct ctl *c, struct limp *l, int j)
{
    struct joint_spec *s = &limp_robot(l)->joint[j];
    struct calibration_joint *row = limp_row(l, j);
    double at[JOINTS_MAX], way;
    char question[NAME_CHARS + 64];
    (void)snprintf(question, sizeof question,
                   "Hold joint %s where it is to read 0, then press Enter.", s->name);
    if (row == NULL || !limp_ask(c, l, question, at) || !ask_direction(c, l, j, at[j], &way)) {
        return EXIT_FAILURE;
    }
    if (fabs(way) < MOVED_RAD) {
        ctl_say(c, "joint %s moved %.3f rad, at least %.1f tell its direction: try again", s->name,
                fabs(way), MOVED_RAD);
        return EXIT_FAILURE;
    }
    row->zero_rad = calibration_zero_rad(s, at[j]);
    row->sign = way < 0.0 ? -s->sign : s->sign;
    row->q_min = row->q_max = (double)NAN; /* they were measured from the old zero */
    if (!fits(c, limp_robot(l), j, row)) {
        return EXIT_FAILURE;
    }
    (void)fprintf(stderr, "%s: zero_rad %.4f, sign %d\n", s->name, row->zero_rad, row->sign);
    return 0;
}

static int calibrate(struct ctl *c, struct limp *l)
{
    const struct robot *r = limp_robot(l);
    int status = words_fit(c, r) ? 0 : EXIT_USAGE;
    for (int j = 0; j < r->n_joints && status == 0; j++) {
        if (wanted(c, &r->joint[j])) {
            status = calibrate_joint(c, l, j);
        }
    }
    return status == 0 ? limp_write(c, l) : status;
}

/* --- find-limits --- */

struct ends {
    double low[JOINTS_MAX], high[JOINTS_MAX], now[JOINTS_MAX];
    bool seam[JOINTS_MAX]; /* it went over the end of its servo's turn, where the angle jumps */
};

/* Over what stands `up` lines above. Returns how many lines it is. */
static int draw(const struct ctl *c, const struct robot *r, const struct ends *e, int up)
{
    int lines = 1;
    if (up > 0) {
        (void)fprintf(stderr, "\r\033[%dA", up);
    }
    (void)fprintf(stderr, "%-16s %9s %9s %9s\n", "joint", "min rad", "now", "max rad");
    for (int j = 0; j < r->n_joints; j++) {
        if (wanted(c, &r->joint[j])) {
            (void)fprintf(stderr, "%-16.16s %9.3f %9.3f %9.3f\n", r->joint[j].name, e->low[j],
                          e->now[j], e->high[j]);
            lines++;
        }
    }
    return lines;
}

/* Half a turn of the device between two readings is no hand's. */
static void widen(const struct robot *r, struct ends *e, const double *q, bool first)
{
    for (int j = 0; j < r->n_joints; j++) {
        e->seam[j] =
            !first && (e->seam[j] || fabs(q[j] - e->now[j]) > M_PI / fabs(r->joint[j].gear));
        e->now[j] = q[j];
        e->low[j] = first ? q[j] : fmin(e->low[j], q[j]);
        e->high[j] = first ? q[j] : fmax(e->high[j], q[j]);
    }
}

/* Until Enter. */
static bool follow(struct ctl *c, struct limp *l, struct ends *e)
{
    double q[JOINTS_MAX];
    const bool live = isatty(STDERR_FILENO) == 1;
    const bool echoes = isatty(STDIN_FILENO) == 1; /* Enter goes to the next line */
    enum limp_event event = LIMP_POSE;
    int lines = 0;
    for (int i = 0; event == LIMP_POSE; i++) {
        event = limp_next(c, l, q);
        if (event != LIMP_LOST) {
            widen(limp_robot(l), e, q, i == 0);
        }
        if (live && event == LIMP_POSE && i % DRAW_TICKS == 0) {
            lines = draw(c, limp_robot(l), e, lines);
        }
    }
    if (event == LIMP_ENTER) {
        (void)draw(c, limp_robot(l), e, lines > 0 && echoes ? lines + 1 : lines);
    }
    return event == LIMP_ENTER;
}

static int find_limits(struct ctl *c, struct limp *l)
{
    const struct robot *r = limp_robot(l);
    struct ends e = {0};
    int found = 0;
    if (!words_fit(c, r)) {
        return EXIT_USAGE;
    }
    (void)fprintf(stderr, "Move each joint slowly to both ends of its range, then press Enter.\n");
    if (!follow(c, l, &e)) {
        return EXIT_FAILURE;
    }
    for (int j = 0; j < r->n_joints; j++) {
        if (!wanted(c, &r->joint[j])) {
            continue;
        }
        if (e.seam[j]) {
            ctl_say(c,
                    "joint %s went over the end of its servo's turn, where its angle jumps: "
                    "nothing is written; put its zero, or its horn, so that the turn ends outside "
                    "its range (basalctl calibrate)",
                    r->joint[j].name);
            return EXIT_FAILURE;
        }
        struct calibration_joint *row = limp_row(l, j);
        if (row == NULL || e.high[j] - e.low[j] < TRAVEL_RAD + 2.0 * MARGIN_RAD) {
            ctl_say(c, "joint %s moved %.3f rad: its range stays %.3f to %.3f", r->joint[j].name,
                    e.high[j] - e.low[j], r->joint[j].q_min, r->joint[j].q_max);
            continue;
        }
        row->q_min = e.low[j] + MARGIN_RAD;
        row->q_max = e.high[j] - MARGIN_RAD;
        found++;
    }
    if (found == 0) {
        ctl_say(c, "no joint was moved: nothing is written");
        return EXIT_FAILURE;
    }
    return limp_write(c, l);
}

static int on_limp(struct ctl *c, int (*run)(struct ctl *, struct limp *))
{
    struct limp *l = NULL;
    if (c->config == NULL) {
        char forms[64];
        (void)snprintf(forms, sizeof forms, "%s --config FILE [JOINT ...]", c->verb);
        return ctl_usage(c, forms);
    }
    int status = limp_open(c, &l);
    status = status == 0 ? run(c, l) : status;
    limp_close(l);
    return status;
}

int ctl_calibrate(struct ctl *c)
{
    return on_limp(c, calibrate);
}

int ctl_find_limits(struct ctl *c)
{
    return on_limp(c, find_limits);
}
