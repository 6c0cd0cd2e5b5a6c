/*
 * What the point between four goals is worth to a soft policy: environments 8.4, by soft value
 * iteration over the shipped world with its task, reward scale 0.1, gamma 0.99, temperature 1. On
 * the table's own grid: states every 0.1 m, bilinear between them, 24 x 24 cells of actions.
 */
#include "tests/unit/lesson_fixture.h"
#include "tests/unit/policy_fixture.h"

#define YAML ROBOT("multigoal")

enum { HALF = 70, SIDE = 2 * HALF + 1, CELLS = 24, ACTIONS = CELLS * CELLS };

enum { OCTANT = (HALF + 1) * (HALF + 2) / 2 };

#define GRID_M 0.1
#define SCALE  0.1
#define GAMMA  0.99

struct outcome {
    double r, x, y; /* scaled reward; where it is then */
    bool ends;
};

static double v[SIDE][SIDE]; /* of every state, by x and y from the bottom left */

/* The middle of an action's cell along an axis. */
static double cell_of(int i)
{
    return -1.0 + (i + 0.5) * 2.0 / CELLS;
}

static void open_world(struct world_rig *w)
{
    rig_open(w, YAML);
    w->cmd.mode[0] = w->cmd.mode[1] = MODE_EFFORT;
}

static struct outcome try_cell(struct world_rig *w, double x, double y, int cell)
{
    const float act[] = {(float)cell_of(cell / CELLS), (float)cell_of(cell % CELLS)};
    rig_put(w, (const double[]){x, y}, 2);
    rig_begin(w);
    const double r = rig_act(w, act);
    return (struct outcome){SCALE * r, w->state[0], w->state[1], w->task.st.end == END_TERMINAL};
}

/* V between the points of the grid. */
static double value_at(double x, double y)
{
    const double gx = fmin(fmax(x / GRID_M + HALF, 0.0), SIDE - 1.0);
    const double gy = fmin(fmax(y / GRID_M + HALF, 0.0), SIDE - 1.0);
    const int i = gx < SIDE - 2 ? (int)gx : SIDE - 2, j = gy < SIDE - 2 ? (int)gy : SIDE - 2;
    const double fx = gx - i, fy = gy - j;
    return (1.0 - fx) * ((1.0 - fy) * v[i][j] + fy * v[i][j + 1]) +
           fx * ((1.0 - fy) * v[i + 1][j] + fy * v[i + 1][j + 1]);
}

static double q_of(const struct outcome *o)
{
    return o->r + (o->ends ? 0.0 : GAMMA * value_at(o->x, o->y));
}

/* log of the integral of exp Q over the square of actions; ret_q [ACTIONS]. */
static double soft_backup(const struct outcome *o, double *ret_q)
{
    double most = -(double)INFINITY, sum = 0.0;
    for (int a = 0; a < ACTIONS; a++) {
        ret_q[a] = q_of(&o[a]);
        most = fmax(most, ret_q[a]);
    }
    for (int a = 0; a < ACTIONS; a++) {
        sum += exp(ret_q[a] - most);
    }
    return most + log(sum * 4.0 / ACTIONS);
}

/* V and Q [ACTIONS] of any state. */
static double soft_q(struct world_rig *w, double x, double y, double *ret_q)
{
    static struct outcome o[ACTIONS];
    for (int a = 0; a < ACTIONS; a++) {
        o[a] = try_cell(w, x, y, a);
    }
    return soft_backup(o, ret_q);
}

/* The value of one state is that of its eight mirror images. */
static void put_value(int x, int y, double value)
{
    for (int k = 0; k < 8; k++) {
        const int a = (k & 1) != 0 ? x : y, b = (k & 1) != 0 ? y : x;
        v[HALF + ((k & 2) != 0 ? a : -a)][HALF + ((k & 4) != 0 ? b : -b)] = value;
    }
}

/* Sweeps over the eighth of the square that the others mirror, until nothing changes. */
static void solve(struct world_rig *w)
{
    static struct outcome outcomes[OCTANT][ACTIONS];
    double q[ACTIONS], change = (double)INFINITY;
    for (int x = 0, k = 0; x <= HALF; x++) {
        for (int y = 0; y <= x; y++, k++) {
            for (int a = 0; a < ACTIONS; a++) {
                outcomes[k][a] = try_cell(w, x * GRID_M, y * GRID_M, a);
            }
        }
    }
    memset(v, 0, sizeof v);
    for (int t = 0; change > 1e-5; t++) {
        change = 0.0;
        for (int x = 0, k = 0; x <= HALF; x++) {
            for (int y = 0; y <= x; y++, k++) {
                const double value = soft_backup(outcomes[k], q);
                change = fmax(change, fabs(value - v[HALF + x][HALF + y]));
                put_value(x, y, value);
            }
        }
        assert_true(t < 500);
    }
}

/* A row of the table; the best action is given once for those that mirror each other. */
struct row {
    double x, y, v;
    bool all; /* what stands behind V in the table */
    double mean_x, var_x, var_y, best, still;
    double best_v[2]; /* sizes along the axes, the larger first */
    int n_best;       /* cells that are as good: two where an axis runs between cells */
};

static const struct row rows[] = {
    {0, 0, -12.23, true, 0, .315, .315, -12.99, -14.52, {.88, 0}, 8},
    {-2.5, 0, -2.90, true, -.421, .104, .128, -2.68, -3.65, {.46, 0}, 2},
    {2.5, 2.5, -5.70, true, 0, .262, .262, -6.12, -6.89, {.46, .46}, 2},
    {4, 0, .47, false, 0, 0, 0, 0, 0, {0, 0}, 0},
    {7, 7, -28.85, false, 0, 0, 0, 0, 0, {0, 0}, 0},
};

