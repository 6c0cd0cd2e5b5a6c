#include "policies/nn/mlp_inside.h"

#include "daemon/base/hash.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define ROWS_PIECE 12   /* of a batch: whole tiles of six rows, or of four */
#define STEP_PIECE 4096 /* weights */

const char *const activation_names[] = {"relu", "tanh", NULL};

void mlp_shape(struct mlp_shape *ret_shape, int n_in, const int *hidden, int n_hidden, int n_out)
{
    basal_assert(n_hidden >= 0 && n_hidden < LAYERS_MAX);
    *ret_shape = (struct mlp_shape){.n_layers = n_hidden + 1, .width = {n_in}};
    for (int l = 0; l < n_hidden; l++) {
        basal_assert(hidden[l] <= MLP_WIDTH_MAX);
        ret_shape->width[l + 1] = hidden[l];
    }
    ret_shape->width[n_hidden + 1] = n_out;
}

void net_shape(const struct net_spec *spec, int n_in, int n_out, struct mlp_shape *ret_shape)
{
    mlp_shape(ret_shape, n_in, spec->hidden, spec->n_hidden, n_out);
    ret_shape->activation = spec->activation;
    ret_shape->layer_norm = spec->layer_norm;
}

static int layer_weights(const struct mlp_shape *s, int l)
{
    return s->width[l + 1] * (s->width[l] + n_vectors(s, l));
}

int mlp_weights(const struct mlp_shape *s)
{
    int n = 0;
    for (int l = 0; l < s->n_layers; l++) {
        n += layer_weights(s, l);
    }
    return n;
}

uint32_t mlp_shape_id(const struct mlp_shape *s)
{
    const int32_t what[] = {s->n_layers, s->activation, s->layer_norm};
    uint64_t hash = hash_fnv1a(HASH_START, what, sizeof what);
    for (int l = 0; l <= s->n_layers; l++) {
        const int32_t width = s->width[l];
        hash = hash_fnv1a(hash, &width, sizeof width);
    }
    const uint32_t id = (uint32_t)(hash ^ hash >> 32);
    return id != 0 ? id : 1;
}

static int widest(const struct mlp_shape *s)
{
    int most = 0;
    for (int l = 0; l <= s->n_layers; l++) {
        most = s->width[l] > most ? s->width[l] : most;
    }
    return most;
}

static int n_panels(const struct mlp_shape *s)
{
    int n = 0;
    for (int l = 0; l < s->n_layers; l++) {
        n += padded(s->width[l + 1]) * s->width[l];
    }
    return n;
}

static float *floats(struct arena *mem, size_t n)
{
    return arena_take(mem, (n + PANEL) * sizeof(float)); /* vectors may read past the end */
}

static struct matrix rows_of(struct arena *mem, int rows, int width)
{
    const int ld = matrix_stride(width);
    return (struct matrix){floats(mem, (size_t)rows * (size_t)ld), ld};
}

static void take_scratch(struct mlp *m, struct arena *mem)
{
    int most = 0;
    for (int l = 0; m->kernel->scratch != NULL && l < m->shape.n_layers; l++) {
        const int n = m->kernel->scratch(m->rows, m->shape.width[l], m->shape.width[l + 1]);
        most = n > most ? n : most;
    }
    for (int half = 0; half < 2 && most > 0; half++) {
        m->scratch[half] = floats(mem, (size_t)most);
    }
}

/* Its gain and bias [out] lie at w. */
static void init_norm(struct layernorm *ret_norm, const struct kernel *kernel, int out, float *w,
                      int rows, struct arena *mem)
{
    layernorm_init(ret_norm, kernel, out, rows, mem);
    ret_norm->w = (struct norm){w, w + out};
    for (int i = 0; i < out; i++) {
        w[i] = 1.0f;
    }
}

