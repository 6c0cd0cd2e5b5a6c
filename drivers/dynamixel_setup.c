/*
 * Set-up of Dynamixels: what the machine in steps.c wants to know of Protocol 2.0 and the X-series'
 * table.
 */
#include "drivers/dynamixel_steps.h"

#include <string.h>

static const struct baud_code bauds[] = {{57600, 1},   {115200, 2},  {1000000, 3},
                                         {2000000, 4}, {3000000, 5}, {4000000, 6},
                                         {4500000, 7}, {9600, 0},    {0, 0}};

static int parse(const uint8_t *bytes, size_t n, struct answer *ret_answer)
{
    struct dxl_packet p;
    const int used = dxl_parse(bytes, n, &p);
    if (used > 0) {
        const uint8_t error = p.error & 0x7F;
        *ret_answer = (struct answer){.id = p.id,
                                      .error = error,
                                      .status = p.instruction == DXL_STATUS,
                                      .verdict = error == 0             ? VERDICT_DONE
                                                 : error == DXL_ERR_CRC ? VERDICT_AGAIN
                                                                        : VERDICT_REFUSED,
                                      .n = p.n_params};
        memcpy(ret_answer->data, p.params, p.n_params < ANSWER_BYTES ? p.n_params : ANSWER_BYTES);
    }
    return used;
}

static int ask_identity(uint8_t id, uint8_t *ret_tx, size_t cap)
{
    return dxl_build(id, DXL_PING, NULL, 0, ret_tx, cap);
}

static int read_registers(uint8_t id, uint16_t addr, uint8_t n, uint8_t *ret_tx, size_t cap)
{
    uint8_t params[4];
    dxl_put16(params, addr);
    dxl_put16(params + 2, n);
    return dxl_build(id, DXL_READ, params, sizeof params, ret_tx, cap);
}

static int write_register(uint8_t id, uint16_t addr, uint32_t value, uint8_t n, uint8_t *ret_tx,
                          size_t cap)
{
    uint8_t params[6];
    dxl_put16(params, addr);
    dxl_put32(params + 2, value);
    return dxl_build(id, DXL_WRITE, params, 2u + n, ret_tx, cap);
}

static int reboot(uint8_t id, uint8_t *ret_tx, size_t cap)
{
    return dxl_build(id, DXL_REBOOT, NULL, 0, ret_tx, cap);
}

static void identify(const struct joint_spec *j, const uint8_t *data, struct identity *ret_id)
{
    ret_id->model = dxl_get16(data);
    ret_id->firmware = data[2];
    ret_id->silence = dxl_silence(ret_id->model, dxl_mode_of(j), ret_id->firmware);
}

static void begin(struct robot_bus *b, int joint)
{
    *(struct dxl_joint *)b->state[joint] = (struct dxl_joint){.pwm.age = CEILING_NEVER_SENT};
}

static int32_t counts(uint32_t raw)
{
    return (int32_t)raw;
}

static uint8_t delay_code(const struct joint_spec *j)
{
    const struct dxl_config *c = j->driver;
    return (uint8_t)(c != NULL ? c->return_delay_us / DXL_RETURN_DELAY_US : 0);
}

static const char *model_name(int model)
{
    const struct dxl_model_row *row = dxl_model_find(model);
    return row != NULL ? row->name : "unknown";
}

const struct servo_protocol dxl_protocol = {
    .step = dxl_step,
    .applies = dxl_applies,
    .value = dxl_value,
    .identify = identify,
    .begin = begin,
    .counts = counts,
    .faults = dxl_faults,
    .parse = parse,
    .ask_identity = ask_identity,
    .read = read_registers,
    .write = write_register,
    .reboot = reboot,
    .identity_bytes = 3,
    .non_volatile_end = DXL_EEPROM_END,
    .torque = DXL_TORQUE_ENABLE,
    .id = DXL_ID,
    .baud = DXL_BAUD,
    .return_delay = DXL_RETURN_DELAY,
    .return_level = DXL_STATUS_LEVEL,
    .mute_of_reads = true,
    .bauds = bauds,
    .factory_baud = 57600,
    .id_max = DXL_ID_MAX,
    .all_answer_id = DXL_BROADCAST,
    .delay_code = delay_code,
    .delay_us = DXL_RETURN_DELAY_US,
    .model_name = model_name,
    .silence_why = "goes on moving when the bus is silent, with this model and firmware",
    .silence_do = "update its firmware, or set accept_no_device_watchdog: true on the bus",
    .error_do = "remove the cause, then reboot the servo or cycle its power",
};

int dxl_setup(struct setup *s, int64_t now_ns, const uint8_t *rx, size_t n, uint8_t *ret_tx,
              size_t cap)
{
    return steps_setup(&dxl_protocol, s, now_ns, rx, n, ret_tx, cap);
}
