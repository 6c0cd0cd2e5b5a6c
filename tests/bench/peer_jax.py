#!/usr/bin/env python3
"""SAC by JAX: the update of CleanRL and SBX as one compiled graph, 32 updates a call, each on a batch of its own drawn from a
replay in numpy. Needs jax (pip install jax==0.10.0); skipped without."""
import peer

LR, LR_CRITIC, TAU, GAMMA = 3e-4, 1e-3, 0.005, 0.99
BETA1, BETA2, EPS = 0.9, 0.999, 1e-8
LOG_STD_MIN, LOG_STD_MAX = -5.0, 2.0
UPDATES_A_CALL = 32


def build(jax, a):
    """The state at the start, and the compiled function state, batches -> state."""
    jnp = jax.numpy
    tree = jax.tree_util.tree_map

    def network(key, widths):
        layers = []
        for n_in, n_out in zip(widths[:-1], widths[1:]):
            key, k = jax.random.split(key)
            bound = n_in**-0.5
            layers.append((jax.random.uniform(k, (n_in, n_out), minval=-bound, maxval=bound), jnp.zeros(n_out)))
        return layers

    def dot(x, w):
        if a.precision == "bf16":
            x, w = x.astype(jnp.bfloat16), w.astype(jnp.bfloat16)
        return jnp.matmul(x, w, preferred_element_type=jnp.float32)

    def forward(net, x):
        for w, b in net[:-1]:
            x = jax.nn.relu(dot(x, w) + b)
        return dot(x, net[-1][0]) + net[-1][1]

    def act(actor, s, key):
        mean, x = jnp.split(forward(actor, s), 2, axis=1)
        log_std = LOG_STD_MIN + 0.5 * (LOG_STD_MAX - LOG_STD_MIN) * (jnp.tanh(x) + 1.0)
        eps = jax.random.normal(key, mean.shape)
        u = mean + jnp.exp(log_std) * eps
        logp = -0.5 * eps**2 - log_std - 0.9189385 - 2.0 * (jnp.log(2.0) - u - jax.nn.softplus(-2.0 * u))
        return jnp.tanh(u), logp.sum(axis=1)

    def values(critics, s, action):
        x = jnp.concatenate([s, action], axis=1)
        return jax.vmap(lambda q: forward(q, x)[:, 0])(critics)

    def adam(w, g, m, v, t, lr):
        m = tree(lambda m, g: BETA1 * m + (1 - BETA1) * g, m, g)
        v = tree(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, v, g)
        c1, c2 = 1 - BETA1**t, 1 - BETA2**t
        return tree(lambda w, m, v: w - lr * (m / c1) / (jnp.sqrt(v / c2) + EPS), w, m, v), m, v

    def fit(state, name, g, lr):
        w, m, v = adam(state[name], g, state[name + "_m"], state[name + "_v"], state["t"], lr)
        return {**state, name: w, name + "_m": m, name + "_v": v}

    def update(state, batch):
        s, action, r, s2, done = batch
        key, k1, k2 = jax.random.split(state["key"], 3)
        state = {**state, "key": key, "t": state["t"] + 1.0}
        alpha = jnp.exp(state["log_alpha"])
        a2, logp2 = act(state["actor"], s2, k1)
        least = values(state["q_targ"], s2, a2).min(axis=0) - alpha * logp2
        y = r[:, 0] + (1.0 - done[:, 0]) * GAMMA * least
        critic_loss = lambda q: ((values(q, s, action) - y) ** 2).mean(axis=1).sum()
        state = fit(state, "q", jax.grad(critic_loss)(state["q"]), LR_CRITIC)

        def actor_loss(actor):
            new, logp = act(actor, s, k2)
            return (alpha * logp - values(state["q"], s, new).min(axis=0)).mean(), logp

        g, logp = jax.grad(actor_loss, has_aux=True)(state["actor"])
        state = fit(state, "actor", g, LR)
        alpha_loss = lambda log_alpha: -(jnp.exp(log_alpha) * (jax.lax.stop_gradient(logp) - a.act)).mean()
        state = fit(state, "log_alpha", jax.grad(alpha_loss)(state["log_alpha"]), LR_CRITIC)
        return {**state, "q_targ": tree(lambda t, w: t + TAU * (w - t), state["q_targ"], state["q"])}, None

    keys = jax.random.split(jax.random.PRNGKey(a.seed), 4)
    critics = [network(k, [a.obs + a.act] + a.hidden + [1]) for k in keys[:2]]
    state = {"actor": network(keys[2], [a.obs] + a.hidden + [2 * a.act]),
             "q": tree(lambda *w: jnp.stack(w), *critics),
             "log_alpha": jnp.zeros(())}
    for name in ("actor", "q", "log_alpha"):
        state[name + "_m"] = tree(jnp.zeros_like, state[name])
        state[name + "_v"] = tree(jnp.zeros_like, state[name])
    state = {**state, "q_targ": tree(jnp.copy, state["q"]), "key": keys[3], "t": jnp.zeros(())}
    return state, jax.jit(lambda state, batches: jax.lax.scan(update, state, batches)[0], donate_argnums=0)


def main():
    a = peer.arguments(__doc__)
    if a.threads == 1:
        peer.os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
        peer.os.environ["NPROC"] = "1"  # XLA's pool of threads
    try:
        import jax
        import numpy as np
    except ImportError as e:
        peer.skip(f"{e}: pip install jax")
    if a.algo != "sac":
        peer.skip(f"{a.algo}: sac only")
    replay = peer.Replay(np, a)
    state, learn = build(jax, a)
    holder = [state]

    def update():
        batches = [np.stack(x) for x in zip(*[replay.sample() for _ in range(UPDATES_A_CALL)])]
        holder[0] = learn(holder[0], batches)
        jax.block_until_ready(holder[0]["t"])
        return UPDATES_A_CALL

    peer.run(a, f"jax {jax.__version__}", update)


if __name__ == "__main__":
    main()
