#include "daemon/loop.h"

#include "daemon/base/thread.h"
#include "daemon/loop_inside.h"
#include "daemon/problem.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define STALL_NS (NS_PER_S)

int loop_open(struct loop *ret_loop, const struct loop_spec *spec, struct arena *mem, char *ret_why,
              int cap)
{
    struct loop *l = ret_loop;
    const struct config *c = spec->config;
    *l = (struct loop){.config = c,
                       .clock = spec->clock,
                       .plant = spec->plant,
                       .replay = spec->replay,
                       .shared = spec->shared};
    int rc = task_open(&l->task, &c->task, &c->robot, ret_why, cap);
    if (rc < 0) {
        return rc;
    }
    rc = safety_init(&l->st.safety, &c->robot, &c->safety, ret_why, cap);
    if (rc < 0) {
        return rc;
    }
    if (plant_is_emulated(spec->plant)) {
        l->st.safety.settings.ranges = RANGES_FILE; /* no hand can guide it */
    }
    rc = respond_init(&l->responder, &c->robot, &c->responses, c->control.stop_s, ret_why, cap);
    if (rc < 0) {
        return rc;
    }
    fsm_init(&l->st.fsm, c->robot.arm_ramp_s);
    problem_dims(c, &l->task, &l->dims);
    l->actor_bytes = c->policy->actor_bytes(c->policy_config, &l->dims);
    l->actor = arena_take(mem, l->actor_bytes);
    c->policy->actor_init(c->policy_config, &l->dims, l->actor);
    l->obs = arena_take(mem, (size_t)l->dims.n_obs * sizeof *l->obs);
    l->pictures = arena_take(mem, (size_t)l->task.history * (size_t)l->task.n_pixels + 1);
    l->hist = arena_take(mem, HISTS_N * sizeof *l->hist);
    l->ticks_per_period = l->task.ticks_per_period;
    l->dt_s = 1.0 / c->robot.control_rate_hz;
    l->period_ns = llround(l->dt_s * (double)NS_PER_S);
    l->stall_ns = STALL_NS;
    l->odometer = l->task.travel_joint;
    l->st.plant_event = -1;
    l->st.source = SOURCE_HOLD;
    rng_child(&l->st.rng, spec->seed, "exploration");
    task_seed(&l->task, spec->seed);
    return 0;
}

/* Way per second over the last second, from the odometer; NaN without one. */
static double speed_m_s(const struct loop *l)
{
    const struct loop_state *z = &l->st;
    if (l->odometer < 0) {
        return (double)NAN;
    }
    int64_t window = (int64_t)(1.0 / l->dt_s);
    window = window < SPEED_TICKS_MAX ? window : SPEED_TICKS_MAX - 1;
    window = window < z->tick ? window : z->tick;
    if (window < 1) {
        return 0.0;
    }
    const double then = z->odometer[(z->tick - window) % SPEED_TICKS_MAX];
    if (!isfinite(then)) {
        return 0.0;
    }
    return (z->sensed.q[l->odometer] - then) * l->config->task.settings.travel_radius_m /
           ((double)window * l->dt_s);
}

static void record_joints(const struct loop *l, struct record *ret_record)
{
    const struct loop_state *z = &l->st;
    const struct plant_counters *c = plant_counters(l->plant);
    for (int j = 0; j < z->sensed.n; j++) {
        ret_record->q[j] = (float)z->sensed.q[j];
        ret_record->qd[j] = (float)z->sensed.qd[j];
        ret_record->tau[j] = (float)z->sensed.tau[j];
        ret_record->asked[j] = (float)z->asked[j];
        ret_record->applied[j] = (float)z->command.q[j];
        ret_record->temp_c[j] = z->sensed.temp_c[j];
        ret_record->volt_v[j] = z->sensed.volt_v[j];
        ret_record->age_us[j] = z->sensed.age_us[j];
        ret_record->faults[j] = z->sensed.faults[j];
        ret_record->torque[j] = z->sensed.torque[j];
        ret_record->mode[j] = z->command.mode[j];
        ret_record->rule[j] = z->safety.rule[j];
        ret_record->misses[j] = c->misses[j];
    }
}

static void record_buses(const struct loop *l, struct record *ret_record)
{
    const struct plant_counters *c = plant_counters(l->plant);
    for (int i = 0; i < l->config->robot.n_buses; i++) {
        struct can_record *z = &ret_record->can[i];
        z->errors = *plant_can_errors(l->plant, i, &z->dropped);
        z->frames_tx = c->frames_tx[i];
        z->frames_rx = c->frames_rx[i];
    }
}

