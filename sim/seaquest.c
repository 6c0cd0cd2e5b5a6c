/*
 * A submarine shoots fish and enemy submarines, 1 for each, and picks up divers; it must come up
 * for air before its oxygen is gone, and not without a diver. Six divers brought up are worth up to
 * 10, by the oxygen left.
 *
 * Fish, enemy submarines and divers cross the sea and move every few frames, bullets every frame.
 * Whoever touches the submarine is the end, but for divers, of whom it carries six. Arriving at the
 * surface without a diver is the end too; else there is oxygen again, one diver leaves (six: all of
 * them), and with ramping enemies come faster each time and move faster every second time.
 *
 * Source of the rules: sim/minatar.h. Departs from them: after six divers none is owed.
 */
#include "sim/minatar_states.h"

enum { FRONT, BACK, BULLET, TRAIL, THEIR_BULLET, FISHES, SUBS, OXYGEN, DIVERS, SWIMMERS, CHANNELS };

#define DEEPEST        8
#define OXYGEN_MAX     200
#define GAUGE          10
#define GAUGE_ROW      9
#define DIVERS_MAX     6
#define SPAWN_EVERY    20
#define DIVER_EVERY    30
#define MOVE_EVERY     5
#define MOVE_EVERY_MIN 2
#define SHOT_EVERY     5
#define THEIR_SHOT     10
#define ONE_IN         3 /* enemies is a submarine */

static void seaquest_reset(void *state, struct rng *rng)
{
    (void)rng;
    struct seaquest_state *s = state;
    s->x = 5;
    s->way = -1;
    s->at_surface = 1;
    s->oxygen = OXYGEN_MAX;
    s->spawn_timer = s->spawn_every = SPAWN_EVERY;
    s->diver_timer = DIVER_EVERY;
    s->move_every = MOVE_EVERY;
}

/* --- lists --- */

static void put(struct seaquest_state *s, enum seaquest_kind kind, struct seaquest_mover m)
{
    if (s->n[kind] < SEAQUEST_MOVERS) {
        s->mover[kind][s->n[kind]++] = m;
    }
}

/* The last one takes its place. */
static void drop(struct seaquest_state *s, enum seaquest_kind kind, int i)
{
    s->mover[kind][i] = s->mover[kind][--s->n[kind]];
}

static bool at_sub(const struct seaquest_state *s, const struct seaquest_mover *m)
{
    return m->x == s->x && m->y == s->y;
}

/* Which of that kind is at m's point; -1: none. */
static int find(const struct seaquest_state *s, enum seaquest_kind kind,
                const struct seaquest_mover *m)
{
    for (int i = 0; i < s->n[kind]; i++) {
        if (s->mover[kind][i].x == m->x && s->mover[kind][i].y == m->y) {
            return i;
        }
    }
    return -1;
}

/* --- who comes --- */

static bool meets(const struct seaquest_state *s, enum seaquest_kind kind,
                  const struct seaquest_mover *m)
{
    for (int i = 0; i < s->n[kind]; i++) {
        if (s->mover[kind][i].y == m->y && s->mover[kind][i].way != m->way) {
            return true;
        }
    }
    return false;
}

static struct seaquest_mover from_a_side(struct rng *rng)
{
    const bool from_left = minatar_coin(rng);
    return (struct seaquest_mover){.x = from_left ? 0 : MINATAR_SIDE - 1,
                                   .y = 1 + (int32_t)rng_below(rng, DEEPEST),
                                   .way = from_left ? 1 : -1,
                                   .move_timer = MOVE_EVERY,
                                   .shot_timer = THEIR_SHOT};
}

static void spawn_enemy(struct seaquest_state *s, struct rng *rng)
{
    const enum seaquest_kind kind = rng_below(rng, ONE_IN) == 0 ? ENEMY_SUB : FISH;
    struct seaquest_mover m = from_a_side(rng);
    m.move_timer = s->move_every;
    if (!meets(s, FISH, &m) && !meets(s, ENEMY_SUB, &m)) {
        put(s, kind, m);
    }
}

