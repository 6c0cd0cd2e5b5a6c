#include "daemon/config_tables.h"

#include "policies/nn/kernel.h"
#include "policies/replay.h"

static const char *const realtime_names[] = {"off", "prefer", "enforce", NULL};
static const char *const action_names[] = {"asked", "applied", "by_source", NULL};
static const char *const priority_names[] = {"none", "proportional", "rank", NULL};
static const char *const estop_names[] = {"unset", "none", "power_sense", "gpio", NULL};
static const char *const response_names[] = {"hold", "retreat", "damped", "limp", NULL};
static const char *const order_names[] = {"same_tick", "pipelined", "by_rate", NULL};

#define AT(field) offsetof(struct config, field)

/* clang-format off */
static const struct option top[] = {
    {.key = "schema", .type = OPTION_INT, .offset = AT(schema), .min = 1, .max = 1, .def = NULL,
     .help = "version of this file's keys"},
    {.key = "name", .type = OPTION_TEXT, .offset = AT(robot.name), .n_max = NAME_CHARS, .def = NULL,
     .help = "name of the robot"},
    {.key = "best_known_speed_m_s", .type = OPTION_DOUBLE, .offset = AT(best_known_speed_m_s), .min = 0, .max = 100, .def = "0",
     .help = "speed of the best gait that a search found; 0: unknown"},
    {.key = NULL},
};

static const struct option control[] = {
    {.key = "rate_hz", .type = OPTION_DOUBLE, .offset = AT(robot.control_rate_hz), .min = 1, .max = 10000, .def = NULL,
     .help = "rate of the control loop"},
    {.key = "realtime", .type = OPTION_CHOICE, .offset = AT(control.realtime), .def = "prefer", .choices = realtime_names,
     .help = "what happens where the system refuses real-time scheduling: nothing is asked, it is said, or the daemon does not start"},
    {.key = "priority", .type = OPTION_INT, .offset = AT(control.priority), .min = 1, .max = 98, .def = "80",
     .help = "SCHED_FIFO priority of the loop"},
    {.key = "cpu", .type = OPTION_INT, .offset = AT(control.cpu), .min = -1, .max = 1023, .def = "-1",
     .help = "processor of the loop; -1: the last one"},
    {.key = "loop_deadman_ms", .type = OPTION_INT, .offset = AT(control.loop_deadman_ms), .min = 1, .max = 10000, .def = "100",
     .help = "a tick that starts this late makes the robot hold"},
    {.key = "lease_deadman_ms", .type = OPTION_INT, .offset = AT(control.lease_deadman_ms), .min = 10, .max = 600000, .def = "500",
     .help = "a person who attends a run (basalctl run --attended) and is silent for this long is gone: the robot holds"},
    {.key = "stop_s", .type = OPTION_DOUBLE, .offset = AT(control.stop_s), .min = 0, .max = 60, .def = "0.5",
     .help = "longest controlled stop before torque is cut"},
    {.key = "arm_ramp_s", .type = OPTION_DOUBLE, .offset = AT(robot.arm_ramp_s), .min = 0, .max = 60, .def = "0.5",
     .help = "torque rises from nothing to its ceiling in this time after arming"},
    {.key = "carry_weight", .type = OPTION_BOOL, .offset = AT(robot.carry_weight), .def = "false",
     .help = "goals of poses carry the robot's weight as torque, by its links and the pose measured; for devices that take a torque beside a pose"},
    {.key = NULL},
};

static const struct option estop[] = {
    {.key = "hardware", .type = OPTION_CHOICE, .offset = AT(robot.estop_hardware), .def = NULL, .choices = estop_names,
     .help = "what cuts motor power by hand: none, power_sense (seen in the servos' voltage), gpio"},
    {.key = "power_min_v", .type = OPTION_DOUBLE, .offset = AT(robot.power_min_v), .min = 0, .max = 100, .def = "0",
     .help = "power_sense: below this voltage motor power counts as cut"},
    {.key = "drop_accepted", .type = OPTION_BOOL, .offset = AT(robot.drop_accepted), .def = "false",
     .help = "the owner accepts that a loaded joint drops when torque is cut; must be true where joints are driven and no brake holds them, for a response that is limp or for the daemon's death"},
    {.key = "brake", .type = OPTION_BOOL, .offset = AT(robot.brake), .def = "false",
     .help = "each joint that carries something has a brake that closes when its torque is off"},
    {.key = NULL},
};

