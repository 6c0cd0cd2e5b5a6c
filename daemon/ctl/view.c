#include "daemon/ctl/view.h"

#include "daemon/safety.h"

#include <math.h>
#include <string.h>

#define LABEL      "%-9s"
#define RANGE_ROOM 30 /* columns of a sparkline's label and of the range behind it */
#define STAT_WIDTH 40

bool view_latched(const Basald__V1__Status *s)
{
    return s->last->latch[0] != '\0';
}

static unsigned long long whole(uint64_t v)
{
    return (unsigned long long)v;
}

/* No "-0.0000" for a wheel that trembles by a count. */
static double still(double v)
{
    return fabs(v) < 5e-5 ? 0.0 : v;
}

void view_head(FILE *f, const Basald__V1__Status *s, bool bold)
{
    const int up_s = (int)s->uptime_s;
    (void)fprintf(f, LABEL "%s%s%s   up %d:%02d:%02d   basald %s   run %s\n", s->robot,
                  bold ? "\033[1m" : "", s->state, bold ? "\033[0m" : "", up_s / 3600,
                  up_s / 60 % 60, up_s % 60, s->version, s->run_id);
    if (s->last->cause[0] != '\0') {
        (void)fprintf(f, LABEL "%s%s%s\n", "cause", s->last->cause,
                      s->last->latch[0] != '\0' ? "   latched: " : "", s->last->latch);
    }
    if (s->why[0] != '\0') {
        (void)fprintf(f, LABEL "%s\n", "", s->why);
    }
}

void view_learning(FILE *f, const Basald__V1__Status *s)
{
    const Basald__V1__Telemetry *t = s->last;
    (void)fprintf(f, LABEL "%lld   step %lld   driven by %s   return so far %.2f", "episode",
                  (long long)t->episode, (long long)t->step, t->source, t->episode_return);
    (void)fprintf(f, s->successes > 0 ? "   successes %llu\n" : "\n", whole(s->successes));
    if (s->has_odometer) {
        (void)fprintf(f, LABEL "%.4f m/s over the last second", "speed", still(t->speed_m_s));
        if (s->best_known_speed_m_s > 0.0) {
            (void)fprintf(f, ", %.0f %% of the best known %.4f",
                          100.0 * still(t->speed_m_s) / s->best_known_speed_m_s,
                          s->best_known_speed_m_s);
        }
        (void)fputc('\n', f);
    }
    (void)fprintf(f, LABEL "%s%s   %llu updates, %.0f a second   replay %llu rows", "learner",
                  s->algo, s->learner_paused ? " pauses" : "", whole(s->updates), s->updates_per_s,
                  whole(s->replay_rows));
    (void)fprintf(f, s->prior_rows > 0 ? "   prior %llu rows\n" : "\n", whole(s->prior_rows));
    (void)fprintf(f, LABEL "version %u   taken %llu   refused %llu", "weights", t->weights_version,
                  whole(s->weights_accepted), whole(s->weights_refused));
    if (s->weights_run_id[0] != '\0' && strcmp(s->weights_run_id, s->run_id) != 0) {
        (void)fprintf(f, "   of run %s", s->weights_run_id);
    }
    if (s->weights_refused > 0) {
        (void)fprintf(f, "\n" LABEL "%s", "", s->weights_why);
    }
    (void)fputc('\n', f);
}

size_t view_can_buses(const Basald__V1__Telemetry *t)
{
    const size_t counts[] = {
        t->n_can_frames_tx, t->n_can_frames_rx,        t->n_can_dropped,         t->n_can_tx_full,
        t->n_can_rx_full,   t->n_can_bus_off,          t->n_can_restarted,       t->n_can_no_ack,
        t->n_can_passive,   t->n_can_warning,          t->n_can_damaged,         t->n_can_tx_errors,
        t->n_can_rx_errors, t->n_can_load_min_percent, t->n_can_load_max_percent};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        if (counts[i] != t->n_can_name) {
            return 0;
        }
    }
    return t->n_can_name;
}

/* Frames and load of a CAN bus, then the errors that it has had. */
static void put_can(FILE *f, const Basald__V1__Telemetry *t, size_t i)
{
    const struct {
        const char *name;
        uint64_t n;
    } rows[] = {{"bus-off", t->can_bus_off[i]},       {"restarted", t->can_restarted[i]},
                {"passive", t->can_passive[i]},       {"warning", t->can_warning[i]},
                {"no acknowledge", t->can_no_ack[i]}, {"damaged", t->can_damaged[i]},
                {"overrun", t->can_rx_full[i]},       {"queue full", t->can_tx_full[i]},
                {"dropped", t->can_dropped[i]}};

    bool any = false;
    (void)fprintf(f, LABEL "%.32s   %llu frames out, %llu in   load %.0f to %.0f %%\n", "can",
                  t->can_name[i], whole(t->can_frames_tx[i]), whole(t->can_frames_rx[i]),
                  t->can_load_min_percent[i], t->can_load_max_percent[i]);
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        if (rows[k].n > 0) {
            (void)fprintf(f, "%*s%s %llu", any ? 3 : 9, "", rows[k].name, whole(rows[k].n));
            any = true;
        }
    }
    (void)fputs(any ? "\n" : "", f);
}

