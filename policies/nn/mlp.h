/*
 * A multi-layer perceptron: ReLU or tanh between layers, after layer normalisation if asked for;
 * linear at the end. One flat block of weights; gradient and optimiser moments share its layout, so
 * that save, send, blend and compare are loops over n.
 *
 *   per layer: W [out,in] row-major, then b [out], then where it is normalised gain and bias [out]
 */
#pragma once

#include "daemon/base/arena.h"
#include "daemon/base/rng.h"
#include "daemon/base/team.h"
#include "daemon/base/types.h"
#include "policies/nn/adam.h"
#include "policies/nn/dropout.h"
#include "policies/nn/layernorm.h"

#define LAYERS_MAX 6

enum activation { ACTIVATION_RELU, ACTIVATION_TANH };

/* For option tables: the names of enum activation. */
extern const char *const activation_names[];

struct mlp_shape {
    int n_layers;              /* weight layers */
    int width[LAYERS_MAX + 1]; /* width[0] inputs ... width[n_layers] outputs */
    int activation;            /* enum activation, of all layers but the last */
    bool layer_norm;           /* between those and their activation */
};

/* What a network is made of that reads states, or states and actions, and learns. */
struct net_spec {
    int n_obs, n_act;
    const int *hidden; /* [n_hidden] widths between */
    int n_hidden;
    int activation; /* enum activation */
    bool layer_norm;
    float dropout;               /* chance that a hidden sum is 0 */
    int rows;                    /* largest batch */
    const struct kernel *kernel; /* NULL: the best */
    struct adam_options adam;
};

struct mlp {
    const struct kernel *kernel;
    struct team *team; /* does half of the work; NULL: nobody. The results are the same bits */
    struct mlp_shape shape;
    int n;                                 /* weights in all */
    int rows;                              /* largest batch */
    float *w, *g;                          /* [n] */
    float *panels;                         /* w in forward's order; mlp_changed makes it */
    float *scratch[2];                     /* the kernel's, for either half */
    struct matrix x[LAYERS_MAX + 1];       /* x[l] [rows,width[l]]: inputs of layer l;
                                              x[n_layers] the output, packed tight */
    struct matrix dx[LAYERS_MAX];          /* dx[l] [rows,width[l]]: dL/d(output of layer l - 1);
                                              dx[0] is scratch */
    struct layernorm norm[LAYERS_MAX - 1]; /* norm[l]: of layer l's outputs */
    struct dropout drop[LAYERS_MAX - 1];   /* drop[l]: of layer l's sums */
};

/* hidden [n_hidden] between n_in and n_out, with ReLU alone; and as a spec says. */
void mlp_shape(struct mlp_shape *ret_shape, int n_in, const int *hidden, int n_hidden, int n_out);
void net_shape(const struct net_spec *spec, int n_in, int n_out, struct mlp_shape *ret_shape);
int mlp_weights(const struct mlp_shape *s);
/* Networks of different shapes have different ids, never 0, but for one in four thousand million.
 */
uint32_t mlp_shape_id(const struct mlp_shape *s);

/* Takes weights, gradient and activations for batches up to rows; weights U(+-1/sqrt(fan_in)),
 * gains 1 and their biases 0. kernel NULL: the best that this processor can run. */
void mlp_init(struct mlp *ret_mlp, const struct mlp_shape *s, const struct kernel *kernel, int rows,
              struct arena *mem, struct rng *rng);

/* Hidden sums are 0 with probability p from now on, as drawn before each pass over n rows. */
void mlp_dropout(struct mlp *m, float p, struct arena *mem);
void mlp_draw_dropout(struct mlp *m, int n, struct rng *rng);

/* x [n,in] -> [n,out], kept inside together with all activations until the next forward. */
float *mlp_forward(struct mlp *m, const float *x, int n);

/* The same where no backward pass follows: x is read where it is. */
float *mlp_value(struct mlp *m, const float *x, int n);

/* The same for inputs that the caller has put into m->x[0] already. */
float *mlp_forward_inside(struct mlp *m, int n);

/* dy [n,out] = dL/d(output) of the last forward, into g. */
void mlp_backward(struct mlp *m, const float *dy, int n);

/* A part of an input: n rows of the last forward (those that are named; NULL: the first n), and
 * some columns of them. */
struct input_part {
    const int *rows; /* [n] */
    int n, from, columns;
};

/* dy [n,out] -> ret_dx [n,columns] = dL/d(that part of the input). Weights' gradients are
 * untouched. */
void mlp_backward_input(struct mlp *m, const float *dy, const struct input_part *part,
                        float *ret_dx);

/* target <- tau m + (1 - tau) target */
void mlp_blend(const struct mlp *m, float tau, struct mlp *target);
void mlp_copy(const struct mlp *m, struct mlp *ret_copy);
/* One step of the optimiser down the gradient g, which is prepared (adam_prepare). */
void mlp_step(struct mlp *m, struct adam *o);
/* w was written from outside, from a checkpoint. */
void mlp_changed(struct mlp *m);
/* Its weights, as they are sent; returns how many, or -ENOSPC. */
int mlp_save(const struct mlp *m, float *ret_w, int n_max);

/*
 * The n weights of a network into the form that mlp_row reads: per layer panels, then b, then gain
 * and bias if it is normalised; outputs are rounded up to whole panels. Returns its floats, or
 * -EPROTO: not this network's number, or more than n_max.
 */
int mlp_pack(const struct mlp_shape *s, const float *w, int n, float *ret_packed, int n_max);
int mlp_packed(const struct mlp_shape *s); /* floats of that form */

#define MLP_WIDTH_MAX 1024

/* One row: the tick's path. x [in] -> ret_y [out]. */
void mlp_row(const struct mlp_shape *s, const float *packed, const float *x, float *ret_y) BASAL_RT;
/* And what its last hidden layer says, unless NULL. */
void mlp_row_hidden(const struct mlp_shape *s, const float *packed, const float *x, float *ret_y,
                    float *ret_hidden) BASAL_RT;
