#include "sim/firmware/feetech_table.h"

#include <stddef.h>
#include <string.h>

/* clang-format off */
/* In the order of their addresses. What the tables leave open is 0 here. */
static const struct sts_row rows[] = {
    /* addr                      n  write  sign  range            as delivered */
    {0,                          1, false, UNSIGNED, 0, 255,      3},
    {1,                          1, false, UNSIGNED, 0, 255,      10},
    {FEETECH_ENDIANNESS,         1, false, UNSIGNED, 0, 1,        0},
    {FEETECH_MODEL,              2, false, UNSIGNED, 0, 65535,    FEETECH_STS3215},
    {FEETECH_ID,                 1, true,  UNSIGNED, 0, 253,      1},
    {FEETECH_BAUD,               1, true,  UNSIGNED, 0, 7,        0},
    {FEETECH_RETURN_DELAY,       1, true,  UNSIGNED, 0, 254,      250},
    {FEETECH_RETURN_LEVEL,       1, true,  UNSIGNED, 0, 1,        1},
    {FEETECH_POSITION_MIN,       2, true,  15, -32766, 32766,     0},
    {FEETECH_POSITION_MAX,       2, true,  15, -32766, 32766,     4095},
    {FEETECH_TEMP_LIMIT,         1, true,  UNSIGNED, 0, 100,      70},
    {FEETECH_VOLT_MAX,           1, true,  UNSIGNED, 0, 254,      140},
    {FEETECH_VOLT_MIN,           1, true,  UNSIGNED, 0, 254,      40},
    {FEETECH_TORQUE_MAX,         2, true,  UNSIGNED, 0, 1000,     1000},
    {FEETECH_PHASE,              1, true,  UNSIGNED, 0, 255,      12},
    {FEETECH_UNLOAD,             1, true,  UNSIGNED, 0, 255,      44},
    {FEETECH_LED_ALARM,          1, true,  UNSIGNED, 0, 255,      47},
    {FEETECH_POSITION_P,         1, true,  UNSIGNED, 0, 254,      32},
    {FEETECH_POSITION_D,         1, true,  UNSIGNED, 0, 254,      32},
    {FEETECH_POSITION_I,         1, true,  UNSIGNED, 0, 254,      0},
    {24,                         1, true,  UNSIGNED, 0, 254,      0},
    {25,                         1, true,  UNSIGNED, 0, 254,      0},
    {FEETECH_DEAD_CW,            1, true,  UNSIGNED, 0, 32,       1},
    {FEETECH_DEAD_CCW,           1, true,  UNSIGNED, 0, 32,       1},
    {FEETECH_PROTECTION_CURRENT, 2, true,  UNSIGNED, 0, 2047,     500},
    {FEETECH_RESOLUTION,         1, true,  UNSIGNED, 1, 100,      1},
    {FEETECH_OFFSET,             2, true,  FEETECH_OFFSET_SIGN, -2047, 2047, 0},
    {FEETECH_MODE,               1, true,  UNSIGNED, 0, 3,        0},
    {FEETECH_PROTECTION_TORQUE,  1, true,  UNSIGNED, 0, 100,      20},
    {FEETECH_PROTECTION_TIME,    1, true,  UNSIGNED, 0, 254,      200},
    {FEETECH_OVERLOAD_TORQUE,    1, true,  UNSIGNED, 0, 100,      80},
    {FEETECH_SPEED_P,            1, true,  UNSIGNED, 0, 100,      10},
    {FEETECH_CURRENT_TIME,       1, true,  UNSIGNED, 0, 254,      200},
    {FEETECH_SPEED_I,            1, true,  UNSIGNED, 0, 254,      200},
    {FEETECH_TORQUE_ENABLE,      1, true,  UNSIGNED, 0, FEETECH_TORQUE_CALIBRATE, 0},
    {FEETECH_ACCELERATION,       1, true,  UNSIGNED, 0, 254,      0},
    {FEETECH_GOAL_POSITION,      2, true,  FEETECH_POSITION_SIGN, -32766, 32766, 0},
    {FEETECH_GOAL_TIME,          2, true,  FEETECH_PWM_SIGN, -1000, 1000, 0},
    {FEETECH_GOAL_SPEED,         2, true,  FEETECH_SPEED_SIGN, -32766, 32766, 0},
    {FEETECH_TORQUE_LIMIT,       2, true,  UNSIGNED, 0, 1000,     0}, /* of 16 */
    {FEETECH_LOCK,               1, true,  UNSIGNED, 0, 1,        1},
    {FEETECH_PRESENT_POSITION,   2, false, FEETECH_POSITION_SIGN, -32766, 32766, 0},
    {FEETECH_PRESENT_SPEED,      2, false, FEETECH_SPEED_SIGN, -32766, 32766, 0},
    {FEETECH_PRESENT_LOAD,       2, false, FEETECH_LOAD_SIGN, -1000, 1000, 0},
    {FEETECH_PRESENT_VOLTAGE,    1, false, UNSIGNED, 0, 255,      0},
    {FEETECH_PRESENT_TEMPERATURE, 1, false, UNSIGNED, 0, 255,     0},
    {FEETECH_REGISTERED,         1, false, UNSIGNED, 0, 1,        0},
    {FEETECH_STATUS,             1, false, UNSIGNED, 0, 127,      0},
    {FEETECH_MOVING,             1, false, UNSIGNED, 0, 1,        0},
    {FEETECH_GOAL_ECHO,          2, false, FEETECH_POSITION_SIGN, -32766, 32766, 0},
    {FEETECH_PRESENT_CURRENT,    2, false, FEETECH_CURRENT_SIGN, -32766, 32766, 0},
    {80,                         1, false, UNSIGNED, 0, 255,      0},
    {81,                         1, false, UNSIGNED, 0, 255,      0},
    {82,                         1, false, UNSIGNED, 0, 255,      0},
    {84,                         1, false, UNSIGNED, 0, 255,      0},
    {85,                         1, true,  UNSIGNED, 0, 254,      254},
    {86,                         1, true,  UNSIGNED, 0, 254,      1},
};
/* clang-format on */