static const struct option policy[] = {
    {.key = "rate_hz", .type = OPTION_DOUBLE, .offset = AT(robot.policy_rate_hz), .min = 0.1, .max = 10000, .def = NULL,
     .help = "rate of the policy; control.rate_hz is a whole multiple of it"},
    {.key = NULL},
};

static const struct option learner[] = {
    {.key = "enabled", .type = OPTION_BOOL, .offset = AT(learner.enabled), .def = "true", .help = "learn while the robot moves"},
    {.key = "batch_size", .type = OPTION_INT, .offset = AT(learner.batch_size), .min = 1, .max = 4096, .def = "256",
     .help = "transitions per update; of an algorithm that learns from the newest steps alone, per step of its optimiser"},
    {.key = "gamma", .type = OPTION_DOUBLE, .offset = AT(learner.gamma), .min = 0, .max = 1, .def = "0.99",
     .help = "discount per policy step"},
    {.key = "n_steps", .type = OPTION_INT, .offset = AT(learner.n_steps), .min = 1, .max = 64, .def = "1",
     .help = "rewards summed before bootstrapping"},
    {.key = "prioritized_replay", .type = OPTION_CHOICE, .offset = AT(learner.prioritized_replay), .def = "none", .choices = priority_names,
     .help = "which transitions an update draws: every one alike, or by their last |TD error|: in proportion to it, or by its rank"},
    {.key = "prioritized_replay_alpha", .type = OPTION_DOUBLE, .offset = AT(learner.prioritized_replay_alpha), .min = 0, .max = 1, .def = "0.6",
     .help = "how much priorities matter: 0 is every one alike, 1 in full"},
    {.key = "prioritized_replay_beta0", .type = OPTION_DOUBLE, .offset = AT(learner.prioritized_replay_beta0), .min = 0, .max = 1, .def = "0.4",
     .help = "how much importance weights correct for that at first; 1 is in full"},
    {.key = "prioritized_replay_beta_iters", .type = OPTION_INT64, .offset = AT(learner.prioritized_replay_beta_iters), .min = 0, .max = 1e12, .def = "100000",
     .help = "policy steps until they correct in full"},
    {.key = "prioritized_replay_eps", .type = OPTION_DOUBLE, .offset = AT(learner.prioritized_replay_eps), .min = 0, .max = 1, .def = "1e-6",
     .help = "added to every |TD error|, so that none is never drawn again"},
    {.key = "prior_ratio", .type = OPTION_DOUBLE, .offset = AT(learner.prior_ratio), .min = 0, .max = 1, .def = "0.5",
     .help = "share of an update's transitions that comes from prior data, where basald --prior gives some; the rest is the robot's own"},
    {.key = "learning_starts", .type = OPTION_INT64, .offset = AT(learner.learning_starts), .min = 0, .max = 1e9, .def = "100",
     .help = "policy steps of random driving before the first update"},
    {.key = "train_freq", .type = OPTION_INT, .offset = AT(learner.train_freq), .min = 1, .max = 1000000, .def = "1",
     .help = "policy steps between two rounds of updates; an algorithm that learns from the newest steps alone takes so many at once"},
    {.key = "gradient_steps", .type = OPTION_INT, .offset = AT(learner.gradient_steps), .min = 1, .max = 10000, .def = "1",
     .help = "updates a round, or passes over all that the replay holds where an algorithm learns from those; one that learns from the newest steps alone makes one"},
    {.key = "publish_every", .type = OPTION_INT, .offset = AT(learner.publish_every), .min = 1, .max = 1000000, .def = "4",
     .help = "updates, or passes, between two versions of the weights; an algorithm that learns from the newest steps alone publishes each"},
    {.key = "normalize", .type = OPTION_BOOL, .offset = AT(learner.normalize), .def = "false",
     .help = "observations are centred and scaled by running statistics"},
    {.key = "normalize_until", .type = OPTION_INT64, .offset = AT(learner.normalize_until), .min = 0, .max = 1e12, .def = "100000",
     .help = "policy steps after which these statistics are frozen"},
    {.key = "checkpoint_s", .type = OPTION_DOUBLE, .offset = AT(learner.checkpoint_s), .min = 0, .max = 86400, .def = "60",
     .help = "time between two checkpoints of the service; 0: at the stop only"},
    {.key = "precision", .type = OPTION_CHOICE, .offset = AT(learner.precision), .def = "fp32", .choices = precision_names,
     .help = "operands of the networks' products while they learn: fp32, or bf16 where the processor has AVX512_BF16; sums, weights and the acting policy are fp32 always"},
    {.key = "kernel", .type = OPTION_CHOICE, .offset = AT(learner.kernel), .def = "auto", .choices = kernel_names,
     .help = "what computes while it learns: auto is the best that this machine has for that precision; cblas is OpenBLAS, portable plain C"},
    {.key = NULL},
};

