/*
 * A linear system with a quadratic cost, whose best controller is known in closed form: the oracle
 * of everything that learns continuous actions.
 *
 *   s <- A s + B u + w,   w ~ N(0, noise^2 I),   cost += s'Q s + u'R u   of the s and u before
 *
 * Up to four states and four inputs; u_j is the torque of joint j. With S = R + gamma B'P B and the
 * P of the discounted Riccati equation the best u is -K s, K = gamma S^-1 B'P A, noise or not, and
 * its value -s'P s - gamma tr(P W) / (1 - gamma), W = noise^2 I. One step per call, whatever dt.
 * Sensors: `state`, and `cost`, which only grows.
 *
 * Source: Bertsekas, "Dynamic programming and optimal control": linear systems, quadratic cost.
 */
#include "sim/sense.h"
#include "sim/sim.h"

#include "daemon/base/err.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define N_MAX 4

enum { STATE, COST, SENSORS_N };

struct lqr_config {
    int n_a, n_b, n_q, n_r;
    double a[N_MAX * N_MAX], b[N_MAX * N_MAX], q[N_MAX * N_MAX], r[N_MAX * N_MAX];
    double noise, reset;
};

#define AT(field) offsetof(struct lqr_config, field)

/* clang-format off */
static const struct option lqr_options[] = {
    {.key = "a", .type = OPTION_DOUBLES, .offset = AT(a), .n_max = N_MAX * N_MAX, .n_offset = AT(n_a), .min = -1e6, .max = 1e6, .def = "[1.2]",
     .help = "A, row by row: as many numbers as states, squared"},
    {.key = "b", .type = OPTION_DOUBLES, .offset = AT(b), .n_max = N_MAX * N_MAX, .n_offset = AT(n_b), .min = -1e6, .max = 1e6, .def = "[0.5]",
     .help = "B, row by row: states x joints"},
    {.key = "q", .type = OPTION_DOUBLES, .offset = AT(q), .n_max = N_MAX * N_MAX, .n_offset = AT(n_q), .min = -1e6, .max = 1e6, .def = "[1]",
     .help = "Q, row by row, or its diagonal"},
    {.key = "r", .type = OPTION_DOUBLES, .offset = AT(r), .n_max = N_MAX * N_MAX, .n_offset = AT(n_r), .min = -1e6, .max = 1e6, .def = "[0.1]",
     .help = "R, row by row, or its diagonal"},
    {.key = "process_noise", .type = OPTION_DOUBLE, .offset = AT(noise), .min = 0, .max = 1e6, .def = "0",
     .help = "standard deviation of what is added to each state in a step"},
    {.key = "reset", .type = OPTION_DOUBLE, .offset = AT(reset), .min = 0, .max = 1e6, .def = "1",
     .help = "a reset draws each state from -this to this"},
    {.key = NULL},
};

/* clang-format on */

struct lqr {
    double a[N_MAX][N_MAX], b[N_MAX][N_MAX], q[N_MAX][N_MAX], r[N_MAX][N_MAX];
    double noise, reset;
    int n, m; /* states, inputs */
    int at[SENSORS_N];
};

/* Flat: copying it copies the world. */
struct lqr_state {
    double s[N_MAX], cost, u[N_MAX]; /* u: over the last step */
    uint8_t mode[N_MAX];             /* enum command_mode of the last step */
};

/* A list of a robot file that is a matrix. */
struct list {
    const char *name;
    const double *v;
    int n, rows, columns;
};

/* rows x columns numbers, row by row; or, where it is square, its diagonal. -EINVAL: neither. */
static int read_matrix(struct list from, double ret_matrix[N_MAX][N_MAX], char *ret_why, int cap)
{
    const int rows = from.rows, columns = from.columns;
    const bool diagonal = rows == columns && from.n == rows;
    if (from.n != rows * columns && !diagonal) {
        return why(ret_why, cap, -EINVAL, "sim.%s must be %d x %d numbers, not %d", from.name, rows,
                   columns, from.n);
    }
    for (int i = 0; i < rows; i++) {
        for (int j = 0; j < columns; j++) {
            ret_matrix[i][j] = !diagonal ? from.v[i * columns + j] : i == j ? from.v[i] : 0.0;
        }
    }
    return 0;
}

