#include "policies/nn/mlp.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define ROWS_PIECE 12 /* of a batch: whole tiles of six rows, or of four */

void mlp_shape(struct mlp_shape *ret_shape, int n_in, const int *hidden, int n_hidden, int n_out)
{
    basal_assert(n_hidden >= 0 && n_hidden < LAYERS_MAX);
    ret_shape->n_layers = n_hidden + 1;
    ret_shape->width[0] = n_in;
    for (int l = 0; l < n_hidden; l++) {
        basal_assert(hidden[l] <= MLP_WIDTH_MAX);
        ret_shape->width[l + 1] = hidden[l];
    }
    ret_shape->width[n_hidden + 1] = n_out;
}

int mlp_weights(const struct mlp_shape *s)
{
    int n = 0;
    for (int l = 0; l < s->n_layers; l++) {
        n += s->width[l + 1] * (s->width[l] + 1);
    }
    return n;
}

static int widest(const struct mlp_shape *s)
{
    int most = 0;
    for (int l = 0; l <= s->n_layers; l++) {
        most = s->width[l] > most ? s->width[l] : most;
    }
    return most;
}

static int padded(int n)
{
    return (n + PANEL - 1) / PANEL * PANEL;
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
        const int n = s->width[l + 1] * (s->width[l] + 1);
        for (int i = 0; i < n; i++) {
            w[i] = (float)(bound * (2.0 * rng_uniform(rng) - 1.0));
        }
        w += n;
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

static void forward_half(void *arg, int half)
{
    const struct job *j = arg;
    const struct mlp *m = j->m;
    const struct span rows = half_of(m, j->n, ROWS_PIECE, half);
    int at = 0, at_panel = 0;
    for (int l = 0; l < m->shape.n_layers && rows.n > 0; l++) {
        const struct layer y = layer_of(m, l, at, at_panel, half);
        m->kernel->forward(&y, from_row(m->x[l], rows.from), rows.n, l + 1 < m->shape.n_layers,
                           from_row(m->x[l + 1], rows.from));
        at += y.out * (y.in + 1);
        at_panel += padded(y.out) * y.in;
    }
}

float *mlp_forward_inside(struct mlp *m, int n)
{
    struct job j = {.m = m, .n = n};
    basal_assert(n <= m->rows);
    team_run(team_for(m, n, ROWS_PIECE), forward_half, &j);
    return m->x[m->shape.n_layers].v;
}

float *mlp_forward(struct mlp *m, const float *x, int n)
{
    const size_t in = (size_t)m->shape.width[0];
    basal_assert(n <= m->rows);
    for (int i = 0; i < n; i++) {
        memcpy(m->x[0].v + (size_t)i * (size_t)m->x[0].ld, x + (size_t)i * in, in * sizeof(float));
    }
    return mlp_forward_inside(m, n);
}

/* dL/d(output of layer l) */
static struct matrix dy_of(const struct mlp *m, int l, const float *dy)
{
    const int last = m->shape.n_layers - 1;
    return l < last ? m->dx[l + 1] : (struct matrix){(float *)dy, m->shape.width[last + 1]};
}

static void backward_rows(void *arg, int half)
{
    const struct job *j = arg;
    const struct mlp *m = j->m;
    const struct span rows = half_of(m, j->n, ROWS_PIECE, half);
    int at = m->n;
    for (int l = m->shape.n_layers - 1; l > 0 && rows.n > 0; l--) {
        at -= m->shape.width[l + 1] * (m->shape.width[l] + 1);
        const struct layer y = layer_of(m, l, at, 0, half);
        m->kernel->backward_input(&y, from_row(dy_of(m, l, j->dy), rows.from), rows.n,
                                  from_row(m->x[l], rows.from), from_row(m->dx[l], rows.from));
    }
}

static void backward_weights(void *arg, int half)
{
    const struct job *j = arg;
    const struct mlp *m = j->m;
    int at = m->n;
    for (int l = m->shape.n_layers - 1; l >= 0; l--) {
        at -= m->shape.width[l + 1] * (m->shape.width[l] + 1);
        struct layer y = layer_of(m, l, at, 0, half);
        const struct span outs = half_of(m, y.out, PANEL, half);
        struct matrix dy = dy_of(m, l, j->dy);
        float *dw = m->g + at + outs.from * y.in, *db = m->g + at + y.out * y.in + outs.from;
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
        for (int i = 0; i < outs.n; i += PANEL) { /* what was written is still near */
            const int here = outs.n - i < PANEL ? outs.n - i : PANEL;
            const int w = at + (outs.from + i) * in;
            m->kernel->adam(here * in, &j->pass, m->g + w, o->m + w, o->v + w, m->w + w);
            m->kernel->panels(in, here, m->w + w, m->panels + at_panel + (outs.from + i) * in);
        }
        m->kernel->adam(outs.n, &j->pass, m->g + b, o->m + b, o->v + b, m->w + b);
        at += out * (in + 1);
        at_panel += padded(out) * in;
    }
}

void mlp_step(struct mlp *m, struct adam *o)
{
    struct job j = {.m = m, .opt = o};
    adam_next(o, &j.pass);
    team_run(team_for(m, widest(&m->shape), PANEL), step_half, &j);
}

/* Layer l's inputs in the rows that are asked for. */
static struct matrix picked(const struct mlp *m, int l, const struct input_part *part)
{
    const struct matrix x = m->x[l], some = {m->dx[0].v, x.ld};
    if (part->rows == NULL) {
        return x;
    }
    for (int i = 0; i < part->n; i++) {
        memcpy(some.v + (size_t)i * (size_t)some.ld, x.v + (size_t)part->rows[i] * (size_t)x.ld,
               (size_t)m->shape.width[l] * sizeof(float));
    }
    return some;
}

void mlp_backward_input(struct mlp *m, const float *dy, const struct input_part *part,
                        float *ret_dx)
{
    const struct mlp_shape *s = &m->shape;
    struct matrix d = {(float *)dy, s->width[s->n_layers]};
    int at = m->n;
    for (int l = s->n_layers - 1; l > 0; l--) {
        at -= s->width[l + 1] * (s->width[l] + 1);
        const struct layer y = layer_of(m, l, at, 0, 0);
        m->kernel->backward_input(&y, d, part->n, picked(m, l, part), m->dx[l]);
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
        at += out * (in + 1);
        at_panel += padded(out) * in;
    }
}

void mlp_blend(const struct mlp *m, float tau, struct mlp *target)
{
    int at = 0, at_panel = 0;
    for (int l = 0; l < m->shape.n_layers; l++) {
        const int in = m->shape.width[l], out = m->shape.width[l + 1], b = at + out * in;
        for (int o = 0; o < out; o += PANEL) {
            const int here = out - o < PANEL ? out - o : PANEL, w = at + o * in;
            m->kernel->blend(here * in, tau, m->w + w, target->w + w);
            m->kernel->panels(in, here, target->w + w, target->panels + at_panel + o * in);
        }
        m->kernel->blend(out, tau, m->w + b, target->w + b);
        at += out * (in + 1);
        at_panel += padded(out) * in;
    }
}

void mlp_copy(const struct mlp *m, struct mlp *ret_copy)
{
    memcpy(ret_copy->w, m->w, (size_t)m->n * sizeof(float));
    mlp_changed(ret_copy);
}

static int n_packed(const struct mlp_shape *s)
{
    int n = n_panels(s);
    for (int l = 0; l < s->n_layers; l++) {
        n += padded(s->width[l + 1]);
    }
    return n;
}

int mlp_pack(const struct mlp_shape *s, const float *w, int n, float *ret_packed, int n_max)
{
    const int wanted = n_packed(s);
    const struct kernel *k = kernel_best();
    float *p = ret_packed;
    if (n != mlp_weights(s) || wanted > n_max) {
        return -EPROTO;
    }
    memset(p, 0, (size_t)wanted * sizeof(float));
    for (int l = 0; l < s->n_layers; l++) {
        const int in = s->width[l], out = s->width[l + 1], wide = padded(out);
        k->panels(in, out, w, p);
        memcpy(p + in * wide, w + out * in, (size_t)out * sizeof(float));
        w += out * (in + 1);
        p += wide * (in + 1);
    }
    return wanted;
}

void mlp_row(const struct mlp_shape *s, const float *packed, const float *x, float *ret_y)
{
    _Alignas(CACHE_LINE) float buf[2][MLP_WIDTH_MAX];
    const struct kernel *k = kernel_best();
    for (int l = 0; l < s->n_layers; l++) {
        const int in = s->width[l], out = s->width[l + 1], wide = padded(out);
        k->row(packed, packed + in * wide, x, in, out, l + 1 < s->n_layers, buf[l % 2]);
        x = buf[l % 2];
        packed += (size_t)wide * (size_t)(in + 1);
    }
    memcpy(ret_y, x, (size_t)s->width[s->n_layers] * sizeof(float));
}