static const struct option replay[] = {
    {.key = "capacity", .type = OPTION_INT64, .offset = AT(replay.capacity), .min = 1000, .max = 1e9, .def = "100000",
     .help = "transitions kept"},
    {.key = "action", .type = OPTION_CHOICE, .offset = AT(replay.action), .def = "by_source", .choices = action_names,
     .help = "what the critic trains on: the action asked, the one applied, or as fits who drove"},
    {.key = NULL},
};

static const struct option comms[] = {
    {.key = "telemetry", .type = OPTION_TEXT, .offset = AT(comms.telemetry), .n_max = PATH_CHARS, .def = "tcp://127.0.0.1:9872",
     .help = "where plots subscribe, or off"},
    {.key = "telemetry_hz", .type = OPTION_DOUBLE, .offset = AT(comms.telemetry_hz), .min = 0, .max = 10000, .def = "0",
     .help = "records sent a second; 0: every tick"},
    {.key = "weights", .type = OPTION_TEXT, .offset = AT(comms.weights), .n_max = PATH_CHARS, .def = "own",
     .help = "whose weights drive: own, the learner of this daemon; or another's, ipc:///PATH"},
    {.key = NULL},
};

static const struct option sim[] = {
    {.key = "substep_us", .type = OPTION_INT, .offset = AT(sim_settings.substep_us), .min = 10, .max = 1000000, .def = "1000",
     .help = "step of the simulated body"},
    {.key = "noise", .type = OPTION_DOUBLE, .offset = AT(sim_settings.noise), .min = 0, .max = 10, .def = "1",
     .help = "scale of the sensors' noise"},
    {.key = NULL},
};

static const struct option faults[] = {
    {.key = "lost", .type = OPTION_DOUBLE, .offset = AT(faults.lost), .min = 0, .max = 1, .def = "0", .help = "replies lost"},
    {.key = "corrupted", .type = OPTION_DOUBLE, .offset = AT(faults.corrupted), .min = 0, .max = 1, .def = "0", .help = "replies with one flipped bit"},
    {.key = "late", .type = OPTION_DOUBLE, .offset = AT(faults.late), .min = 0, .max = 1, .def = "0", .help = "replies that come late_us late"},
    {.key = "truncated", .type = OPTION_DOUBLE, .offset = AT(faults.truncated), .min = 0, .max = 1, .def = "0", .help = "replies cut short"},
    {.key = "duplicated", .type = OPTION_DOUBLE, .offset = AT(faults.duplicated), .min = 0, .max = 1, .def = "0", .help = "replies sent twice"},
    {.key = "late_us", .type = OPTION_INT, .offset = AT(faults.late_us), .min = 0, .max = 1000000, .def = "6000", .help = "how late"},
    {.key = "away_at_s", .type = OPTION_DOUBLE, .offset = AT(faults.away_at_s), .min = 0, .max = 1e9, .def = "0", .help = "the buses are unplugged at this simulated time"},
    {.key = "away_s", .type = OPTION_DOUBLE, .offset = AT(faults.away_s), .min = 0, .max = 1e9, .def = "0", .help = "for this long; 0: never"},
    {.key = "stranger_hz", .type = OPTION_DOUBLE, .offset = AT(faults.stranger_hz), .min = 0, .max = 1000, .def = "0", .help = "another host says something on every bus this often; 0: never"},
    {.key = "bus_off_at_s", .type = OPTION_DOUBLE, .offset = AT(faults.bus_off_at_s), .min = 0, .max = 1e9, .def = "0", .help = "the host's controllers leave their CAN buses at this simulated time"},
    {.key = "bus_off_s", .type = OPTION_DOUBLE, .offset = AT(faults.bus_off_s), .min = 0, .max = 1e9, .def = "0", .help = "for this long; 0: never"},
    {.key = "power_at_s", .type = OPTION_DOUBLE, .offset = AT(faults.power_at_s), .min = 0, .max = 1e9, .def = "0", .help = "motor power falls at this simulated time"},
    {.key = "power_s", .type = OPTION_DOUBLE, .offset = AT(faults.power_s), .min = 0, .max = 1e9, .def = "0", .help = "for this long; 0: never"},
    {.key = "power_v", .type = OPTION_DOUBLE, .offset = AT(faults.power_v), .min = 0, .max = 60, .def = "0", .help = "to this voltage"},
    {.key = NULL},
};

