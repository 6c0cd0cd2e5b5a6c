#include "policies/nn/dueling.h"

void dueling_combine(int choices, int atoms, const float *raw, float *ret_q)
{
    const float *adv = raw + atoms, part = 1.0f / (float)choices;
    for (int k = 0; k < atoms; k++) {
        float mean = 0.0f;
        for (int a = 0; a < choices; a++) {
            mean += part * adv[a * atoms + k];
        }
        for (int a = 0; a < choices; a++) {
            ret_q[a * atoms + k] = raw[k] + adv[a * atoms + k] - mean;
        }
    }
}

void dueling_backward(int choices, int atoms, const float *dq, float *ret_draw)
{
    const float part = 1.0f / (float)choices;
    for (int k = 0; k < atoms; k++) {
        float sum = 0.0f;
        for (int a = 0; a < choices; a++) {
            sum += dq[a * atoms + k];
        }
        ret_draw[k] = sum;
        for (int a = 0; a < choices; a++) {
            ret_draw[(1 + a) * atoms + k] = dq[a * atoms + k] - part * sum;
        }
    }
}