void mlp_init(struct mlp *ret_mlp, const struct mlp_shape *s, const struct kernel *kernel, int rows,
              struct arena *mem, struct rng *rng)
{
    struct mlp *m = ret_mlp;
    *m = (struct mlp){.kernel = kernel != NULL ? kernel : kernel_best(),
                      .shape = *s,
                      .n = mlp_weights(s),
                      .rows = rows};
    m->w = floats(mem, (size_t)m->n);
    m->g = floats(mem, (size_t)m->n);
    m->panels = floats(mem, (size_t)n_panels(s));
    float *w = m->w;
    for (int l = 0; l < s->n_layers; l++) {
        const double bound = 1.0 / sqrt((double)s->width[l]);
        const int out = s->width[l + 1], n = out * (s->width[l] + 1);
        for (int i = 0; i < n; i++) {
            w[i] = (float)(bound * (2.0 * rng_uniform(rng) - 1.0));
        }
        if (n_vectors(s, l) > 1) {
            init_norm(&m->norm[l], m->kernel, out, w + n, rows, mem);
        }
        w += layer_weights(s, l);
    }
    mlp_changed(m);
    for (int l = 0; l < s->n_layers; l++) {
        m->x[l] = rows_of(mem, rows, s->width[l]);
    }
    const int out = s->width[s->n_layers];
    m->x[s->n_layers] = (struct matrix){floats(mem, (size_t)rows * (size_t)out), out};
    take_scratch(m, mem);
    for (int l = 0; l < s->n_layers; l++) {
        m->dx[l] = rows_of(mem, rows, l == 0 ? widest(s) : s->width[l]);
    }
}

void mlp_dropout(struct mlp *m, float p, struct arena *mem)
{
    for (int l = 0; l + 1 < m->shape.n_layers; l++) {
        dropout_init(&m->drop[l], m->shape.width[l + 1], p, m->rows, mem);
    }
}

void mlp_draw_dropout(struct mlp *m, int n, struct rng *rng)
{
    for (int l = 0; l + 1 < m->shape.n_layers; l++) {
        dropout_draw(&m->drop[l], n, rng);
    }
}

/* Layer l, its first weight at w + at, its first panel at panels + at_panel. */
static struct layer layer_of(const struct mlp *m, int l, int at, int at_panel, int half)
{
    const int in = m->shape.width[l], out = m->shape.width[l + 1];
    return (struct layer){.in = in,
                          .out = out,
                          .w = {m->w + at, in},
                          .b = m->w + at + in * out,
                          .panels = m->panels + at_panel,
                          .scratch = m->scratch[half]};
}

/*
 * A job in two halves. Rows do not depend on each other, forward or backward; weights do not once
 * all rows are through. Every number is summed in the same order whoever does it.
 */
struct job {
    struct mlp *m;
    struct matrix x; /* forward: what comes in */
    const float *dy;
    int n;
    struct adam *opt;
    struct adam_pass pass;
};

struct span {
    int from, n;
};

/* Who helps: nobody where the kernel has room for one, or where there is only one piece. */
static struct team *team_for(const struct mlp *m, int n, int piece)
{
    return m->kernel->shares && n > piece ? m->team : NULL;
}

/* Half of n things, cut between pieces; all of them where nobody helps. */
static struct span half_of(const struct mlp *m, int n, int piece, int half)
{
    const int half_up = (n / 2 + piece - 1) / piece * piece;
    const int cut = team_for(m, n, piece) == NULL || half_up > n ? n : half_up;
    return half == 0 ? (struct span){0, cut} : (struct span){cut, n - cut};
}

static struct matrix from_row(struct matrix x, int row)
{
    return (struct matrix){x.v + (size_t)row * (size_t)x.ld, x.ld};
}

/* What follows layer l where that is more than a kernel's ReLU: in place. */
static void follow(struct mlp *m, int l, struct span rows)
{
    const struct matrix y = from_row(m->x[l + 1], rows.from);
    const bool relu = m->shape.activation == ACTIVATION_RELU;
    if (m->drop[l].n > 0) { /* what is kept is scaled by no less than 0: the same after a ReLU */
        dropout_apply(&m->drop[l], NULL, rows.from, rows.n, y);
    }
    if (m->shape.layer_norm) {
        layernorm_forward(&m->norm[l], rows.from, rows.n, relu, y);
    }
    for (int i = 0; i < rows.n && !relu; i++) {
        float *yi = from_row(y, i).v;
        m->kernel->tanh(m->shape.width[l + 1], yi, yi);
    }
}

static void forward_half(void *arg, int half)
{
    const struct job *j = arg;
    struct mlp *m = j->m;
    const struct span rows = half_of(m, j->n, ROWS_PIECE, half);
    int at = 0, at_panel = 0;
    for (int l = 0; l < m->shape.n_layers && rows.n > 0; l++) {
        const struct layer y = layer_of(m, l, at, at_panel, half);
        const bool hidden = is_hidden(&m->shape, l);
        m->kernel->forward(&y, from_row(l == 0 ? j->x : m->x[l], rows.from), rows.n,
                           hidden && relu_alone(&m->shape), from_row(m->x[l + 1], rows.from));
        if (hidden) {
            follow(m, l, rows);
        }
        at += layer_weights(&m->shape, l);
        at_panel += padded(y.out) * y.in;
    }
}

