#include "policies/nn/clip.h"

#include <math.h>

#define CLIP_EPS 1e-6

void clip_together(const struct gradient *parts, int n_parts, double max_norm)
{
    double sum = 0.0;
    for (int k = 0; k < n_parts; k++) {
        for (int i = 0; i < parts[k].n; i++) {
            sum += (double)parts[k].g[i] * (double)parts[k].g[i];
        }
    }
    const double by = max_norm / (sqrt(sum) + CLIP_EPS);
    for (int k = 0; k < n_parts && max_norm > 0.0 && by < 1.0; k++) {
        for (int i = 0; i < parts[k].n; i++) {
            parts[k].g[i] *= (float)by;
        }
    }
}
