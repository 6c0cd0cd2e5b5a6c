#include "sim/firmware/dynamixel_table.h"

#include <stddef.h>
#include <string.h>

/* clang-format off */
/* In the order of their addresses. */
static const struct table_row rows[] = {
    {DXL_MODEL, 2, false, false, 0, 0},            {2, 4, false, false, 0, 0},
    {DXL_FIRMWARE, 1, false, false, 0, 0},         {DXL_ID, 1, true, false, 0, 252},
    {DXL_BAUD, 1, true, false, 0, 7},              {DXL_RETURN_DELAY, 1, true, false, 0, 254},
    {DXL_DRIVE_MODE, 1, true, false, 0, 15},       {DXL_MODE, 1, true, false, 0, 16},
    {DXL_SHADOW_ID, 1, true, false, 0, 255},       {DXL_PROTOCOL, 1, true, false, 1, 22},
    {DXL_HOMING_OFFSET, 4, true, true, -1044479, 1044479}, {DXL_MOVING_THRESHOLD, 4, true, false, 0, 1023},
    {DXL_TEMP_LIMIT, 1, true, false, 0, 100},      {DXL_VOLT_MAX, 2, true, false, 31, 160},
    {DXL_VOLT_MIN, 2, true, false, 31, 160},       {DXL_PWM_LIMIT, 2, true, false, 0, 885},
    {DXL_CURRENT_LIMIT, 2, true, false, 0, 2047},  {DXL_VELOCITY_LIMIT, 4, true, false, 0, 2047},
    {DXL_POSITION_MAX, 4, true, false, 0, 4095},   {DXL_POSITION_MIN, 4, true, false, 0, 4095},
    {60, 1, true, false, 0, 255},                  {DXL_SHUTDOWN, 1, true, false, 0, 63},
    {DXL_TORQUE_ENABLE, 1, true, false, 0, 1},     {DXL_LED, 1, true, false, 0, 1},
    {DXL_STATUS_LEVEL, 1, true, false, 0, 2},      {DXL_REGISTERED, 1, false, false, 0, 1},
    {DXL_HARDWARE_ERROR, 1, false, false, 0, 0},   {DXL_VELOCITY_I, 2, true, false, 0, 16383},
    {DXL_VELOCITY_P, 2, true, false, 0, 16383},    {DXL_POSITION_D, 2, true, false, 0, 16383},
    {DXL_POSITION_I, 2, true, false, 0, 16383},    {DXL_POSITION_P, 2, true, false, 0, 16383},
    {DXL_FEEDFORWARD_2, 2, true, false, 0, 16383}, {DXL_FEEDFORWARD_1, 2, true, false, 0, 16383},
    {DXL_WATCHDOG, 1, true, false, 0, 127},        {DXL_GOAL_PWM, 2, true, true, -885, 885},
    {DXL_GOAL_CURRENT, 2, true, true, -2047, 2047}, {DXL_GOAL_VELOCITY, 4, true, true, -2047, 2047},
    {DXL_PROFILE_ACCELERATION, 4, true, false, 0, 32767}, {DXL_PROFILE_VELOCITY, 4, true, false, 0, 32767},
    {DXL_GOAL_POSITION, 4, true, true, -1048575, 1048575}, {DXL_TICK, 2, false, false, 0, 0},
    {DXL_MOVING, 1, false, false, 0, 0},           {DXL_MOVING_STATUS, 1, false, false, 0, 0},
    {DXL_PRESENT_PWM, 2, false, true, 0, 0},       {DXL_PRESENT_CURRENT, 2, false, true, 0, 0},
    {DXL_PRESENT_VELOCITY, 4, false, true, 0, 0},  {DXL_PRESENT_POSITION, 4, false, true, 0, 0},
    {136, 4, false, true, 0, 0},                   {140, 4, false, true, 0, 0},
    {DXL_PRESENT_VOLTAGE, 2, false, false, 0, 0},  {DXL_PRESENT_TEMPERATURE, 1, false, false, 0, 0},
    {147, 1, false, false, 0, 0},
};
/* clang-format on */

#define ROWS (sizeof rows / sizeof rows[0])

/* The last row that does not start behind addr: every servo looks here dozens of times a substep.
 */
static const struct table_row *row_before(uint16_t addr)
{
    size_t low = 0, n = ROWS;
    while (n > 1) {
        const size_t half = n / 2;
        low += rows[low + half].addr <= addr ? half : 0;
        n -= half;
    }
    return &rows[low];
}

const struct table_row *table_find(uint16_t addr)
{
    const struct table_row *row = row_before(addr);
    return row->addr == addr ? row : NULL;
}

