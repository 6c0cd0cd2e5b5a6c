"""make_ddpg.py with layer normalisation in the actor alone, other constants of Adam, clipping before an L2 penalty.

usage: make_ddpg_layers.py FILE
"""
import sys

import make_ddpg

NORM, DECAY, BETAS, EPS = 2.0**-9, 2.0**-7, (0.5, 0.75), 2.0**-10

make_ddpg.main(
    sys.argv[1],
    pi={"normalised": True},
    optimizer={"weight_decay": DECAY, "betas": BETAS, "eps": EPS},
    max_grad_norm=NORM,
    options={
        "layer_norm_actor": "true",
        "max_grad_norm": str(NORM),
        "optimizer_weight_decay": str(DECAY),
        "optimizer_betas": str(list(BETAS)),
        "optimizer_eps": str(EPS),
    },
)