/* The policy pi = exp(Q - V): its mean and variance along an axis. */
static void check_moments(const struct row *w, const double *q, double value)
{
    double mean[2] = {0}, square[2] = {0};
    for (int a = 0; a < ACTIONS; a++) {
        const double p = exp(q[a] - value) * 4.0 / ACTIONS;
        const double act[2] = {cell_of(a / CELLS), cell_of(a % CELLS)};
        for (int k = 0; k < 2; k++) {
            mean[k] += p * act[k];
            square[k] += p * act[k] * act[k];
        }
    }
    assert_near(mean[0], w->mean_x, 1e-3);
    assert_near(mean[1], 0.0, 1e-3);
    assert_near(square[0] - mean[0] * mean[0], w->var_x, 1e-3);
    assert_near(square[1] - mean[1] * mean[1], w->var_y, 1e-3);
}

static void check_peaks(const struct row *w, const double *q)
{
    double most = -(double)INFINITY;
    int n = 0;
    for (int a = 0; a < ACTIONS; a++) {
        most = fmax(most, q[a]);
    }
    for (int a = 0; a < ACTIONS; a++) {
        if (q[a] > most - 1e-6) {
            const double vx = fabs(cell_of(a / CELLS)), vy = fabs(cell_of(a % CELLS));
            assert_near(fmax(vx, vy), w->best_v[0], 1.1 / CELLS);
            assert_near(fmin(vx, vy), w->best_v[1], 1.1 / CELLS);
            n++;
        }
    }
    assert_int_equal(n, w->n_best);
    assert_near(most, w->best, 6e-3);
    assert_near(q[CELLS / 2 * CELLS + CELLS / 2], w->still, 6e-3);
}

static void its_soft_values_are_those_of_8_4(void **state)
{
    (void)state;
    static struct world_rig w;
    open_world(&w);
    solve(&w);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        double q[ACTIONS];
        const double value = soft_q(&w, rows[i].x, rows[i].y, q);
        print_message("V(%g, %g) = %.3f\n", rows[i].x, rows[i].y, value);
        assert_near(value, rows[i].v, 6e-3);
        if (rows[i].all) {
            check_moments(&rows[i], q, value);
            check_peaks(&rows[i], q);
        }
    }
    rig_close(&w);
}

/* The eight symmetries of the square change neither the world nor, so, the values; solve has taken
 * it for granted. */
static void its_values_are_as_symmetric_as_a_square_8_4(void **state)
{
    (void)state;
    static struct world_rig w;
    struct rng r;
    open_world(&w);
    solve(&w);
    rng_seed(&r, 2);
    for (int n = 0; n < 20; n++) {
        const double x = rng_between(&r, -7.0, 7.0), y = rng_between(&r, -7.0, 7.0);
        double q[ACTIONS], mirrored[ACTIONS];
        const double value = soft_q(&w, x, y, q);
        for (int k = 0; k < 8; k++) {
            const double a = (k & 1) != 0 ? y : x, b = (k & 1) != 0 ? x : y;
            const double there = soft_q(&w, (k & 2) != 0 ? -a : a, (k & 4) != 0 ? -b : b, mirrored);
            assert_near(there, value, 1e-9);
            for (int c = 0; c < ACTIONS; c++) {
                const int i = (k & 1) != 0 ? c % CELLS : c / CELLS;
                const int j = (k & 1) != 0 ? c / CELLS : c % CELLS;
                const int i2 = (k & 2) != 0 ? CELLS - 1 - i : i;
                const int j2 = (k & 4) != 0 ? CELLS - 1 - j : j;
                assert_near(mirrored[i2 * CELLS + j2], q[c], 1e-9);
            }
        }
    }
    rig_close(&w);
}

/* What soft Q-learning makes of it in 10,000 steps, by the robot file's temperature of 10: its
 * value of the middle, read from an update by rows that all lead there. */
static void a_trained_value_is_near_that_of_8_4(void **state)
{
    (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    print_message("10,000 updates take minutes with sanitizers\n");
    skip();
#endif

    enum { ROWS = 64 };

    static struct lesson x;
    static const char *const sets[] = {NULL};
    static float zeros[ROWS * 2], ones[ROWS];
    struct stats stats;
    lesson_open(&x, YAML, sets, 1);
    lesson_go_on(&x, 10000);
    const struct learner *l = &x.ride->house.learner;
    for (int i = 0; i < ROWS; i++) {
        ones[i] = 1.0f;
    }
    const struct batch b = {.n = ROWS,
                            .seg_len = 1,
                            .s = zeros,
                            .a = zeros,
                            .r = zeros,
                            .s2 = zeros,
                            .g = ones,
                            .w = ones};
    l->policy->update(l->self, &b, &stats);
    const double ent_coef = 10.0, value = stats.v[stat_index(l->policy, "train/value")] / ent_coef;
    print_message("after 10,000 steps V(0, 0) = %.2f of -12.23\n", value);
    assert_near(value, -12.23, 0.5);
    lesson_close(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_soft_values_are_those_of_8_4),
        cmocka_unit_test(its_values_are_as_symmetric_as_a_square_8_4),
        cmocka_unit_test(a_trained_value_is_near_that_of_8_4),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
