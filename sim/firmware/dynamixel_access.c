/* The emulated servo's control table over the wire: who may read and write what, and what a write
 * sets off. */
#include "sim/firmware/dynamixel_inside.h"

#include <stdlib.h>
#include <string.h>

int64_t servo_get(const struct servo *z, uint16_t addr)
{
    return table_get(z->regs, addr);
}

void servo_set(struct servo *z, uint16_t addr, int64_t v)
{
    table_put(z->regs, addr, v);
}

/* The bus watchdog came with firmware 38. */
static bool has(const struct servo *z, uint16_t addr)
{
    return table_has(addr, z->c.model) &&
           (addr != DXL_WATCHDOG || z->c.firmware >= DXL_WATCHDOG_FIRMWARE);
}

uint8_t servo_read(const struct servo *z, uint16_t addr, uint16_t len, uint8_t *ret_bytes)
{
    for (uint16_t i = 0; i < len; i++) {
        if (addr + i >= DXL_TABLE_END || len > 256) {
            return DXL_ERR_ACCESS;
        }
        ret_bytes[i] = z->regs[addr + i];
    }
    if (!has(z, addr)) {
        return DXL_ERR_ACCESS;
    }
    if (z->tripped && addr <= DXL_WATCHDOG && addr + len > DXL_WATCHDOG) {
        ret_bytes[DXL_WATCHDOG - addr] = 0xFF; /* reads -1 after a trip */
    }
    return 0;
}

static bool is_goal(uint16_t addr)
{
    return addr == DXL_GOAL_PWM || addr == DXL_GOAL_CURRENT || addr == DXL_GOAL_VELOCITY ||
           addr == DXL_GOAL_POSITION;
}

static uint8_t check_limits(const struct servo *z, uint16_t addr, int64_t v)
{
    const int64_t mode = servo_get(z, DXL_MODE);
    if (addr == DXL_GOAL_POSITION && mode == DXL_MODE_POSITION &&
        (v < servo_get(z, DXL_POSITION_MIN) || v > servo_get(z, DXL_POSITION_MAX))) {
        return DXL_ERR_LIMIT;
    }
    if (addr == DXL_GOAL_PWM && llabs(v) > servo_get(z, DXL_PWM_LIMIT)) {
        return DXL_ERR_LIMIT;
    }
    if ((addr == DXL_GOAL_VELOCITY || addr == DXL_PROFILE_VELOCITY) &&
        llabs(v) > servo_get(z, DXL_VELOCITY_LIMIT)) {
        return DXL_ERR_LIMIT;
    }
    return 0;
}

static int64_t value_at(const struct table_row *row, const uint8_t *p)
{
    uint64_t u = 0;
    for (int i = 0; i < row->size; i++) {
        u |= (uint64_t)p[i] << (8 * i);
    }
    if (row->is_signed) {
        return row->size == 2 ? (int16_t)u : (int32_t)(uint32_t)u;
    }
    return (int64_t)u;
}

uint8_t servo_check_write(const struct servo *z, uint16_t addr, const uint8_t *p, size_t n)
{
    if (n == 0) {
        return DXL_ERR_LENGTH; /* of a list; addr may be anything */
    }
    for (size_t at = 0; at < n;) {
        const uint16_t here = (uint16_t)(addr + at);
        const struct table_row *row = table_find(here);
        if (row == NULL || !row->writable || !has(z, here)) {
            return DXL_ERR_ACCESS;
        }
        if (here < DXL_EEPROM_END && z->regs[DXL_TORQUE_ENABLE] != 0) {
            return DXL_ERR_ACCESS;
        }
        if (at + row->size > n) {
            return DXL_ERR_LENGTH;
        }
        const int64_t v = value_at(row, p + at);
        if (v < row->min || v > row->max || (z->tripped && is_goal(here))) {
            return DXL_ERR_RANGE;
        }
        const uint8_t limit = check_limits(z, here, v);
        if (limit != 0) {
            return limit;
        }
        at += row->size;
    }
    return 0;
}

static void mode_changed(struct servo *z)
{
    uint8_t kept[DXL_TABLE_END];
    memcpy(kept, z->regs, sizeof kept);
    table_power_up(z->regs, z->c.model); /* gains, profile and goals of the mode's defaults */
    for (uint16_t a = DXL_TICK; a < 160; a++) {
        z->regs[a] = kept[a];
    }
    z->regs[DXL_STATUS_LEVEL] = kept[DXL_STATUS_LEVEL];
    z->regs[DXL_HARDWARE_ERROR] = kept[DXL_HARDWARE_ERROR];
    z->regs[DXL_LED] = kept[DXL_LED];
}

static void torque_changed(struct servo *z)
{
    z->profile.begun = false;
    if (z->regs[DXL_HARDWARE_ERROR] != 0) {
        z->regs[DXL_TORQUE_ENABLE] = 0; /* a latched error lets nothing turn on */
    }
}

uint8_t servo_write(struct servo *z, uint16_t addr, const uint8_t *p, size_t n)
{
    const uint8_t error = servo_check_write(z, addr, p, n);
    if (error != 0) {
        return error;
    }
    const uint8_t mode = z->regs[DXL_MODE];
    memcpy(z->regs + addr, p, n);
    if (addr <= DXL_WATCHDOG && addr + n > DXL_WATCHDOG) {
        z->tripped = false;
    }
    if (z->regs[DXL_MODE] != mode) {
        mode_changed(z);
    }
    if (addr <= DXL_TORQUE_ENABLE && addr + n > DXL_TORQUE_ENABLE) {
        torque_changed(z);
    }
    return 0;
}