static float *forward(struct mlp *m, struct matrix x, int n)
{
    struct job j = {.m = m, .x = x, .n = n};
    basal_assert(n <= m->rows);
    team_run(team_for(m, n, ROWS_PIECE), forward_half, &j);
    return m->x[m->shape.n_layers].v;
}

float *mlp_forward_inside(struct mlp *m, int n)
{
    return forward(m, m->x[0], n);
}

float *mlp_value(struct mlp *m, const float *x, int n)
{
    return forward(m, (struct matrix){(float *)x, m->shape.width[0]}, n);
}

float *mlp_forward(struct mlp *m, const float *x, int n)
{
    const int in = m->shape.width[0];
    basal_assert(n <= m->rows);
    for (int i = 0; i < n; i++, x += in) {
        float *row = from_row(m->x[0], i).v;
        for (int k = 0; k < in; k++) { /* often but three: no call for them */
            row[k] = x[k];
        }
    }
    return mlp_forward_inside(m, n);
}

/* dL/d(output of layer l) */
static struct matrix dy_of(const struct mlp *m, int l, const float *dy)
{
    const int last = m->shape.n_layers - 1;
    return l < last ? m->dx[l + 1] : (struct matrix){(float *)dy, m->shape.width[last + 1]};
}

/* Rows of the last forward: n from row from on, or those that are named. */
struct some_rows {
    const int *rows;
    int from, n;
    int half; /* who computes them */
};

/* Layer l's inputs in some rows. */
static struct matrix inputs(const struct mlp *m, int l, const struct some_rows *r)
{
    const struct matrix x = m->x[l], some = {m->dx[0].v, x.ld};
    if (r->rows == NULL) {
        return from_row(x, r->from);
    }
    for (int i = 0; i < r->n; i++) {
        memcpy(from_row(some, i).v, from_row(x, r->rows[i]).v,
               (size_t)m->shape.width[l] * sizeof(float));
    }
    return some;
}

/* From dL/d(output of layer l) to that of layer l - 1, into dx[l]: through the weights, then
 * through what follows that layer. */
static void backward_layer(const struct mlp *m, int l, int at, struct matrix dy,
                           const struct some_rows *r)
{
    const struct layer y = layer_of(m, l, at, 0, r->half);
    const struct matrix x = inputs(m, l, r), dx = from_row(m->dx[l], r->from);
    const struct layernorm *norm = &m->norm[l - 1];
    const bool relu = m->shape.activation == ACTIVATION_RELU;
    const struct matrix d = m->shape.layer_norm ? from_row(norm->dy, r->from) : dx;
    m->kernel->backward_input(&y, dy, r->n, relu ? x : (struct matrix){0}, d);
    for (int i = 0; i < r->n && !relu; i++) {
        const float *xi = from_row(x, i).v;
        float *di = from_row(d, i).v;
        for (int k = 0; k < y.in; k++) {
            di[k] *= 1.0f - xi[k] * xi[k];
        }
    }
    if (m->shape.layer_norm) {
        layernorm_backward(norm, r->rows, r->from, r->n, dx);
    }
    if (m->drop[l - 1].n > 0) {
        dropout_apply(&m->drop[l - 1], r->rows, r->from, r->n, dx);
    }
}

static void backward_rows(void *arg, int half)
{
    const struct job *j = arg;
    const struct mlp *m = j->m;
    const struct span half_rows = half_of(m, j->n, ROWS_PIECE, half);
    const struct some_rows rows = {.from = half_rows.from, .n = half_rows.n, .half = half};
    int at = m->n;
    for (int l = m->shape.n_layers - 1; l > 0 && rows.n > 0; l--) {
        at -= layer_weights(&m->shape, l);
        backward_layer(m, l, at, from_row(dy_of(m, l, j->dy), rows.from), &rows);
    }
}

static void backward_weights(void *arg, int half)
{
    const struct job *j = arg;
    const struct mlp *m = j->m;
    int at = m->n;
    for (int l = m->shape.n_layers - 1; l >= 0; l--) {
        at -= layer_weights(&m->shape, l);
        struct layer y = layer_of(m, l, at, 0, half);
        const struct span outs = half_of(m, y.out, PANEL, half);
        struct matrix dy = dy_of(m, l, j->dy);
        float *dw = m->g + at + outs.from * y.in, *db = m->g + at + y.out * y.in + outs.from;
        if (n_vectors(&m->shape, l) > 1) {
            layernorm_weights(&m->norm[l], outs.from, outs.n, j->n, db + y.out, db + 2 * y.out);
        }
        y.out = outs.n;
        dy.v += outs.from;
        if (outs.n > 0) {
            m->kernel->backward_weights(&y, dy, m->x[l], j->n, dw, db);
        }
    }
}