static void spawn(struct seaquest_state *s, struct rng *rng)
{
    if (s->spawn_timer == 0) {
        spawn_enemy(s, rng);
        s->spawn_timer = s->spawn_every;
    }
    if (s->diver_timer == 0) {
        put(s, DIVER, from_a_side(rng));
        s->diver_timer = DIVER_EVERY;
    }
}

/* --- who moves --- */

static void move_sub(struct seaquest_state *s, enum minatar_action action)
{
    const int by = (action == MINATAR_RIGHT) - (action == MINATAR_LEFT);
    if (action == MINATAR_FIRE && s->shot_timer == 0) {
        put(s, FRIENDLY_BULLET, (struct seaquest_mover){.x = s->x, .y = s->y, .way = s->way});
        s->shot_timer = SHOT_EVERY;
    }
    s->way = by != 0 ? by : s->way;
    s->x = minatar_clamp(s->x + by, MINATAR_SIDE - 1);
    s->y = minatar_clamp(s->y + (action == MINATAR_DOWN) - (action == MINATAR_UP), DEEPEST);
}

/* Bullet i of ours against all of one kind: both are gone for a point. */
static bool shoots(struct seaquest_state *s, int i, enum seaquest_kind kind)
{
    const int target = find(s, kind, &s->mover[FRIENDLY_BULLET][i]);
    if (target < 0) {
        return false;
    }
    drop(s, kind, target);
    drop(s, FRIENDLY_BULLET, i);
    s->head.score++;
    return true;
}

static void move_bullets(struct seaquest_state *s)
{
    for (int i = s->n[FRIENDLY_BULLET] - 1; i >= 0; i--) {
        struct seaquest_mover *m = &s->mover[FRIENDLY_BULLET][i];
        m->x += m->way;
        if (!minatar_inside(m->x)) {
            drop(s, FRIENDLY_BULLET, i);
        } else if (!shoots(s, i, FISH)) {
            (void)shoots(s, i, ENEMY_SUB);
        }
    }
}

/* One point on, when its timer says so. False: it has left the grid. */
static bool drift(struct seaquest_mover *m, int every)
{
    if (m->move_timer > 0) {
        m->move_timer--;
        return true;
    }
    m->move_timer = every;
    m->x += m->way;
    return minatar_inside(m->x);
}

static void move_divers(struct seaquest_state *s)
{
    for (int i = s->n[DIVER] - 1; i >= 0; i--) {
        struct seaquest_mover *m = &s->mover[DIVER][i];
        const bool room = s->divers < DIVERS_MAX, met = at_sub(s, m);
        const bool there = met && room ? true : drift(m, MOVE_EVERY);
        if (there && room && (met || at_sub(s, m))) {
            s->divers++;
            drop(s, DIVER, i);
        } else if (!there) {
            drop(s, DIVER, i);
        }
    }
}

/* Its shot starts where it was. */
static void shoot_back(struct seaquest_state *s, struct seaquest_mover *m)
{
    if (m->shot_timer > 0) {
        m->shot_timer--;
        return;
    }
    m->shot_timer = THEIR_SHOT;
    put(s, ENEMY_BULLET, (struct seaquest_mover){.x = m->x, .y = m->y, .way = m->way});
}

static void move_enemies(struct seaquest_state *s, enum seaquest_kind kind)
{
    for (int i = s->n[kind] - 1; i >= 0; i--) {
        struct seaquest_mover *m = &s->mover[kind][i];
        const int x = m->x;
        s->head.over |= at_sub(s, m);
        if (!drift(m, s->move_every)) {
            drop(s, kind, i);
            continue;
        }
        s->head.over |= at_sub(s, m);
        if (kind == ENEMY_SUB) {
            shoot_back(s, m);
        }
        const int bullet = m->x != x ? find(s, FRIENDLY_BULLET, m) : -1;
        if (bullet >= 0) { /* it swam into it */
            (void)shoots(s, bullet, kind);
        }
    }
}

static void move_their_bullets(struct seaquest_state *s)
{
    for (int i = s->n[ENEMY_BULLET] - 1; i >= 0; i--) {
        struct seaquest_mover *m = &s->mover[ENEMY_BULLET][i];
        s->head.over |= at_sub(s, m);
        m->x += m->way;
        s->head.over |= at_sub(s, m);
        if (!minatar_inside(m->x)) {
            drop(s, ENEMY_BULLET, i);
        }
    }
}