static void record_fill(const struct loop *l, int64_t planned_ns, int64_t late_ns,
                        struct record *ret_record)
{
    const struct loop_state *z = &l->st;
    const struct plant_counters *c = plant_counters(l->plant);
    *ret_record = (struct record){
        .tick = (uint64_t)z->tick,
        .t_ns = planned_ns,
        .wake_ns = late_ns,
        .last_byte_ns = c->last_byte_ns,
        .state = (uint8_t)z->fsm.state,
        .source = z->open ? z->source : SOURCE_HOLD,
        .latch = (uint8_t)z->fsm.latch,
        .cause = z->cause,
        .plant_ready = plant_ready(l->plant),
        .n = z->sensed.n,
        .n_act = l->task.n_act,
        .trips = z->safety.trips,
        .weights_version = z->version,
        .step = z->step,
        .episode = z->episode,
        .reward = z->reward,
        .episode_return = l->task.st.episode_return,
        .way_m = l->task.st.way_m,
        .speed_m_s = speed_m_s(l),
        .overruns = z->overruns,
        .coasted = z->coasted_total,
        .crc_errors = c->crc_errors,
        .bytes_tx = c->bytes_tx,
        .bytes_rx = c->bytes_rx,
        .reconnects = c->reconnects,
    };
    memcpy(ret_record->act, z->act, sizeof ret_record->act);
    record_joints(l, ret_record);
    record_buses(l, ret_record);
}

/* Where nothing drives, the pose that was last commanded (or measured) is held. */
static void hold(const struct loop *l, struct command *cmd)
{
    const struct loop_state *z = &l->st;
    for (int k = 0; k < l->task.n_act_joints; k++) {
        const int j = l->task.act_joint[k];
        cmd->mode[j] = MODE_POSITION;
        cmd->q[j] = z->safety.primed ? z->safety.q_cmd[j] : z->sensed.q[j];
        cmd->qd[j] = 0.0;
        cmd->tau_max[j] = l->config->robot.joint[j].tau_max;
    }
}

static void count_coasting(struct loop *l, int64_t skipped)
{
    struct loop_state *z = &l->st;
    const uint64_t all = (UINT64_C(1) << z->sensed.n) - 1;
    const bool coasts = (z->fresh & all) != all;
    z->coasted += coasts;
    z->coasted_total += coasts && fsm_drives(z->fsm.state);
    z->skipped += (int)skipped;
    z->phase += (int)skipped;
    z->overruns += (uint64_t)skipped;
}

/* Writing a device's non-volatile memory is said: it wears, and it outlives the daemon. */
static void tell_settings(struct loop *l, int64_t now_ns)
{
    const uint64_t written = plant_counters(l->plant)->settings_written;
    if (written == l->st.settings_told) {
        return;
    }
    struct happened h = {.t_ns = now_ns, .kind = HAPPENED_SETTINGS};
    (void)snprintf(h.text, sizeof h.text,
                   "%llu settings in the devices' memory differed from the robot file and were "
                   "written",
                   (unsigned long long)(written - l->st.settings_told));
    l->st.settings_told = written;
    loop_tell(l, &h);
}

