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
 * Source of the rules: sim/minatar.h. Departs from them: after six divers none is owed. What they
 * leave open, and we chose:
 *
 *   - the order of a frame: the submarine, its bullets, fish, enemy submarines, their bullets,
 *     divers, air; who comes in comes last, and is seen at the edge before it moves;
 *   - who touches is asked before a move and after it, so that two that swap places meet;
 *   - a timer of n is n frames of waiting: what moves "every 5" stands five frames and moves in the
 *     sixth; the first shot of an enemy submarine waits as long as every other;
 *   - a bullet starts where its submarine is and flies in that frame; one that reaches a fish and a
 *     submarine at once takes the fish; an enemy that swims into one is shot too;
 *   - oxygen is looked at before it is breathed: nothing left is the end a frame later;
 *   - the trail is the point behind whoever swims, diver or enemy.
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

/* What came of a frame of one that crosses the sea. */
enum { MET = 1, LEFT = 2, MOVED = 4 };

/* A point on, once its timer has run down; from then on it waits for so many frames. */
static unsigned cross(const struct seaquest_state *s, struct seaquest_mover *m, int every)
{
    const unsigned before = at_sub(s, m) ? MET : 0;
    if (m->move_timer > 0) {
        m->move_timer--;
        return before;
    }
    m->move_timer = every;
    m->x += m->way;
    if (!minatar_inside(m->x)) {
        return before | LEFT;
    }
    return before | MOVED | (at_sub(s, m) ? MET : 0);
}

/* Its shot starts where it is. */
static void shoot_back(struct seaquest_state *s, struct seaquest_mover *m)
{
    if (m->shot_timer > 0) {
        m->shot_timer--;
        return;
    }
    m->shot_timer = THEIR_SHOT;
    put(s, ENEMY_BULLET, (struct seaquest_mover){.x = m->x, .y = m->y, .way = m->way});
}

/* All of a kind whose touch is the end. */
static void move_threats(struct seaquest_state *s, enum seaquest_kind kind, int every)
{
    for (int i = s->n[kind] - 1; i >= 0; i--) {
        struct seaquest_mover *m = &s->mover[kind][i];
        const unsigned what = cross(s, m, every);
        s->head.over |= (what & MET) != 0;
        if ((what & LEFT) != 0) {
            drop(s, kind, i);
            continue;
        }
        if (kind == ENEMY_SUB) {
            shoot_back(s, m);
        }
        const bool swam = kind != ENEMY_BULLET && (what & MOVED) != 0;
        const int bullet = swam ? find(s, FRIENDLY_BULLET, m) : -1;
        if (bullet >= 0) {
            (void)shoots(s, bullet, kind);
        }
    }
}

static void move_divers(struct seaquest_state *s)
{
    for (int i = s->n[DIVER] - 1; i >= 0; i--) {
        const unsigned what = cross(s, &s->mover[DIVER][i], MOVE_EVERY);
        const bool comes = (what & MET) != 0 && s->divers < DIVERS_MAX;
        s->divers += comes;
        if (comes || (what & LEFT) != 0) {
            drop(s, DIVER, i);
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
    move_sub(s, action);
    move_bullets(s);
    move_threats(s, FISH, s->move_every);
    move_threats(s, ENEMY_SUB, s->move_every);
    move_threats(s, ENEMY_BULLET, 0);
    move_divers(s);
    breathe(s, c);
    spawn(s, rng);
    minatar_count_down(&s->spawn_timer);
    minatar_count_down(&s->diver_timer);
    minatar_count_down(&s->shot_timer);
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