void view_machine(FILE *f, const Basald__V1__Status *s)
{
    const Basald__V1__Telemetry *t = s->last;
    (void)fprintf(f, LABEL "%.1f Hz   late by p50 %.0f  p99 %.0f  p99.9 %.0f  max %.0f us\n",
                  "loop", s->loop_rate_hz, s->wake_p50_us, s->wake_p99_us, s->wake_p999_us,
                  s->wake_max_us);
    (void)fprintf(f, LABEL "%llu   takes p50 %.0f  p99 %.0f  p99.9 %.0f  max %.0f us\n", "tick",
                  whole(t->tick), s->tick_p50_us, s->tick_p99_us, s->tick_p999_us, s->tick_max_us);
    (void)fprintf(f, LABEL "%llu bytes out, %llu in   CRC errors %llu   reconnects %llu\n", "bus",
                  whole(t->bytes_tx), whole(t->bytes_rx), whole(t->crc_errors),
                  whole(t->reconnects));
    for (size_t i = 0; i < view_can_buses(t); i++) {
        put_can(f, t, i);
    }
    (void)fprintf(f, LABEL "skipped %llu   coasted %llu   page faults %llu   garbage %llu",
                  "counted", whole(t->overruns), whole(t->coasted), whole(s->page_faults),
                  whole(s->garbage));
    (void)fprintf(f, "   dropped %llu\n", whole(s->telemetry_dropped + s->events_dropped));
    (void)fprintf(f, LABEL "%s\n", "realtime", s->realtime);
}

/* What limits the joint now, and what its device complains of. */
static void put_trouble(FILE *f, const Basald__V1__Telemetry *t, size_t j)
{
    char words[SAFETY_FAULT_CHARS];
    const bool free = strcmp(t->rule[j], "none") == 0 || strcmp(t->rule[j], "off") == 0;
    (void)fputs(free ? "-" : t->rule[j], f);
    if (t->faults[j] != 0) {
        (void)fprintf(f, "; fault: %s", safety_fault_words(t->faults[j], words, sizeof words));
    }
    (void)fputc('\n', f);
}

/* What has not been read yet is no number. */
static void put_number(FILE *f, int width, int digits, float v)
{
    if (isfinite(v)) {
        (void)fprintf(f, "%*.*f", width, digits, (double)v);
    } else {
        (void)fprintf(f, "%*s", width, "-");
    }
}

void view_joints(FILE *f, const Basald__V1__Status *s)
{
    static const char *const torque[] = {"?", "off", "on"};
    const Basald__V1__Telemetry *t = s->last;
    (void)fprintf(f, "%-12s %8s %7s %7s %4s %5s %6s %7s  %s\n", "joint", "rad", "rad/s", "Nm", "C",
                  "V", "torque", "misses", "limited by");
    for (size_t j = 0; j < t->n_joint_name; j++) {
        (void)fprintf(f, "%-12s", t->joint_name[j]);
        put_number(f, 9, 3, t->position_rad[j]);
        put_number(f, 8, 2, t->velocity_rad_s[j]);
        put_number(f, 8, 2, t->effort_nm[j]);
        put_number(f, 5, 0, t->temperature_c[j]);
        put_number(f, 6, 1, t->voltage_v[j]);
        (void)fprintf(f, " %6s %7llu  ", torque[t->torque[j] <= 2 ? t->torque[j] : 0],
                      whole(t->misses[j]));
        put_trouble(f, t, j);
    }
}

void view_stats(FILE *f, const Basald__V1__Status *s)
{
    const size_t n = s->n_stat < s->n_stat_name ? s->n_stat : s->n_stat_name;
    for (size_t i = 0; i < n; i++) {
        char cell[80];
        (void)snprintf(cell, sizeof cell, "%-26.60s %.4g", s->stat_name[i], s->stat[i]);
        const bool last = i % 2 != 0 || i + 1 == n;
        (void)fprintf(f, "%-*s%s", last ? 0 : STAT_WIDTH, cell, last ? "\n" : "");
    }
}

void view_spark(FILE *f, const char *label, const double *v, size_t n, int columns, bool ascii)
{
    static const char *const heights[2][8] = {{"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"},
                                              {"_", ".", ":", "-", "=", "+", "*", "#"}};
    const size_t most = columns > RANGE_ROOM + 8 ? (size_t)(columns - RANGE_ROOM) : 8;
    const size_t from = n > most ? n - most : 0;
    double low = (double)INFINITY, high = -(double)INFINITY;
    for (size_t i = from; i < n; i++) {
        low = isfinite(v[i]) ? fmin(low, v[i]) : low;
        high = isfinite(v[i]) ? fmax(high, v[i]) : high;
    }
    (void)fprintf(f, LABEL, label);
    for (size_t i = from; i < n; i++) {
        const double part = high > low && isfinite(v[i]) ? (v[i] - low) / (high - low) : 0.0;
        (void)fputs(heights[ascii ? 1 : 0][(int)(part * 7.0 + 0.5)], f);
    }
    if (high >= low) {
        (void)fprintf(f, "  %.3g to %.3g", still(low), still(high));
    } else {
        (void)fputs("-", f);
    }
    (void)fputc('\n', f);
}
