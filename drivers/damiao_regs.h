/*
 * Damiao motors on CAN: constants only, so that driver and emulator share nothing but these
 * numbers. Source: the vendor's wiki and openarm_can.
 */
#pragma once

enum dm_can_id {
    DM_POS_VEL_ID = 0x100,
    DM_VEL_ID = 0x200,
    DM_POS_FORCE_ID = 0x300,
    DM_REGISTER_ID = 0x7FF
};

/* Third byte of a frame to DM_REGISTER_ID. */
enum dm_access { DM_READ = 0x33, DM_WRITE = 0x55, DM_SAVE = 0xAA, DM_REFRESH = 0xCC };

enum dm_register {
    DM_UV_VALUE = 0,
    DM_OT_VALUE = 2,
    DM_OC_VALUE = 3,
    DM_MAX_SPD = 6,
    DM_MST_ID = 7,
    DM_ESC_ID = 8,
    DM_TIMEOUT = 9,
    DM_CTRL_MODE = 10,
    DM_HW_VERSION = 13,
    DM_SW_VERSION = 14,
    DM_SERIAL = 15,
    DM_POLE_PAIRS = 16,
    DM_PMAX = 21,
    DM_VMAX = 22,
    DM_TMAX = 23,
    DM_OV_VALUE = 29,
    DM_CAN_BR = 35,
    DM_SUB_VERSION = 36,
    DM_OFFSET_FIRST = 50,
    DM_OFFSET_LAST = 55,
    DM_MOTOR_POSITION = 80,
    DM_OUTPUT_POSITION = 81,
    DM_REGISTERS = 82
};

enum dm_mode { DM_MODE_MIT = 1, DM_MODE_POS_VEL = 2, DM_MODE_VEL = 3, DM_MODE_POS_FORCE = 4 };

/* High half of a state reply's first byte. */
enum dm_status {
    DM_DISABLED = 0,
    DM_ENABLED = 1,
    DM_OVER_VOLTAGE = 8,
    DM_UNDER_VOLTAGE = 9,
    DM_OVER_CURRENT = 10,
    DM_HOT_MOSFET = 11,
    DM_HOT_COIL = 12,
    DM_LOST = 13,
    DM_OVERLOAD = 14
};

#define DM_TIMEOUT_S   50e-6 /* unit of register 9 */
#define DM_KP_MAX      500.0
#define DM_KD_MAX      5.0
#define DM_CAN_BR_FD   5 /* from this rate on the motor answers in CAN FD */
#define DM_MST_ID_MORE 0x10
