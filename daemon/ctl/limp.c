#include "daemon/ctl/limp.h"

#include "daemon/base/clock.h"
#include "daemon/plant.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MEMORY_BYTES ((size_t)64 << 20)
#define UP_NS        (15 * NS_PER_S) /* to find all devices and set them up */
#define LOST_NS      (2 * NS_PER_S)  /* without a reading of every joint */
#define SERVICE_NS   (100 * NS_PER_MS)
#define STILL        20 /* readings that make a pose */

struct limp {
    struct config config;
    struct calibration calibration;
    struct arena mem;
    struct plant *plant;
    struct clock clock;
    struct reopen reopen[BUSES_MAX];
    struct sensed sensed;
    int64_t next_ns, service_ns, seen_ns; /* of the next reading, of service, when all were read */
    uint64_t seen;                        /* a bit per joint read since */
};

struct robot *limp_robot(struct limp *l)
{
    return &l->config.robot;
}

struct calibration *limp_calibration(struct limp *l)
{
    return &l->calibration;
}

static uint64_t all_joints(const struct limp *l)
{
    const int n = l->config.robot.n_joints;
    return n < 64 ? (UINT64_C(1) << n) - 1 : UINT64_MAX;
}

/* One tick: what a limp daemon does, command off included, for some motors answer nothing else. */
static int tick(struct limp *l)
{
    const struct command off = {.n = l->config.robot.n_joints};
    uint64_t fresh = 0;
    clock_sleep_until(&l->clock, l->next_ns);
    const int64_t t_ns = clock_now_ns(&l->clock);
    l->next_ns = t_ns + (int64_t)((double)NS_PER_S / l->config.robot.control_rate_hz);
    if (t_ns >= l->service_ns) {
        plant_service(l->plant, t_ns, l->reopen);
        l->service_ns = t_ns + SERVICE_NS;
    }
    plant_read(l->plant, t_ns, &l->sensed, &fresh);
    const int event = plant_do(l->plant, PLANT_LISTEN);
    plant_write(l->plant, &off);
    l->seen |= fresh;
    if (l->seen == all_joints(l)) {
        l->seen = 0;
        l->seen_ns = t_ns;
    }
    return event;
}

/* Why the robot is not to be seen. */
static const char *trouble(const struct limp *l)
{
    for (int i = 0; i < l->config.robot.n_buses; i++) {
        const char *bus = plant_bus_why(l->plant, i);
        if (l->reopen[i].why[0] != '\0' || bus[0] != '\0') {
            return l->reopen[i].why[0] != '\0' ? l->reopen[i].why : bus;
        }
    }
    return plant_why(l->plant);
}

static int bring_up(struct ctl *c, struct limp *l)
{
    const int64_t until_ns = clock_now_ns(&l->clock) + UP_NS;
    while (clock_now_ns(&l->clock) < until_ns) {
        (void)tick(l);
        if (plant_ready(l->plant)) {
            l->seen_ns = clock_now_ns(&l->clock);
            return 0;
        }
    }
    ctl_say(c, "%s", trouble(l));
    return EXIT_UNAVAILABLE;
}

/* Before anybody moves anything in vain. */
static int may_write(const struct limp *l, char *ret_why, int cap)
{
    char folder[PATH_CHARS];
    const char *slash = strrchr(l->config.calibration, '/');
    const int n = slash != NULL ? (int)(slash - l->config.calibration) + 1 : 0;
    (void)snprintf(folder, sizeof folder, "%.*s.", n, l->config.calibration);
    return access(folder, W_OK) == 0 ? 0
                                     : why(ret_why, cap, -errno, "cannot write %s: %s",
                                           l->config.calibration, strerror(errno));
}

static int read_calibration(struct limp *l, char *ret_why, int cap)
{
    const char *path = l->config.calibration;
    int rc = path[0] != '\0' ? 0 : -ENAMETOOLONG;
    FILE *f = rc == 0 ? fopen(path, "rbe") : NULL;
    if (rc < 0 || (f == NULL && errno != ENOENT)) {
        rc = rc < 0 ? rc : -errno;
        return why(ret_why, cap, rc, "cannot read the calibration of %s: %s", l->config.path,
                   strerror(-rc));
    }
    char *text = f != NULL ? malloc(CALIBRATION_BYTES_MAX) : NULL;
    if (text != NULL) {
        const size_t n = fread(text, 1, CALIBRATION_BYTES_MAX, f);
        rc = calibration_read(&l->calibration, text, n, path, ret_why, cap);
        rc = rc == 0 ? calibration_apply(&l->calibration, l->config.calibration_robot,
                                         &l->config.robot, path, ret_why, cap)
                     : rc;
        free(text);
    }
    if (f != NULL) {
        (void)fclose(f);
    }
    return rc;
}