#define RESPONSE(cause, name, usual, text) {.key = (name), .type = OPTION_CHOICE, .offset = AT(responses.how[cause]), .def = (usual), .choices = response_names, .help = (text)}
static const struct option responses[] = {
    RESPONSE(CAUSE_POLICY_STALE, "policy_stale", "hold", "no new weights for policy_stale_s while another publisher's drive"),
    RESPONSE(CAUSE_OPERATOR_LOST, "operator_lost", "hold", "who attends the run is silent for control.lease_deadman_ms"),
    RESPONSE(CAUSE_SENSOR_STALE, "sensor_stale", "limp", "a joint has coasted too long or its motor is silent; hold: the others hold their pose; latches a fault"),
    RESPONSE(CAUSE_BUS_LOST, "bus_lost", "limp", "not one joint of a bus answers any more; what is said to the other buses; latches a fault"),
    RESPONSE(CAUSE_LOOP_STALLED, "loop_stalled", "hold", "a tick begins control.loop_deadman_ms late"),
    RESPONSE(CAUSE_PROCESS_DEAD, "process_dead", "limp", "the daemon is gone; it can only be limp: the devices do what they do on a silent bus, then --make-safe cuts torque"),
    RESPONSE(CAUSE_POWER_SAG, "power_sag", "limp", "motor power is below estop.power_min_v; latches an estop"),
    RESPONSE(CAUSE_ESTOP, "estop", "limp", "a person's estop: brought to rest at once, then this; latches"),
    RESPONSE(CAUSE_FAULT, "fault", "limp", "a limit trips or a device reports an error; latches a fault"),
    RESPONSE(CAUSE_STOP, "stop", "limp", "basalctl stop, a signal, the end of the service, another thread that is dead; not hold"),
    {.key = "policy_stale_s", .type = OPTION_DOUBLE, .offset = AT(responses.policy_stale_s), .min = 0, .max = 1e6, .def = "0",
     .help = "weights of another publisher (comms.weights) are too old from this age on; 0: never"},
    {.key = "rest_pose_rad", .type = OPTION_DOUBLES, .offset = AT(responses.rest), .min = -1e4, .max = 1e4, .def = "[]", .n_max = JOINTS_MAX, .n_offset = AT(responses.n_rest),
     .help = "where a retreat goes, one number for each joint in the file's order; within the ranges, and gravity may pull with rest_torque_nm there"},
    {.key = "rest_near_rad", .type = OPTION_DOUBLE, .offset = AT(responses.rest_near_rad), .min = 1e-4, .max = 3, .def = "0.05",
     .help = "a joint this near its number has arrived"},
    {.key = "rest_torque_nm", .type = OPTION_DOUBLE, .offset = AT(responses.rest_torque_nm), .min = 0, .max = 1000, .def = "0.3",
     .help = "gravity's pull at a joint that its friction holds; where the file tells the links"},
    {.key = "rest_supported", .type = OPTION_BOOL, .offset = AT(responses.rest_supported), .def = "false",
     .help = "something carries the robot in its rest pose, such as a table or a cradle: gravity is not judged there"},
    {.key = "retreat_rad_s", .type = OPTION_DOUBLE, .offset = AT(responses.retreat_rad_s), .min = 1e-3, .max = 100, .def = "0.5",
     .help = "fastest joint of a retreat; each stays within its own limits too"},
    {.key = "retreat_rad_s2", .type = OPTION_DOUBLE, .offset = AT(responses.retreat_rad_s2), .min = 1e-2, .max = 1e4, .def = "2",
     .help = "acceleration of it"},
    {.key = "retreat_s", .type = OPTION_DOUBLE, .offset = AT(responses.retreat_s), .min = 0.1, .max = 600, .def = "10",
     .help = "longest retreat; damped after it, or limp where the devices take no damping"},
    {.key = "damped_kd_nms_rad", .type = OPTION_DOUBLES, .offset = AT(responses.damped_kd), .min = 1e-6, .max = 10000, .def = "[]", .n_max = JOINTS_MAX, .n_offset = AT(responses.n_kd),
     .help = "damping of a descent at each joint; one number for all, or one a joint"},
    {.key = "damped_rad_s", .type = OPTION_DOUBLE, .offset = AT(responses.damped_rad_s), .min = 1e-3, .max = 10, .def = "0.3",
     .help = "a joint sinks about so fast, where the file tells the links; else as fast as its damping lets it"},
    {.key = NULL},
};
#undef RESPONSE

