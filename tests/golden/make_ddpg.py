"""Five updates of deep deterministic policy gradient by torch: Lillicrap et al. 2016, arXiv:1509.02971, Algorithm 1.

usage: make_ddpg.py FILE
"""
import random
import sys

import golden as g
import torch

N_OBS, N_ACT, BATCH, UPDATES = 5, 2, 8, 5
HIDDEN = [8, 8]
LR_CRITIC, LR_ACTOR, TAU = 2.0**-10, 2.0**-11, 2.0**-7


def main(path, pi=None, qf=None, optimizer=None, max_grad_norm=0.0, options=None):
    draw = random.Random(6)
    actor = g.make_net(draw, [N_OBS] + HIDDEN + [N_ACT], **(pi or {}))
    critic = g.make_net(draw, [N_OBS + N_ACT] + HIDDEN + [1], **(qf or {}))
    actor_target, critic_target = g.copy_net(actor), g.copy_net(critic)
    adam = lambda p, lr: torch.optim.Adam(p, lr=lr, **(optimizer or {}))
    actor_adam, critic_adam = adam(actor, LR_ACTOR), adam(critic, LR_CRITIC)

    def picture():
        t = {}
        g.put_net(t, "actor", actor)
        g.put_adam(t, "actor", actor, actor_adam)
        g.put_net(t, "actor_target", actor_target)
        g.put_net(t, "critic", critic)
        g.put_adam(t, "critic", critic, critic_adam)
        g.put_net(t, "critic_target", critic_target)
        return t

    batches = g.make_batches(draw, UPDATES, BATCH, N_OBS, N_ACT)
    pictures, stats = {"0": picture()}, []
    for k, raw in enumerate(batches):
        b = g.rows(raw, N_OBS, N_ACT)
        with torch.no_grad():
            y = b["r"] + b["g"] * g.q_of(critic_target, b["s2"], torch.tanh(g.apply_net(actor_target, b["s2"])))
        critic_loss = (b["w"] * 0.5 * (g.q_of(critic, b["s"], b["a"]) - y) ** 2).mean()
        g.step(critic, critic_adam, critic_loss, max_grad_norm)

        actor_loss = -g.q_of(critic, b["s"], torch.tanh(g.apply_net(actor, b["s"]))).mean()
        g.step(actor, actor_adam, actor_loss, max_grad_norm)

        g.blend(critic, critic_target, TAU)
        g.blend(actor, actor_target, TAU)
        stats.append({"train/critic_loss": critic_loss.item(), "train/actor_loss": actor_loss.item()})
        if k + 1 in (1, UPDATES):
            pictures[str(k + 1)] = picture()
    g.dump(
        path,
        {
            "algo": "ddpg",
            "n_obs": N_OBS,
            "n_act": N_ACT,
            "batch": BATCH,
            "options": {
                "net_arch": str(HIDDEN),
                "learning_rate": str(LR_CRITIC),
                "learning_rate_actor": str(LR_ACTOR),
                "tau": str(TAU),
                **(options or {}),
            },
            "batches": batches,
            "stats": stats,
            "tensors": pictures,
        },
    )


if __name__ == "__main__":
    main(sys.argv[1])