#define ROWS (sizeof rows / sizeof rows[0])

const struct sts_row *sts_row_at(int at)
{
    return at >= 0 && (size_t)at < ROWS ? &rows[at] : NULL;
}

const struct sts_row *sts_row_find(uint8_t addr)
{
    size_t low = 0, n = ROWS;
    while (n > 1) { /* the last row that does not start behind addr */
        const size_t half = n / 2;
        low += rows[low + half].addr <= addr ? half : 0;
        n -= half;
    }
    return rows[low].addr == addr ? &rows[low] : NULL;
}

int32_t sts_table_get(const uint8_t *regs, uint8_t addr)
{
    const struct sts_row *row = sts_row_find(addr);
    if (row == NULL) {
        return 0;
    }
    const int32_t raw = row->size == 2 ? regs[addr] + 256 * regs[addr + 1] : regs[addr];
    if (row->sign == UNSIGNED) {
        return raw;
    }
    const int32_t bit = 1 << row->sign;
    return raw >= bit ? bit - raw : raw;
}

void sts_table_put(uint8_t *regs, uint8_t addr, int32_t value)
{
    const struct sts_row *row = sts_row_find(addr);
    if (row == NULL) {
        return;
    }
    value = value < row->min ? row->min : value > row->max ? row->max : value;
    const int32_t raw = value < 0 ? (1 << row->sign) - value : value;
    regs[addr] = (uint8_t)(raw % 256);
    if (row->size == 2) {
        regs[addr + 1] = (uint8_t)(raw / 256);
    }
}

static void set_rows(uint8_t *regs, uint8_t from, uint8_t end)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (rows[i].addr >= from && rows[i].addr < end) {
            sts_table_put(regs, rows[i].addr, rows[i].factory);
        }
    }
}

void sts_table_factory(uint8_t *regs, int model, int firmware)
{
    memset(regs, 0, FEETECH_TABLE_END);
    set_rows(regs, 0, FEETECH_EEPROM_END);
    sts_table_put(regs, 0, firmware / 100);
    sts_table_put(regs, 1, firmware % 100);
    sts_table_put(regs, FEETECH_MODEL, model);
}

void sts_table_power_up(uint8_t *regs)
{
    memset(regs + FEETECH_EEPROM_END, 0, FEETECH_TABLE_END - FEETECH_EEPROM_END);
    set_rows(regs, FEETECH_EEPROM_END, FEETECH_TABLE_END);
    sts_table_put(regs, FEETECH_TORQUE_LIMIT, sts_table_get(regs, FEETECH_TORQUE_MAX));
}