static const struct option picture[] = {
    {.key = "height", .type = OPTION_INT, .offset = AT(robot.picture.h), .min = 0, .max = PICTURE_MAX, .def = "0", .help = "rows of the camera's picture"},
    {.key = "width", .type = OPTION_INT, .offset = AT(robot.picture.w), .min = 0, .max = PICTURE_MAX, .def = "0", .help = "columns of it"},
    {.key = "channels", .type = OPTION_INT, .offset = AT(robot.picture.c), .min = 0, .max = PICTURE_MAX, .def = "0", .help = "bytes a point; 0: the robot has no camera"},
    {.key = NULL},
};

static const struct option chain[] = {
    {.key = "gravity_m_s2", .type = OPTION_DOUBLES, .offset = AT(robot.chain.gravity), .min = -100, .max = 100, .def = "[0, 0, -9.81]", .n_max = 3, .n_offset = AT(robot.chain.n_gravity),
     .help = "gravity in the frame of the base: x, y, z"},
    {.key = "tool_xyz_m", .type = OPTION_DOUBLES, .offset = AT(robot.chain.tool_xyz), .min = -10, .max = 10, .def = "[0, 0, 0]", .n_max = 3, .n_offset = AT(robot.chain.n_tool_xyz),
     .help = "where the tool's tip is in the frame of the last link"},
    {.key = "tool_rpy_rad", .type = OPTION_DOUBLES, .offset = AT(robot.chain.tool_rpy), .min = -7, .max = 7, .def = "[0, 0, 0]", .n_max = 3, .n_offset = AT(robot.chain.n_tool_rpy),
     .help = "how the tool's frame is turned in it: roll, pitch, yaw"},
    {.key = NULL},
};

