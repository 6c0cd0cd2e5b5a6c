"""Five updates of twin delayed deterministic policy gradient by torch: Fujimoto et al. 2018, arXiv:1802.09477, Algorithm 1.

usage: make_td3.py FILE
"""
import random
import sys

import golden as g
import torch

N_OBS, N_ACT, BATCH, UPDATES = 5, 3, 7, 5
HIDDEN = [8, 8]
LR, TAU, DELAY, NOISE_STD, NOISE_CLIP = 2.0**-10, 2.0**-7, 2, 0.375, 0.5
NOISE_SEED = 78


def main(path, pi=None, qf=None, optimizer=None, max_grad_norm=0.0, options=None):
    draw = random.Random(7)
    noise = g.Xoshiro(NOISE_SEED)
    actor = g.make_net(draw, [N_OBS] + HIDDEN + [N_ACT], **(pi or {}))
    critics = [g.make_net(draw, [N_OBS + N_ACT] + HIDDEN + [1], **(qf or {})) for _ in range(2)]
    actor_target, targets = g.copy_net(actor), [g.copy_net(q) for q in critics]
    adam = lambda p: torch.optim.Adam(p, lr=LR, **(optimizer or {}))
    actor_adam, critic_adam = adam(actor), [adam(q) for q in critics]

    def picture():
        t = {}
        g.put_net(t, "actor", actor)
        g.put_adam(t, "actor", actor, actor_adam)
        g.put_net(t, "actor_target", actor_target)
        for i in range(2):
            g.put_net(t, f"critic{i}", critics[i])
            g.put_adam(t, f"critic{i}", critics[i], critic_adam[i])
            g.put_net(t, f"critic{i}_target", targets[i])
        return t

    batches = g.make_batches(draw, UPDATES, BATCH, N_OBS, N_ACT)
    pictures, stats, noises = {"0": picture()}, [], []
    for k, raw in enumerate(batches):
        b = g.rows(raw, N_OBS, N_ACT)
        eps = torch.tensor(noise.normals(BATCH * N_ACT)).reshape(BATCH, N_ACT)
        noises.append([g.numbers(eps)])
        with torch.no_grad():
            a2 = torch.tanh(g.apply_net(actor_target, b["s2"])) + torch.clamp(NOISE_STD * eps, -NOISE_CLIP, NOISE_CLIP)
            a2 = torch.clamp(a2, -1.0, 1.0)
            y = b["r"] + b["g"] * torch.minimum(*[g.q_of(q, b["s2"], a2) for q in targets])
        critic_loss = 0.0
        for q, q_adam in zip(critics, critic_adam):
            loss = (b["w"] * 0.5 * (g.q_of(q, b["s"], b["a"]) - y) ** 2).mean()
            g.step(q, q_adam, loss, max_grad_norm)
            critic_loss += 0.5 * loss.item()
        stats.append({"train/critic_loss": critic_loss})

        if (k + 1) % DELAY == 0:
            actor_loss = -g.q_of(critics[0], b["s"], torch.tanh(g.apply_net(actor, b["s"]))).mean()
            g.step(actor, actor_adam, actor_loss, max_grad_norm)
            for q, target in zip(critics, targets):
                g.blend(q, target, TAU)
            g.blend(actor, actor_target, TAU)
            stats[-1]["train/actor_loss"] = actor_loss.item()
        if k + 1 in (1, UPDATES):
            pictures[str(k + 1)] = picture()
    g.dump(
        path,
        {
            "algo": "td3",
            "n_obs": N_OBS,
            "n_act": N_ACT,
            "batch": BATCH,
            "noise_seed": NOISE_SEED,
            "options": {
                "net_arch": str(HIDDEN),
                "learning_rate": str(LR),
                "tau": str(TAU),
                "policy_delay": str(DELAY),
                "target_policy_noise": str(NOISE_STD),
                "target_noise_clip": str(NOISE_CLIP),
                **(options or {}),
            },
            "batches": batches,
            "noise": noises,
            "stats": stats,
            "tensors": pictures,
        },
    )


if __name__ == "__main__":
    main(sys.argv[1])