static int read_all(struct lqr *z, const struct lqr_config *c, char *ret_why, int cap)
{
    const int n = z->n, m = z->m;
    int rc = read_matrix((struct list){"a", c->a, c->n_a, n, n}, z->a, ret_why, cap);
    rc = rc == 0 ? read_matrix((struct list){"b", c->b, c->n_b, n, m}, z->b, ret_why, cap) : rc;
    rc = rc == 0 ? read_matrix((struct list){"q", c->q, c->n_q, n, n}, z->q, ret_why, cap) : rc;
    return rc == 0 ? read_matrix((struct list){"r", c->r, c->n_r, m, m}, z->r, ret_why, cap) : rc;
}

static int lqr_open(const void *config, const struct robot *robot, struct arena *mem,
                    void **ret_self, char *ret_why, int cap)
{
    const struct lqr_config *c = config;
    const int n = (int)lrint(sqrt(c->n_a));
    struct lqr z = {.noise = c->noise, .reset = c->reset, .n = n, .m = robot->n_joints};
    const struct world_sensor sensors[SENSORS_N] = {{"state", n}, {"cost", 1}};
    if (n * n != c->n_a || n < 1) {
        return why(ret_why, cap, -EINVAL, "sim.a must be 1, 4, 9 or 16 numbers, not %d", c->n_a);
    }
    if (z.m < 1 || z.m > N_MAX) {
        return why(ret_why, cap, -EINVAL, "sim lqr drives 1 to %d joints, the robot has %d", N_MAX,
                   z.m);
    }
    for (int j = 0; j < z.m; j++) {
        if (!robot->joint[j].actuated) {
            return why(ret_why, cap, -EINVAL, "sim lqr: joint %s is an input, it must be actuated",
                       robot->joint[j].name);
        }
    }
    int rc = read_all(&z, c, ret_why, cap);
    rc = rc == 0 ? sense_choices("lqr", robot, 0, ret_why, cap) : rc;
    rc = rc == 0 ? sense_extras("lqr", robot, sensors, SENSORS_N, z.at, ret_why, cap) : rc;
    if (rc == 0) {
        struct lqr *taken = arena_take(mem, sizeof *taken);
        *taken = z;
        *ret_self = taken;
    }
    return rc;
}

static size_t lqr_state_bytes(const void *self)
{
    (void)self;
    return sizeof(struct lqr_state);
}

static void lqr_reset(void *self, void *state, struct rng *rng)
{
    const struct lqr *z = self;
    struct lqr_state *x = state;
    memset(x, 0, sizeof *x);
    for (int i = 0; i < z->n; i++) {
        x->s[i] = rng_between(rng, -z->reset, z->reset);
    }
}

/* x'M x */
static double form(const double m[N_MAX][N_MAX], const double *x, int n)
{
    double sum = 0.0;
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++) {
            sum += x[i] * m[i][j] * x[j];
        }
    }
    return sum;
}

static void lqr_step(void *self, void *state, const struct command *cmd, double dt_s,
                     struct rng *rng)
{
    (void)dt_s;
    const struct lqr *z = self;
    struct lqr_state *x = state;
    double next[N_MAX] = {0};
    for (int j = 0; j < z->m; j++) {
        x->mode[j] = cmd->mode[j];
        x->u[j] = cmd->mode[j] == MODE_EFFORT ? cmd->tau[j] : 0.0;
    }
    for (int i = 0; i < z->n; i++) {
        for (int j = 0; j < z->n; j++) {
            next[i] += z->a[i][j] * x->s[j];
        }
        for (int j = 0; j < z->m; j++) {
            next[i] += z->b[i][j] * x->u[j];
        }
        next[i] += z->noise > 0.0 ? z->noise * rng_normal(rng) : 0.0;
    }
    x->cost += form(z->q, x->s, z->n) + form(z->r, x->u, z->m);
    memcpy(x->s, next, sizeof next);
}

static void lqr_sense(void *self, const void *state, struct rng *noise, struct sensed *ret_sensed)
{
    (void)noise; /* its sensors are perfect */
    const struct lqr *z = self;
    const struct lqr_state *x = state;
    sense_begin(ret_sensed, z->m);
    for (int j = 0; j < z->m; j++) {
        ret_sensed->tau[j] = x->u[j];
        ret_sensed->torque[j] = x->mode[j] == MODE_OFF ? TORQUE_OFF : TORQUE_ON;
    }
    sense_put_all(ret_sensed, z->at[STATE], x->s, z->n);
    sense_put(ret_sensed, z->at[COST], x->cost);
}

const struct sim sim_lqr = {
    .name = "lqr",
    .source = "discounted linear-quadratic regulator",
    .options = lqr_options,
    .config_bytes = sizeof(struct lqr_config),
    .open = lqr_open,
    .state_bytes = lqr_state_bytes,
    .reset = lqr_reset,
    .step = lqr_step,
    .sense = lqr_sense,
};
