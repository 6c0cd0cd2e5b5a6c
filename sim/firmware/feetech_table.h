/*
 * The emulated STS servo's register table: what each register is, who may write it and what it
 * holds as delivered. Source: the maker's memory tables of STS and SMS, the ST3215 sheet.
 */
#pragma once

#include "drivers/feetech_regs.h"

#include <stdbool.h>
#include <stdint.h>

#define UNSIGNED (-1)

struct sts_row {
    uint8_t addr, size;
    bool writable;
    int8_t sign;      /* the bit that says minus; UNSIGNED */
    int32_t min, max; /* what is written beyond becomes the nearest */
    int32_t factory;  /* as delivered, or as after power-up above 39 */
};

/* The register that starts at addr, or NULL. */
const struct sts_row *sts_row_find(uint8_t addr);
/* The at-th of all, in the order of addresses; NULL: no more. */
const struct sts_row *sts_row_at(int at);

int32_t sts_table_get(const uint8_t *regs, uint8_t addr);
void sts_table_put(uint8_t *regs, uint8_t addr, int32_t value);

/* Non-volatile registers as delivered. regs [FEETECH_TABLE_END] */
void sts_table_factory(uint8_t *regs, int model, int firmware);
/* The others as after power-up. */
void sts_table_power_up(uint8_t *regs);