int limp_open(struct ctl *c, struct limp **ret_limp)
{
    char reason[WHY_CHARS] = "";
    struct limp *l = calloc(1, sizeof *l);
    *ret_limp = l;
    if (l == NULL || arena_open(&l->mem, "limp", MEMORY_BYTES) < 0) {
        free(l);
        *ret_limp = NULL;
        return exit_no_memory("basalctl");
    }
    int rc = config_load_bare(&l->config, c->config, NULL, 0, &l->mem, reason, (int)sizeof reason);
    rc = rc == 0 ? read_calibration(l, reason, (int)sizeof reason) : rc;
    rc = rc == 0 ? may_write(l, reason, (int)sizeof reason) : rc;
    if (rc == 0 && l->config.robot.n_buses == 0) {
        rc = why(reason, (int)sizeof reason, -EINVAL, "%s has no bus: there is nothing to move",
                 l->config.path);
    }
    const struct plant_spec spec = {
        .config = &l->config, .kind = PLANT_DEVICES, .clock = &l->clock};
    rc = rc == 0 ? plant_open(&l->plant, &spec, &l->mem, reason, (int)sizeof reason) : rc;
    if (rc < 0) {
        ctl_say(c, "%s", reason);
        return EXIT_CONFIG;
    }
    return bring_up(c, l);
}

void limp_close(struct limp *l)
{
    if (l != NULL) {
        if (l->plant != NULL) {
            plant_close(l->plant);
        }
        arena_close(&l->mem);
        free(l);
    }
}

/* A line of the person's, or the end of all lines. */
static enum limp_event heard(struct ctl *c)
{
    struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
    char text[64];
    if (poll(&p, 1, 0) != 1) {
        return LIMP_POSE;
    }
    const ssize_t n = read(STDIN_FILENO, text, sizeof text);
    if (n <= 0) {
        ctl_say(c, "standard input has ended: nothing is written");
        return LIMP_LOST;
    }
    return memchr(text, '\n', (size_t)n) != NULL ? LIMP_ENTER : LIMP_POSE;
}

/* The next reading of all joints, none with torque; false: said why. */
static bool read_pose(struct ctl *c, struct limp *l, double *ret_q)
{
    (void)tick(l);
    for (int j = 0; j < l->sensed.n; j++) {
        ret_q[j] = l->sensed.q[j];
        if (l->sensed.torque[j] == TORQUE_ON) {
            ctl_say(c, "joint %s has torque: another program drives it; stop that first",
                    l->config.robot.joint[j].name);
            return false;
        }
    }
    if (clock_now_ns(&l->clock) - l->seen_ns > LOST_NS) {
        ctl_say(c, "not all joints answer any more: %s", trouble(l));
        return false;
    }
    return true;
}

enum limp_event limp_next(struct ctl *c, struct limp *l, double *ret_q)
{
    return read_pose(c, l, ret_q) ? heard(c) : LIMP_LOST;
}

bool limp_ask(struct ctl *c, struct limp *l, const char *question, double *ret_q)
{
    double q[JOINTS_MAX], sum[JOINTS_MAX] = {0};
    enum limp_event e = LIMP_POSE;
    (void)fprintf(stderr, "%s\n", question);
    while (e == LIMP_POSE) {
        e = limp_next(c, l, q);
    }
    for (int i = 0; i < STILL && e != LIMP_LOST; i++) {
        e = read_pose(c, l, q) ? e : LIMP_LOST;
        for (int j = 0; j < l->sensed.n; j++) {
            sum[j] += q[j] / STILL;
        }
    }
    memcpy(ret_q, sum, sizeof sum);
    return e != LIMP_LOST;
}

struct calibration_joint *limp_row(struct limp *l, int j)
{
    const struct identity *id = plant_identity(l->plant, j);
    struct calibration_joint *row = calibration_joint(&l->calibration, &l->config.robot.joint[j]);
    if (row != NULL && id->known) {
        row->model = id->model;
        row->firmware = id->firmware;
        row->serial = id->serial;
    }
    return row;
}

int limp_write(struct ctl *c, struct limp *l)
{
    struct calibration *k = &l->calibration;
    const time_t now = time(NULL);
    struct tm tm;
    char *text = malloc(CALIBRATION_BYTES_MAX);
    if (text == NULL) {
        return exit_no_memory("basalctl");
    }
    k->schema = 1;
    (void)snprintf(k->robot, sizeof k->robot, "%s", l->config.calibration_robot);
    (void)strftime(k->date, sizeof k->date, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
    const int n = calibration_text(k, text, CALIBRATION_BYTES_MAX);
    const int status =
        n < 0 ? EXIT_FAILURE
              : ctl_write_file(c, l->config.calibration, (const uint8_t *)text, (size_t)n);
    free(text);
    if (status == 0) {
        (void)fprintf(stderr, "%s is written; basald reads it at its next start\n",
                      l->config.calibration);
    }
    return status;
}