void loop_tick(struct loop *l, int64_t planned_ns, int64_t late_ns, int64_t skipped)
{
    struct loop_state *z = &l->st;
    struct record record;
    int64_t mark[PHASES_N];

    mark[PHASE_READ] = clock_now_ns(l->clock);
    plant_read(l->plant, planned_ns, &z->sensed, &z->fresh);
    count_coasting(l, skipped);
    if (l->odometer >= 0) { /* before its first reading it has no place */
        const bool seen = z->sensed.age_us[l->odometer] != INT32_MAX;
        z->odometer[z->tick % SPEED_TICKS_MAX] = seen ? z->sensed.q[l->odometer] : (double)NAN;
    }

    mark[PHASE_OBSERVE] = clock_now_ns(l->clock);
    task_sense(&l->task, &z->sensed);
    if (z->open) {
        task_tick(&l->task, &z->sensed, l->dt_s * (double)(1 + skipped));
    }
    safety_watch(&z->safety, &z->sensed, z->fresh);
    loop_fsm(l, planned_ns, late_ns);
    z->plant_event = plant_do(l->plant, z->fsm.plant);
    tell_settings(l, planned_ns);

    mark[PHASE_ACT] = clock_now_ns(l->clock);
    if (loop_period_ends(l)) {
        loop_period(l, planned_ns);
    }
    z->command.n = z->sensed.n;
    if (z->open) {
        task_actuate(&l->task, z->act, z->phase, &z->command);
    } else {
        hold(l, &z->command);
        loop_reset(l, &z->command);
    }
    respond_command(&l->responder, &z->respond, &z->fsm, &z->sensed, z->doubted, &z->command,
                    planned_ns);

    mark[PHASE_SAFETY] = clock_now_ns(l->clock);
    fsm_command(&z->fsm, &l->config->robot, &z->sensed, &z->command);
    respond_carry(&l->responder, &z->sensed, z->doubted, &z->command);
    memcpy(z->asked, z->command.q, sizeof z->asked);
    z->safety.lets_go = z->fsm.state == STATE_RETREATING || z->fsm.state == STATE_DAMPED;
    safety_filter(&z->safety, &z->sensed, &z->command);

    mark[PHASE_WRITE] = clock_now_ns(l->clock);
    plant_write(l->plant, &z->command);

    mark[PHASE_PUSH] = clock_now_ns(l->clock);
    record_fill(l, planned_ns, late_ns, &record);
    for (int i = 0; i < PHASE_PUSH; i++) {
        record.phase_ns[i] = mark[i + 1] - mark[i];
        hist_add(&l->hist[i], record.phase_ns[i]);
    }
    record.phase_ns[PHASE_PUSH] = z->push_ns;
    hist_add(&l->hist[PHASE_PUSH], z->push_ns);
    hist_add(&l->hist[HIST_WAKE], late_ns);
    if (record.last_byte_ns > 0) {
        hist_add(&l->hist[HIST_LAST_BYTE], record.last_byte_ns);
    }
    (void)ring_push(&l->shared->telemetry, &record);
    const int64_t end_ns = clock_now_ns(l->clock);
    z->push_ns = end_ns - mark[PHASE_PUSH];
    hist_add(&l->hist[HIST_TICK], end_ns - mark[PHASE_READ]);
    z->phase++;
    z->tick++;
}

bool loop_at_rest(const struct loop *l)
{
    switch (l->st.fsm.state) {
    case STATE_BOOT:
    case STATE_LIMP:
        return true;
    case STATE_FAULT:
    case STATE_ESTOP:
        return plant_stopped(l->plant);
    case STATE_ARMING:
    case STATE_READY:
    case STATE_RUNNING:
    case STATE_HOLDING:
    case STATE_RETREATING:
    case STATE_DAMPED:
    case STATE_STOPPING:
    case STATES_N:
        break;
    }
    return false;
}

/* The loop watches those who watch it: main and comms must make progress, or the robot stops under
 * control. */
static void watch_others(struct loop *l, int64_t now_ns)
{
    struct shared *s = l->shared;
    const uint64_t beats[2] = {atomic_load_explicit(&s->main_beats, memory_order_relaxed),
                               atomic_load_explicit(&s->comms_beats, memory_order_relaxed)};
    for (int i = 0; i < 2; i++) {
        if (beats[i] != l->beats[i] || l->beats_ns[i] == 0) {
            l->beats[i] = beats[i];
            l->beats_ns[i] = now_ns;
        } else if (now_ns - l->beats_ns[i] > l->stall_ns) {
            atomic_fetch_or_explicit(&s->stop, STOP_STALLED, memory_order_relaxed);
        }
    }
}

void loop_begin(struct loop *l)
{
    if (!l->clock->is_virtual) {
        thread_prefault_stack();
        memory_prefault(l, sizeof *l);
    }
    l->planned_ns = clock_now_ns(l->clock) + l->period_ns;
    atomic_store_explicit(&l->shared->loop_tid, gettid(), memory_order_relaxed);
}

bool loop_step(struct loop *l)
{
    const int64_t woke_ns = clock_sleep_until(l->clock, l->planned_ns);
    const int64_t late_ns = woke_ns - l->planned_ns;
    const int64_t skipped = late_ns / l->period_ns; /* never made up in a burst */
    l->planned_ns += skipped * l->period_ns;
    loop_tick(l, l->planned_ns, late_ns, skipped);
    l->planned_ns += l->period_ns;
    watch_others(l, woke_ns);
    if (l->misbehaviour != NULL) {
        misbehave(l->misbehaviour, "loop", l->st.step);
    }
    atomic_fetch_add_explicit(&l->shared->loop_beats, 1, memory_order_relaxed);
    const uint32_t stop = atomic_load_explicit(&l->shared->stop, memory_order_relaxed);
    return (stop & (STOP_EXIT | STOP_CRASHED)) == 0 || !loop_at_rest(l);
}

void loop_run(struct loop *l)
{
    loop_begin(l);
    while (loop_step(l)) {
    }
}
