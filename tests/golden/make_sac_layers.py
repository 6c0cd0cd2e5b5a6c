"""make_sac.py with layer normalisation in all networks (Ba et al. 2016, arXiv:1607.06450) and clipped gradients.

usage: make_sac_layers.py FILE
"""
import sys

import make_sac

NORM, EPS = 2.0**-6, 2.0**-12  # so small a gradient is rounded, which a small epsilon would show

make_sac.main(
    sys.argv[1],
    pi={"normalised": True},
    qf={"normalised": True},
    optimizer={"eps": EPS},
    max_grad_norm=NORM,
    options={
        "layer_norm": "true",
        "layer_norm_actor": "true",
        "max_grad_norm": str(NORM),
        "optimizer_eps": str(EPS),
    },
)