/* --- air --- */

static int gauge(const struct seaquest_state *s)
{
    return s->oxygen > 0 ? s->oxygen * GAUGE / OXYGEN_MAX : 0;
}

static void ramp(struct seaquest_state *s)
{
    if (s->spawn_every == 1 && s->move_every == MOVE_EVERY_MIN) {
        return;
    }
    const bool second = s->ramps++ % 2 == 1;
    s->move_every -= second && s->move_every > MOVE_EVERY_MIN;
    s->spawn_every -= s->spawn_every > 1;
}

static void surface(struct seaquest_state *s, const struct minatar_config *c)
{
    if (s->divers == 0) {
        s->head.over = 1;
        return;
    }
    const bool all = s->divers == DIVERS_MAX;
    s->head.score += all ? gauge(s) : 0;
    s->divers = all ? 0 : s->divers - 1;
    s->oxygen = OXYGEN_MAX;
    if (c->ramping) {
        ramp(s);
    }
}

static void breathe(struct seaquest_state *s, const struct minatar_config *c)
{
    const bool was_at_surface = s->at_surface != 0;
    s->head.over |= s->oxygen <= 0;
    s->at_surface = s->y == 0;
    if (s->y > 0) {
        s->oxygen--;
    } else if (!was_at_surface) {
        surface(s, c);
    }
}

static void seaquest_frame(void *state, const struct minatar_config *c, enum minatar_action action,
                           struct rng *rng)
{
    struct seaquest_state *s = state;
    spawn(s, rng);
    move_sub(s, action);
    move_bullets(s);
    move_divers(s);
    move_enemies(s, ENEMY_SUB);
    move_their_bullets(s);
    move_enemies(s, FISH);
    minatar_count_down(&s->spawn_timer);
    minatar_count_down(&s->diver_timer);
    minatar_count_down(&s->shot_timer);
    breathe(s, c);
}

/* --- the picture --- */

static void draw_all(const struct seaquest_state *s, struct minatar_picture *p,
                     enum seaquest_kind kind, int channel, bool trail)
{
    for (int i = 0; i < s->n[kind]; i++) {
        const struct seaquest_mover *m = &s->mover[kind][i];
        minatar_draw(p, m->x, m->y, channel);
        if (trail) {
            minatar_draw(p, m->x - m->way, m->y, TRAIL);
        }
    }
}

static void seaquest_draw(const void *state, struct minatar_picture *p)
{
    const struct seaquest_state *s = state;
    minatar_draw(p, s->x, s->y, FRONT);
    minatar_draw(p, s->x - s->way, s->y, BACK);
    draw_all(s, p, FRIENDLY_BULLET, BULLET, false);
    draw_all(s, p, ENEMY_BULLET, THEIR_BULLET, false);
    draw_all(s, p, FISH, FISHES, true);
    draw_all(s, p, ENEMY_SUB, SUBS, true);
    draw_all(s, p, DIVER, SWIMMERS, true);
    for (int k = 0; k < gauge(s); k++) {
        minatar_draw(p, k, GAUGE_ROW, OXYGEN);
    }
    for (int k = 0; k < s->divers; k++) {
        minatar_draw(p, MINATAR_SIDE - 2 - k, GAUGE_ROW, DIVERS);
    }
}

static const struct minatar_game seaquest = {.name = "seaquest",
                                             .channels = CHANNELS,
                                             .state_bytes = sizeof(struct seaquest_state),
                                             .reset = seaquest_reset,
                                             .frame = seaquest_frame,
                                             .draw = seaquest_draw};

static int seaquest_open(const void *config, const struct robot *robot, struct arena *mem,
                         void **ret_self, char *ret_why, int cap)
{
    return minatar_open(&seaquest, config, robot, mem, ret_self, ret_why, cap);
}

const struct sim sim_seaquest = {
    .name = "seaquest",
    .source = "MinAtar's Seaquest, arXiv:1903.03176",
    .open = seaquest_open,
    MINATAR_SIM(minatar_options),
};