static const struct option space[] = {
    {.key = "box_min_m", .type = OPTION_DOUBLES, .offset = AT(robot.space.box_min), .min = -100, .max = 100, .def = "[]", .n_max = 3, .n_offset = AT(robot.space.n_box_min),
     .help = "lower corner of the box that the tool's tip may be in, in the frame of the base; [] with box_max_m: anywhere"},
    {.key = "box_max_m", .type = OPTION_DOUBLES, .offset = AT(robot.space.box_max), .min = -100, .max = 100, .def = "[]", .n_max = 3, .n_offset = AT(robot.space.n_box_max),
     .help = "upper corner of that box"},
    {.key = "table", .type = OPTION_BOOL, .offset = AT(robot.space.table), .def = "false",
     .help = "there is a table, which no capsule may come near; capsules of the base may"},
    {.key = "table_z_m", .type = OPTION_DOUBLE, .offset = AT(robot.space.table_z_m), .min = -100, .max = 100, .def = "0",
     .help = "height of the table in the frame of the base"},
    {.key = "table_margin_m", .type = OPTION_DOUBLE, .offset = AT(robot.space.table_margin_m), .min = 0, .max = 10, .def = "0.01",
     .help = "a capsule stays so far above the table"},
    {.key = "self", .type = OPTION_BOOL, .offset = AT(robot.space.self), .def = "false",
     .help = "capsules of links that are no neighbours may not come near each other"},
    {.key = "self_margin_m", .type = OPTION_DOUBLE, .offset = AT(robot.space.self_margin_m), .min = 0, .max = 10, .def = "0.01",
     .help = "they stay so far apart"},
    {.key = "self_joints_min", .type = OPTION_INT, .offset = AT(robot.space.self_joints_min), .min = 1, .max = CHAIN_MAX, .def = "2",
     .help = "links with at least so many joints between them are no neighbours"},
    {.key = "trip_m", .type = OPTION_DOUBLE, .offset = AT(robot.space.trip_m), .min = 0, .max = 10, .def = "0.03",
     .help = "measured so far beyond one of these limits, and the robot stops; at rest, it arms up to three quarters of this beyond"},
    {.key = NULL},
};

const struct section config_sections[] = {
    {"", top, 0},           {"picture", picture, 0}, {"chain", chain, 0}, {"space", space, 0}, {"control", control, 0}, {"estop", estop, 0},   {"safety", safety_options, AT(safety)},
    {"responses", responses, 0},
    {"task", task_options, AT(task.settings)},       {"policy", policy, 0}, {"learner", learner, 0},
    {"replay", replay, 0},  {"comms", comms, 0},     {"sim", sim, 0},       {"faults", faults, 0},
    {.name = NULL},
};

#undef AT
#define AT(field) offsetof(struct bus_spec, field)
const struct option config_bus_options[] = {
    {.key = "name", .type = OPTION_TEXT, .offset = AT(name), .n_max = NAME_CHARS, .def = NULL, .help = "name of the bus"},
    {.key = "driver", .type = OPTION_TEXT, .offset = AT(driver), .n_max = NAME_CHARS, .def = NULL, .help = "the protocol spoken on it"},
    {.key = "device", .type = OPTION_TEXT, .offset = AT(device), .n_max = PATH_CHARS, .def = NULL, .help = "its device file; prefer a name that does not change; on CAN the name of its interface, or the device file of an slcan adapter"},
    {.key = "baud", .type = OPTION_INT, .offset = AT(baud), .min = 1200, .max = 12000000, .def = "1000000", .help = "bits per second of a serial bus, and of the tty that an slcan adapter is"},
    {.key = "order", .type = OPTION_CHOICE, .offset = AT(order), .def = "by_rate", .choices = order_names, .help = "read, act and write in one tick, or write first what the tick before computed; by_rate: that from 200 Hz on, and on CAN"},
    {.key = "reply_deadline_us", .type = OPTION_INT, .offset = AT(reply_deadline_us), .min = 100, .max = 1000000, .def = "3000", .help = "every reply must be in this long after the tick's start"},
    {.key = "write_phase_us", .type = OPTION_INT, .offset = AT(write_phase_us), .min = 0, .max = 1000000, .def = "0", .help = "goals go out this long after the tick's start; 0: reply_deadline_us + 200"},
    {.key = "misses_max", .type = OPTION_INT, .offset = AT(misses_max), .min = 0, .max = 1000, .def = "6", .help = "missed replies in a row that a joint may coast over"},
    {.key = "watchdog_ms", .type = OPTION_INT, .offset = AT(watchdog_ms), .min = 0, .max = 2540, .def = "0", .help = "the devices' own timeout; 0: three periods or the longest retry"},
    {.key = "accept_no_device_watchdog", .type = OPTION_BOOL, .offset = AT(accept_no_device_watchdog), .def = "false", .help = "arm devices that go on moving when the bus is silent"},
    {.key = NULL},
};