void mlp_backward(struct mlp *m, const float *dy, int n)
{
    struct job j = {.m = m, .dy = dy, .n = n};
    team_run(team_for(m, n, ROWS_PIECE), backward_rows, &j);
    team_run(team_for(m, widest(&m->shape), PANEL), backward_weights, &j);
}

/* Whole panels of so many weights that what is written is still near when its panel is made. */
static int piece_rows(int in)
{
    const int rows = STEP_PIECE / in / PANEL * PANEL;
    return rows > PANEL ? rows : PANEL;
}

static void step_half(void *arg, int half)
{
    const struct job *j = arg;
    const struct mlp *m = j->m;
    const struct adam *o = j->opt;
    int at = 0, at_panel = 0;
    for (int l = 0; l < m->shape.n_layers; l++) {
        const int in = m->shape.width[l], out = m->shape.width[l + 1];
        const struct span outs = half_of(m, out, PANEL, half);
        const int b = at + out * in + outs.from;
        const int piece = piece_rows(in);
        for (int i = 0; i < outs.n; i += piece) {
            const int here = outs.n - i < piece ? outs.n - i : piece;
            const int w = at + (outs.from + i) * in;
            m->kernel->adam(here * in, &j->pass, m->g + w, o->m + w, o->v + w, m->w + w);
            m->kernel->panels(in, here, m->w + w, m->panels + at_panel + (outs.from + i) * in);
        }
        for (int k = b; k < b + n_vectors(&m->shape, l) * out; k += out) {
            m->kernel->adam(outs.n, &j->pass, m->g + k, o->m + k, o->v + k, m->w + k);
        }
        at += layer_weights(&m->shape, l);
        at_panel += padded(out) * in;
    }
}

void mlp_step(struct mlp *m, struct adam *o)
{
    struct job j = {.m = m, .opt = o};
    adam_prepare(o, m->w, m->g);
    adam_next(o, &j.pass);
    team_run(team_for(m, widest(&m->shape), PANEL), step_half, &j);
}

void mlp_backward_input(struct mlp *m, const float *dy, const struct input_part *part,
                        float *ret_dx)
{
    const struct mlp_shape *s = &m->shape;
    const struct some_rows rows = {.rows = part->rows, .n = part->n};
    struct matrix d = {(float *)dy, s->width[s->n_layers]};
    int at = m->n;
    for (int l = s->n_layers - 1; l > 0; l--) {
        at -= layer_weights(s, l);
        backward_layer(m, l, at, d, &rows);
        d = m->dx[l];
    }
    struct layer first = layer_of(m, 0, 0, 0, 0);
    first.in = part->columns;
    first.w.v += part->from;
    m->kernel->backward_input(&first, d, part->n, (struct matrix){0},
                              (struct matrix){ret_dx, part->columns});
}

void mlp_changed(struct mlp *m)
{
    int at = 0, at_panel = 0;
    for (int l = 0; l < m->shape.n_layers; l++) {
        const int in = m->shape.width[l], out = m->shape.width[l + 1];
        m->kernel->panels(in, out, m->w + at, m->panels + at_panel);
        at += layer_weights(&m->shape, l);
        at_panel += padded(out) * in;
    }
}

/* Panels are the weights in another order: in float they blend as these do. */
void mlp_blend(const struct mlp *m, float tau, struct mlp *target)
{
    m->kernel->blend(m->n, tau, m->w, target->w);
    if (m->kernel->precision == PRECISION_FP32) {
        m->kernel->blend(n_panels(&m->shape), tau, m->panels, target->panels);
    } else {
        mlp_changed(target);
    }
}

void mlp_copy(const struct mlp *m, struct mlp *ret_copy)
{
    memcpy(ret_copy->w, m->w, (size_t)m->n * sizeof(float));
    mlp_changed(ret_copy);
}

int mlp_save(const struct mlp *m, float *ret_w, int n_max)
{
    if (m->n > n_max) {
        return -ENOSPC;
    }
    memcpy(ret_w, m->w, (size_t)m->n * sizeof *ret_w);
    return m->n;
}
