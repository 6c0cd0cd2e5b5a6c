/*
 * Pictures in the replay: a history of them is a view, made when a row is read.
 */
#pragma once

#include "policies/replay_segment.h"

/*
 * The pictures of the row at w and of the history - 1 rows before it, bytes 0 to 255 as 0 to 1, the
 * oldest first: ret_obs [history,h,w,c]. What would lie before the first row of an episode, or of
 * the replay, is a copy of that first row's: as the loop shows it to the policy.
 */
void picture_gather(const struct replay *r, const _Atomic uint32_t *w, int history, float *ret_obs);
