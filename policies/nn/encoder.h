/*
 * What stands between an observation and the first dense layer: numbers pass, pictures go through
 * convolutions. Without a picture it is nothing, and costs nothing.
 *
 *   obs [n_vector numbers, then history pictures] -> features [n_vector, then the last convolution]
 */
#pragma once

#include "policies/nn/conv.h"
#include "policies/policy.h"

#define CONVS_MAX 3

struct encoder_settings {
    int n_filters, filters[CONVS_MAX];
    int n_kernels, kernels[CONVS_MAX];
    int n_strides, strides[CONVS_MAX];
};

/* clang-format off */
/* AT(field) is the offset of a field of the algorithm's settings, whose encoder is an encoder_settings. */
#define ENCODER_OPTIONS \
    {.key = "cnn_filters", .type = OPTION_INTS, .offset = AT(encoder.filters), .min = 1, .max = MLP_WIDTH_MAX, .def = "[16]", \
     .n_max = CONVS_MAX, .n_offset = AT(encoder.n_filters), .help = "filters of each convolution over pictures"}, \
    {.key = "cnn_kernel_sizes", .type = OPTION_INTS, .offset = AT(encoder.kernels), .min = 1, .max = PICTURE_MAX, .def = "[3]", \
     .n_max = CONVS_MAX, .n_offset = AT(encoder.n_kernels), .help = "sides of their square kernels, in points"}, \
    {.key = "cnn_strides", .type = OPTION_INTS, .offset = AT(encoder.strides), .min = 1, .max = PICTURE_MAX, .def = "[1]", \
     .n_max = CONVS_MAX, .n_offset = AT(encoder.n_strides), .help = "points from one patch to the next"}

/* clang-format on */

struct encoder_shape {
    int n_obs, n_vector, n_convs;
    int n_features; /* n_obs where there is no picture */
    struct conv_shape conv[CONVS_MAX];
};

/* 0, or -EINVAL and one sentence: lists of different lengths, a kernel that does not fit. */
int encoder_shape(const struct encoder_settings *c, const struct dims *d,
                  struct encoder_shape *ret_shape, char *ret_why, int cap) BASAL_MUST_USE;

struct encoder {
    struct encoder_shape shape;
    struct conv conv[CONVS_MAX];
    float *features;      /* [rows,n_features] */
    float *dx[CONVS_MAX]; /* of what comes into convolution l > 0 */
};

void encoder_init(struct encoder *ret_encoder, const struct encoder_shape *s,
                  const struct net_spec *spec, struct arena *mem, struct rng *rng);

/* obs [n,n_obs] -> [n,n_features], valid until the next forward; obs itself where there is no
 * picture. */
const float *encoder_forward(struct encoder *z, const float *obs, int n);

/* dL/d(features of the last forward) [n,n_features] -> one step of Adam down its gradient. */
void encoder_fit(struct encoder *z, const float *dfeatures, int n);
/* Its first half: the gradient alone. */
void encoder_backward(struct encoder *z, const float *dfeatures, int n);

/* target <- tau z + (1 - tau) target; target <- z; weights were written from outside */
void encoder_blend(const struct encoder *z, float tau, struct encoder *target);
void encoder_copy(const struct encoder *z, struct encoder *ret_copy);
void encoder_changed(struct encoder *z);

/* --- as sent, and in the tick --- */

int encoder_weights(const struct encoder_shape *s);
/* The weights, convolution by convolution; returns how many. */
int encoder_save(const struct encoder *z, float *ret_w);
/* Into the form that encoder_row reads; returns its floats, or -EPROTO: more than n_max. */
int encoder_pack(const struct encoder_shape *s, const float *w, float *ret_packed, int n_max);
/* Floats of scratch that one row takes. */
int encoder_scratch(const struct encoder_shape *s);
/* One observation -> its features: in scratch, or obs itself; *packed is moved past the encoder's
 * own. */
const float *encoder_row(const struct encoder_shape *s, const float **packed, const float *obs,
                         float *scratch) BASAL_RT;