static bool has_current(int model)
{
    return model != DXL_XL430_W250 && model != DXL_2XL430_W250 && model != DXL_XC430_W150 &&
           model != DXL_XC430_W240;
}

int table_stall_units(int model)
{
    static const struct {
        uint16_t model, units;
    } stall[] = {{DXL_XL330_M077, 1470}, {DXL_XL330_M288, 1470}, {DXL_XC330_T181, 800},
                 {DXL_XC330_T288, 800},  {DXL_XC330_M181, 1800}, {DXL_XC330_M288, 1800},
                 {DXL_XM430_W350, 855},  {DXL_XM430_W210, 855},  {DXL_XM540_W270, 1636},
                 {DXL_XM540_W150, 1636}};

    for (size_t i = 0; i < sizeof stall / sizeof stall[0]; i++) {
        if (stall[i].model == model) {
            return stall[i].units;
        }
    }
    return 1000; /* load: 0.1 % of full drive */
}

bool table_has(uint16_t addr, int model)
{
    const struct table_row *row = row_before(addr);
    const bool current = row->addr == DXL_CURRENT_LIMIT || row->addr == DXL_GOAL_CURRENT;
    return addr < row->addr + row->size && (!current || has_current(model));
}

int64_t table_get(const uint8_t *regs, uint16_t addr)
{
    const struct table_row *row = table_find(addr);
    uint64_t v = 0;
    for (int i = 0; row != NULL && i < row->size; i++) {
        v |= (uint64_t)regs[addr + i] << (8 * i);
    }
    if (row != NULL && row->is_signed) {
        return row->size == 2 ? (int16_t)v : (int32_t)(uint32_t)v;
    }
    return (int64_t)v;
}

void table_put(uint8_t *regs, uint16_t addr, int64_t value)
{
    const struct table_row *row = table_find(addr);
    for (int i = 0; row != NULL && i < row->size; i++) {
        regs[addr + i] = (uint8_t)((uint64_t)value >> (8 * i));
    }
}

struct value {
    uint16_t addr;
    int32_t v;
};

void table_factory(uint8_t *regs, int model, int firmware)
{
    static const struct value common[] = {
        {DXL_ID, 1},
        {DXL_BAUD, 1},
        {DXL_RETURN_DELAY, 250},
        {DXL_MODE, DXL_MODE_POSITION},
        {DXL_SHADOW_ID, 255},
        {DXL_PROTOCOL, 2},
        {DXL_MOVING_THRESHOLD, 10},
        {DXL_TEMP_LIMIT, 72},
        {DXL_VOLT_MAX, 140},
        {DXL_VOLT_MIN, 60},
        {DXL_PWM_LIMIT, 885},
        {DXL_CURRENT_LIMIT, 1193},
        {DXL_VELOCITY_LIMIT, 265},
        {DXL_POSITION_MAX, 4095},
        {DXL_SHUTDOWN, 52},
    };
    static const struct value x330[] = {{DXL_TEMP_LIMIT, 70},      {DXL_VOLT_MAX, 70},
                                        {DXL_VOLT_MIN, 35},        {DXL_CURRENT_LIMIT, 1750},
                                        {DXL_VELOCITY_LIMIT, 445}, {DXL_SHUTDOWN, 53}};
    memset(regs, 0, DXL_TABLE_END);
    for (size_t i = 0; i < sizeof common / sizeof common[0]; i++) {
        table_put(regs, common[i].addr, common[i].v);
    }
    for (size_t i = 0; model >= 1190 && model <= 1240 && i < sizeof x330 / sizeof x330[0]; i++) {
        table_put(regs, x330[i].addr, x330[i].v);
    }
    table_put(regs, DXL_MODEL, model);
    table_put(regs, DXL_FIRMWARE, firmware);
}

void table_power_up(uint8_t *regs, int model)
{
    const bool xl430 = model == DXL_XL430_W250, x330 = model >= 1190 && model <= 1240;
    memset(regs + DXL_EEPROM_END, 0, DXL_TABLE_END - DXL_EEPROM_END);
    table_put(regs, DXL_STATUS_LEVEL, 2);
    table_put(regs, DXL_VELOCITY_I, x330 ? 1600 : xl430 ? 1000 : 1920);
    table_put(regs, DXL_VELOCITY_P, x330 ? 180 : 100);
    table_put(regs, DXL_POSITION_D, xl430 ? 4000 : 0);
    table_put(regs, DXL_POSITION_P, x330 ? 400 : xl430 ? 640 : 800);
    table_put(regs, DXL_GOAL_PWM, table_get(regs, DXL_PWM_LIMIT));
    table_put(regs, DXL_GOAL_VELOCITY, table_get(regs, DXL_VELOCITY_LIMIT));
}