/* ... where the driver is one of CAN */
const struct option config_can_options[] = {
    {.key = "bitrate", .type = OPTION_INT, .offset = AT(bitrate), .min = 10000, .max = 1000000, .def = "1000000", .help = "bits per second on a CAN bus, of identifiers and acknowledges"},
    {.key = "data_bitrate", .type = OPTION_INT, .offset = AT(data_bitrate), .min = 0, .max = 10000000, .def = "0", .help = "bits per second of the data of CAN FD frames; 0: classic CAN"},
    {.key = NULL},
};

#undef AT
#define AT(field) offsetof(struct joint_spec, field)
const struct option config_joint_options[] = {
    {.key = "name", .type = OPTION_TEXT, .offset = AT(name), .n_max = NAME_CHARS, .def = NULL, .help = "name of the joint"},
    {.key = "id", .type = OPTION_INT, .offset = AT(id), .min = 0, .max = 252, .def = NULL, .help = "its device's id on the bus"},
    {.key = "model", .type = OPTION_INT, .offset = AT(model), .min = 0, .max = 65535, .def = "0", .help = "model number that must answer; 0: any"},
    {.key = "serial", .type = OPTION_INT64, .offset = AT(serial), .min = 0, .max = 4294967295.0, .def = "0", .help = "serial number that must answer, of devices that tell one (basalctl scan); 0: any"},
    {.key = "firmware_min", .type = OPTION_INT, .offset = AT(firmware_min), .min = 0, .max = 65535, .def = "0", .help = "oldest firmware accepted; of a Feetech 3.10 it is 310"},
    {.key = "incremental", .type = OPTION_BOOL, .offset = AT(incremental), .def = "false", .help = "its angle is lost with its power (no absolute encoder): once it restarted or was not to be heard it does not arm until basald starts anew"},
    {.key = "actuated", .type = OPTION_BOOL, .offset = AT(actuated), .def = "true", .help = "false: measured only"},
    {.key = "sign", .type = OPTION_INT, .offset = AT(sign), .min = -1, .max = 1, .def = "1", .help = "direction of the device against the joint: 1 or -1"},
    {.key = "gear", .type = OPTION_DOUBLE, .offset = AT(gear), .min = 1e-3, .max = 1e4, .def = "1", .help = "device turns per joint turn"},
    {.key = "zero_rad", .type = OPTION_DOUBLE, .offset = AT(zero_rad), .min = -1000, .max = 1000, .def = "0", .help = "device angle, from its middle, where the joint reads 0"},
    {.key = "q_min_rad", .type = OPTION_DOUBLE, .offset = AT(q_min), .min = -1e4, .max = 1e4, .def = NULL, .help = "lower end of its range"},
    {.key = "q_max_rad", .type = OPTION_DOUBLE, .offset = AT(q_max), .min = -1e4, .max = 1e4, .def = NULL, .help = "upper end of its range"},
    {.key = "qd_max_rad_s", .type = OPTION_DOUBLE, .offset = AT(qd_max), .min = 1e-3, .max = 1e3, .def = NULL, .help = "fastest commanded speed"},
    {.key = "qdd_max_rad_s2", .type = OPTION_DOUBLE, .offset = AT(qdd_max), .min = 1e-2, .max = 1e6, .def = NULL, .help = "largest commanded acceleration"},
    {.key = "tau_max_nm", .type = OPTION_DOUBLE, .offset = AT(tau_max), .min = 1e-4, .max = 1e4, .def = NULL, .help = "torque ceiling"},
    {.key = "tau_stall_nm", .type = OPTION_DOUBLE, .offset = AT(tau_stall), .min = 1e-4, .max = 1e4, .def = NULL, .help = "torque at full drive and standstill, from the data sheet"},
    {.key = "temp_max_c", .type = OPTION_DOUBLE, .offset = AT(temp_max_c), .min = 0, .max = 150, .def = NULL, .help = "hottest it may get"},
    {.key = NULL},
};

