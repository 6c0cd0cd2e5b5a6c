/*
 * The emulated servo's control table: what each register is, who may write it and what it holds
 * after power-up. Source: the maker's e-manual, control tables of XL330, XL430, XM430.
 */
#pragma once

#include "drivers/dynamixel_regs.h"

#include <stdbool.h>
#include <stdint.h>

struct table_row {
    uint16_t addr;
    uint8_t size;
    bool writable;
    bool is_signed;
    int64_t min, max; /* of a written value */
};

/* The register that starts at addr, or NULL. */
const struct table_row *table_find(uint16_t addr);
/* Is the byte at addr part of any register of this model? */
bool table_has(uint16_t addr, int model);
/* Present Current (126) at standstill and full drive, in the model's units: 1 or 2.69 mA, or 0.1 %
 * of load where no current is measured. */
int table_stall_units(int model);
/* Non-volatile registers as they leave the factory, and RAM as it is after power-up. regs
 * [DXL_TABLE_END] */
void table_factory(uint8_t *regs, int model, int firmware);
void table_power_up(uint8_t *regs, int model);

int64_t table_get(const uint8_t *regs, uint16_t addr);
void table_put(uint8_t *regs, uint16_t addr, int64_t value);
