/* What a recorded motion says of an arm's links, beside what its robot file says. */
#include "daemon/ctl/ctl.h"

#include "daemon/config.h"
#include "daemon/identify.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define MEMORY_BYTES ((size_t)256 << 20) /* 80 MB are the longest recording, of eight links */
#define NAMED        (NAME_CHARS + 16)

static void print_constants(const struct identify *z)
{
    (void)printf(
        "\nconstants of torque by current, of what the driver takes them for (nm_per_a times "
        "this); that of %s counts as right, for motion tells their ratios alone:\n",
        z->robot->chain.link[z->right].name);
    for (int i = 0; i < z->n; i++) {
        const char *name = z->robot->chain.link[i].name;
        if (isfinite(z->constant_error[i])) {
            (void)printf("%12.5g %12.2g  %s\n", z->constant[i], z->constant_error[i], name);
        } else {
            (void)printf("%12s %12s  %s: not told by this motion\n", "-", "-", name);
        }
    }
}

static void print_people(const struct identify *z)
{
    char name[IDENTIFY_NAME];
    (void)printf("%d of %d parameters show in torques, alone or in sums; %d torques, condition "
                 "%.0f\n\n%12s %12s %12s  parameter\n",
                 z->n_base, z->n * CHAIN_PARAMETERS, z->n_rows, z->condition, "value", "error",
                 "by the file");
    for (int i = 0; i < z->n_base; i++) {
        (void)identify_name(z, i, name, (int)sizeof name);
        (void)printf("%12.5g %12.2g %12.5g  %s (%s)\n", z->value[i], z->error[i], z->nominal[i],
                     name, identify_unit(z->base[i]));
    }
    (void)printf("\nin no torque:");
    for (int k = 0; k < z->n_rest; k++) {
        if (identify_is_unseen(z, k)) {
            (void)identify_column_name(z, z->rest[k], name, (int)sizeof name);
            (void)printf(" %s", name);
        }
    }
    (void)printf("\nleft of the torques:");
    for (int i = 0; i < z->n; i++) {
        (void)printf(" %s %.3g Nm%s", z->robot->chain.link[i].name, z->rms_nm[i],
                     i + 1 < z->n ? "," : "\n");
    }
    if (z->right >= 0) {
        print_constants(z);
    }
    (void)printf(
        "\nin the robot file's links: damping is damping_nms_rad, friction friction_nm, armature "
        "armature_kgm2, m mass_kg, m_cx mass_kg times com_m's x, Ixx .. inertia_kgm2 moved from "
        "the centre of mass to the link's frame. Of a sum change one term until all of them add up "
        "to "
        "the value: no torque tells which. What is in no torque stays as it is.\n");
}

static void print_json(const struct identify *z)
{
    static char text[IDENTIFY_COLUMNS][IDENTIFY_NAME];
    const char *name[IDENTIFY_COLUMNS], *unit[IDENTIFY_COLUMNS];
    struct json_object *o = json_begin();
    for (int i = 0; i < z->n_base; i++) {
        (void)identify_name(z, i, text[i], IDENTIFY_NAME);
        name[i] = text[i];
        unit[i] = identify_unit(z->base[i]);
    }
    json_texts(o, "parameter", name, z->n_base);
    json_texts(o, "unit", unit, z->n_base);
    json_numbers(o, "value", z->value, z->n_base);
    json_numbers(o, "standard_error", z->error, z->n_base);
    json_numbers(o, "robot_file", z->nominal, z->n_base);
    int unseen = 0;
    for (int k = 0; k < z->n_rest; k++) {
        if (identify_is_unseen(z, k)) {
            (void)identify_column_name(z, z->rest[k], text[unseen], NAMED);
            name[unseen] = text[unseen];
            unseen++;
        }
    }
    json_texts(o, "unseen", name, unseen);
    json_numbers(o, "rms_nm", z->rms_nm, z->n);
    if (z->right >= 0) {
        json_numbers(o, "constant", z->constant, z->n);
        json_numbers(o, "constant_error", z->constant_error, z->n);
        json_text(o, "right_by_definition", z->robot->chain.link[z->right].name);
    }
    json_number(o, "condition", z->condition);
    json_int(o, "torques", z->n_rows);
    json_print(o, stdout, true);
}

/* 0, or an exit status, having said why. */
static int identify(struct ctl *c, struct config *config, struct identify *z, struct arena *mem)
{
    char reason[WHY_CHARS] = "";
    struct motion_record m;
    const int cap = (int)sizeof reason;
    int status = 0;
    if (config_load(config, c->config, NULL, 0, mem, reason, cap) < 0 ||
        identify_base(z, &config->robot, mem, reason, cap) < 0) {
        status = EXIT_CONFIG;
    } else if (identify_read(&m, c->words[0], &config->robot, mem, reason, cap) < 0 ||
               identify_fit(z, &m, c->constants, mem, reason, cap) < 0) {
        status = EXIT_FAILURE;
    }
    if (status != 0) {
        ctl_say(c, "%s", reason);
    }
    return status;
}

int ctl_identify(struct ctl *c)
{
    struct arena mem;
    if (c->config == NULL || c->n_words != 1) {
        return ctl_usage(c, "identify --config FILE RECORDING");
    }
    struct config *config = calloc(1, sizeof *config);
    struct identify *z = calloc(1, sizeof *z);
    int status = EXIT_FAILURE;
    if (config == NULL || z == NULL || arena_open(&mem, "identify", MEMORY_BYTES) < 0) {
        status = exit_no_memory("basalctl");
    } else {
        status = identify(c, config, z, &mem);
        if (status == 0) {
            (c->json ? print_json : print_people)(z);
        }
        arena_close(&mem);
    }
    free(z);
    free(config);
    return status;
}