#undef AT
#define AT(field) offsetof(struct extra_spec, field)
const struct option config_extra_options[] = {
    {.key = "name", .type = OPTION_TEXT, .offset = AT(name), .n_max = NAME_CHARS, .def = NULL, .help = "name of the sensor"},
    {.key = "unit", .type = OPTION_TEXT, .offset = AT(unit), .n_max = NAME_CHARS, .def = "", .help = "its unit"},
    {.key = "n", .type = OPTION_INT, .offset = AT(n), .min = 1, .max = EXTRA_MAX, .def = "1", .help = "numbers in it"},
    {.key = NULL},
};

#undef AT
#define AT(field) offsetof(struct link_spec, field)
const struct option config_link_options[] = {
    {.key = "name", .type = OPTION_TEXT, .offset = AT(name), .n_max = NAME_CHARS, .def = NULL, .help = "name of the joint that turns it"},
    {.key = "xyz_m", .type = OPTION_DOUBLES, .offset = AT(xyz), .min = -10, .max = 10, .def = "[0, 0, 0]", .n_max = 3, .n_offset = AT(n_xyz), .help = "where that joint is, in the frame of the link before; the first one's is the base"},
    {.key = "rpy_rad", .type = OPTION_DOUBLES, .offset = AT(rpy), .min = -7, .max = 7, .def = "[0, 0, 0]", .n_max = 3, .n_offset = AT(n_rpy), .help = "how its frame at angle 0 is turned there: roll, then pitch, then yaw about fixed axes"},
    {.key = "axis", .type = OPTION_DOUBLES, .offset = AT(axis), .min = -1, .max = 1, .def = NULL, .n_max = 3, .n_offset = AT(n_axis), .help = "its direction in its own frame"},
    {.key = "mass_kg", .type = OPTION_DOUBLE, .offset = AT(mass_kg), .min = 1e-6, .max = 1000, .def = NULL, .help = "mass of the link with all that is fixed to it"},
    {.key = "com_m", .type = OPTION_DOUBLES, .offset = AT(com), .min = -10, .max = 10, .def = "[0, 0, 0]", .n_max = 3, .n_offset = AT(n_com), .help = "its centre of mass in its own frame"},
    {.key = "inertia_kgm2", .type = OPTION_DOUBLES, .offset = AT(inertia), .min = -1000, .max = 1000, .def = NULL, .n_max = 6, .n_offset = AT(n_inertia), .help = "about that centre, along its own axes: xx, yy, zz, xy, xz, yz"},
    {.key = "armature_kgm2", .type = OPTION_DOUBLE, .offset = AT(armature_kgm2), .min = 0, .max = 1000, .def = "0", .help = "inertia of the rotor, times gear squared"},
    {.key = "friction_nm", .type = OPTION_DOUBLE, .offset = AT(friction_nm), .min = 0, .max = 1000, .def = "0", .help = "dry friction of its joint"},
    {.key = "damping_nms_rad", .type = OPTION_DOUBLE, .offset = AT(damping_nms_rad), .min = 0, .max = 1000, .def = "0", .help = "viscous friction of its joint"},
    {.key = NULL},
};

#undef AT
#define AT(field) offsetof(struct capsule_spec, field)
const struct option config_capsule_options[] = {
    {.key = "name", .type = OPTION_TEXT, .offset = AT(name), .n_max = NAME_CHARS, .def = NULL, .help = "name of the capsule"},
    {.key = "link", .type = OPTION_TEXT, .offset = AT(link), .n_max = NAME_CHARS, .def = NULL, .help = "the link that carries it, or base"},
    {.key = "from_m", .type = OPTION_DOUBLES, .offset = AT(from), .min = -10, .max = 10, .def = "[0, 0, 0]", .n_max = 3, .n_offset = AT(n_from), .help = "where its line begins, in the frame of that link"},
    {.key = "to_m", .type = OPTION_DOUBLES, .offset = AT(to), .min = -10, .max = 10, .def = "[0, 0, 0]", .n_max = 3, .n_offset = AT(n_to), .help = "where it ends; both the same make a ball"},
    {.key = "radius_m", .type = OPTION_DOUBLE, .offset = AT(radius_m), .min = 0, .max = 10, .def = NULL, .help = "what is nearer to the line than this belongs to the body"},
    {.key = NULL},
};
/* clang-format on */
