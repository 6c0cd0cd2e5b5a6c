"""make_td3.py with tanh, layer normalisation in the critics alone, and an L2 penalty.

usage: make_td3_layers.py FILE
"""
import sys

import make_td3
import torch

DECAY = 2.0**-6

make_td3.main(
    sys.argv[1],
    pi={"activation": torch.tanh},
    qf={"activation": torch.tanh, "normalised": True},
    optimizer={"weight_decay": DECAY},
    options={"activation_fn": "tanh", "layer_norm": "true", "optimizer_weight_decay": str(DECAY)},
)
