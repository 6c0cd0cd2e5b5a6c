/* What the chain's two files share. */
#pragma once

#include "daemon/base/chain.h"

/* ret_r [3,3]: the frame of a link whose joint stands at q, in the frame before it. */
void chain_turn(const struct chain_link *l, double q, double *ret_r) BASAL_RT;
