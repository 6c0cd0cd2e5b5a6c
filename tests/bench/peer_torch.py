#!/usr/bin/python3
"""SAC, TD3 and DDPG by PyTorch (Debian's python3-torch), in eager mode: the mathematics of CleanRL's single files (losses,
networks, optimisers, delays), written anew. One thread unless --threads says more."""
import os

import peer

LR, LR_CRITIC, TAU, GAMMA = 3e-4, 1e-3, 0.005, 0.99
LOG_STD_MIN, LOG_STD_MAX = -5.0, 2.0
POLICY_DELAY, TARGET_NOISE, NOISE_CLIP = 2, 0.2, 0.5


def network(torch, n_in, hidden, n_out, *last):
    layers, width = [], n_in
    for h in hidden:
        layers += [torch.nn.Linear(width, h), torch.nn.ReLU()]
        width = h
    return torch.nn.Sequential(*layers, torch.nn.Linear(width, n_out), *last)


class Learner:
    """What the three have in common: critics with targets, a replay, Polyak's step."""

    def __init__(self, torch, np, a, n_critics):
        torch.manual_seed(a.seed)
        self.torch, self.a, self.n_act, self.updates = torch, a, a.act, 0
        self.replay = peer.Replay(np, a)
        critic = lambda: network(torch, a.obs + a.act, a.hidden, 1)
        self.q = [critic() for _ in range(n_critics)]
        self.q_targ = [self.copy(q, critic()) for q in self.q]
        self.mse = torch.nn.functional.mse_loss

    def copy(self, net, target):
        target.load_state_dict(net.state_dict())
        return target

    def adam(self, nets, lr):
        return self.torch.optim.Adam([w for net in nets for w in net.parameters()], lr=lr)

    def value(self, q, s, a):
        return q(self.torch.cat([s, a], dim=1))

    def step(self, optimiser, loss):
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    def blend(self, net, target):
        for w, t in zip(net.parameters(), target.parameters()):
            t.data.copy_(TAU * w.data + (1.0 - TAU) * t.data)

    def fit_critics(self, optimiser, s, a, y):
        self.step(optimiser, sum(self.mse(self.value(q, s, a), y) for q in self.q))

    def update(self):
        batch = [self.torch.tensor(x) for x in self.replay.sample()]
        self.updates += 1
        if self.a.precision == "bf16":
            with self.torch.autocast("cpu", dtype=self.torch.bfloat16):
                self.learn(*batch)
        else:
            self.learn(*batch)
        return 1


class Sac(Learner):
    """Haarnoja et al. 2018, arXiv:1812.05905, with an automatic temperature."""

    def __init__(self, torch, np, a):
        super().__init__(torch, np, a, 2)
        self.body = network(torch, a.obs, a.hidden[:-1], a.hidden[-1], torch.nn.ReLU())
        self.mean = torch.nn.Linear(a.hidden[-1], a.act)
        self.log_std = torch.nn.Linear(a.hidden[-1], a.act)
        self.actor_adam = self.adam([self.body, self.mean, self.log_std], LR)
        self.critic_adam = self.adam(self.q, LR_CRITIC)
        self.log_alpha = torch.zeros(1, requires_grad=True)
        self.alpha_adam = torch.optim.Adam([self.log_alpha], lr=LR_CRITIC)

    def act(self, s):
        """a = tanh(mu + sigma eps) and log pi(a|s)"""
        t, x = self.torch, self.body(s)
        log_std = LOG_STD_MIN + 0.5 * (LOG_STD_MAX - LOG_STD_MIN) * (t.tanh(self.log_std(x)) + 1.0)
        normal = t.distributions.Normal(self.mean(x), log_std.exp())
        u = normal.rsample()
        a = t.tanh(u)
        return a, (normal.log_prob(u) - t.log(1.0 - a.pow(2) + 1e-6)).sum(1, keepdim=True)

    def learn(self, s, a, r, s2, done):
        t, alpha = self.torch, self.log_alpha.exp().item()
        with t.no_grad():
            a2, logp2 = self.act(s2)
            least = t.minimum(*[self.value(q, s2, a2) for q in self.q_targ]) - alpha * logp2
            y = r + (1.0 - done) * GAMMA * least
        self.fit_critics(self.critic_adam, s, a, y)
        new, logp = self.act(s)
        self.step(self.actor_adam, (alpha * logp - t.minimum(*[self.value(q, s, new) for q in self.q])).mean())
        with t.no_grad():
            _, logp = self.act(s)
        self.step(self.alpha_adam, (-self.log_alpha.exp() * (logp - self.n_act)).mean())
        for q, target in zip(self.q, self.q_targ):
            self.blend(q, target)


class Deterministic(Learner):
    """TD3 (Fujimoto et al. 2018, arXiv:1802.09477) and DDPG (Lillicrap et al. 2016, arXiv:1509.02971), which has one critic,
    no delay and no noise on its target."""

    def __init__(self, torch, np, a):
        self.twin = a.algo == "td3"
        super().__init__(torch, np, a, 2 if self.twin else 1)
        actor = lambda: network(torch, a.obs, a.hidden, a.act, torch.nn.Tanh())
        self.mu = actor()
        self.mu_targ = self.copy(self.mu, actor())
        self.actor_adam = self.adam([self.mu], LR)
        self.critic_adam = self.adam(self.q, LR)

    def learn(self, s, a, r, s2, done):
        t = self.torch
        with t.no_grad():
            a2 = self.mu_targ(s2)
            if self.twin:
                a2 = (a2 + (t.randn_like(a) * TARGET_NOISE).clamp(-NOISE_CLIP, NOISE_CLIP)).clamp(-1.0, 1.0)
            values = [self.value(q, s2, a2) for q in self.q_targ]
            y = r + (1.0 - done) * GAMMA * (t.minimum(*values) if self.twin else values[0])
        self.fit_critics(self.critic_adam, s, a, y)
        if self.twin and self.updates % POLICY_DELAY != 0:
            return
        self.step(self.actor_adam, -self.value(self.q[0], s, self.mu(s)).mean())
        for net, target in zip([self.mu] + self.q, [self.mu_targ] + self.q_targ):
            self.blend(net, target)


def blas():
    """The library that torch's products come from, with its path: which one decides much."""
    with open("/proc/self/maps", encoding="ascii") as f:
        paths = {os.path.realpath(line.split()[-1]) for line in f if "blas" in line.rsplit("/", 1)[-1]}
    own = {p for p in paths if "openblas" in os.path.basename(p)}
    return " ".join(sorted(own or paths)) or "no BLAS"


def main():
    a = peer.arguments(__doc__)
    try:
        import numpy as np
        import torch
    except ImportError as e:
        peer.skip(f"{e}: install python3-torch")
    torch.set_num_threads(a.threads)
    torch.set_flush_denormal(True)
    learner = (Sac if a.algo == "sac" else Deterministic)(torch, np, a)
    peer.run(a, f"torch {torch.__version__}, {blas()}", learner.update)


if __name__ == "__main__":
    main()
