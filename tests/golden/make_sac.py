"""Five updates of soft actor-critic by torch: Haarnoja et al. 2018, arXiv:1812.05905, Algorithm 1, equations 5 to 18.

usage: make_sac.py FILE
"""
import math
import random
import sys

import golden as g
import torch

N_OBS, N_ACT, BATCH, UPDATES = 5, 2, 8, 5
HIDDEN = [8, 8]
LR, TAU, ALPHA_0, ENTROPY_PER_ACTION = 2.0**-10, 2.0**-8, 0.25, -1.0
NOISE_SEED = 77


def sample(net, s, eps):
    """a = tanh(mu + sigma eps) and log pi(a|s); log(1 - tanh^2 u) = 2 (log 2 - u - softplus(-2 u))."""
    out = g.apply_net(net, s)
    mu, log_std = out[:, :N_ACT], torch.clamp(out[:, N_ACT:], -20.0, 2.0)
    u = mu + torch.exp(log_std) * eps
    normal = torch.distributions.Normal(mu, torch.exp(log_std))
    squash = 2.0 * (math.log(2.0) - u - torch.nn.functional.softplus(-2.0 * u))
    return torch.tanh(u), (normal.log_prob(u) - squash).sum(dim=1)


def main(path, pi=None, qf=None, optimizer=None, max_grad_norm=0.0, options=None):
    draw = random.Random(5)
    noise = g.Xoshiro(NOISE_SEED)
    actor = g.make_net(draw, [N_OBS] + HIDDEN + [2 * N_ACT], **(pi or {}))
    critics = [g.make_net(draw, [N_OBS + N_ACT] + HIDDEN + [1], **(qf or {})) for _ in range(2)]
    targets = [g.copy_net(q) for q in critics]
    log_alpha = torch.tensor([math.log(ALPHA_0)], requires_grad=True)
    # one optimiser each: the moments are dumped by network
    adam = lambda p: torch.optim.Adam(p, lr=LR, **(optimizer or {}))
    actor_adam, critic_adam = adam(actor), [adam(q) for q in critics]
    alpha_adam = torch.optim.Adam([log_alpha], lr=LR)

    def picture():
        t = {}
        g.put_net(t, "actor", actor)
        g.put_adam(t, "actor", actor, actor_adam)
        for i in range(2):
            g.put_net(t, f"critic{i}", critics[i])
            g.put_adam(t, f"critic{i}", critics[i], critic_adam[i])
            g.put_net(t, f"critic{i}_target", targets[i])
        t["log_ent_coef"] = g.numbers(log_alpha)
        return t

    batches = g.make_batches(draw, UPDATES, BATCH, N_OBS, N_ACT)
    pictures, stats, noises = {"0": picture()}, [], []
    for k, raw in enumerate(batches):
        b = g.rows(raw, N_OBS, N_ACT)
        eps = [torch.tensor(noise.normals(BATCH * N_ACT)).reshape(BATCH, N_ACT) for _ in range(2)]
        noises.append([g.numbers(e) for e in eps])
        alpha = log_alpha.detach().exp()

        with torch.no_grad():
            a2, logp2 = sample(actor, b["s2"], eps[0])
            v2 = torch.minimum(g.q_of(targets[0], b["s2"], a2), g.q_of(targets[1], b["s2"], a2)) - alpha * logp2
            y = b["r"] + b["g"] * v2
        critic_loss = 0.0
        for i in range(2):
            loss = (b["w"] * 0.5 * (g.q_of(critics[i], b["s"], b["a"]) - y) ** 2).mean()
            g.step(critics[i], critic_adam[i], loss, max_grad_norm)
            critic_loss += 0.5 * loss.item()

        a, logp = sample(actor, b["s"], eps[1])
        q = torch.minimum(g.q_of(critics[0], b["s"], a), g.q_of(critics[1], b["s"], a))
        actor_loss = (alpha * logp - q).mean()
        g.step(actor, actor_adam, actor_loss, max_grad_norm)

        alpha_loss = (-log_alpha * (logp.detach() + N_ACT * ENTROPY_PER_ACTION)).mean()
        alpha_adam.zero_grad()
        alpha_loss.backward()
        alpha_adam.step()

        for i in range(2):
            g.blend(critics[i], targets[i], TAU)
        stats.append(
            {
                "train/critic_loss": critic_loss,
                "train/actor_loss": actor_loss.item(),
                "train/ent_coef": alpha.item(),
                "train/ent_coef_loss": alpha_loss.item(),
                "train/entropy": -logp.mean().item(),
            }
        )
        if k + 1 in (1, UPDATES):
            pictures[str(k + 1)] = picture()
    g.dump(
        path,
        {
            "algo": "sac",
            "n_obs": N_OBS,
            "n_act": N_ACT,
            "batch": BATCH,
            "noise_seed": NOISE_SEED,
            "options": {
                "net_arch": str(HIDDEN),
                "learning_rate": str(LR),
                "tau": str(TAU),
                "ent_coef": f"auto_{ALPHA_0}",
                "target_entropy": str(N_ACT * ENTROPY_PER_ACTION),
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
