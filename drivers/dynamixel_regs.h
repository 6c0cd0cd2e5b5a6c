/*
 * Dynamixel Protocol 2.0 and the X-series control table: constants only, so that driver and
 * emulator share nothing but these numbers. Source: the maker's e-manual, "Protocol 2.0" and the
 * control tables of XL330, XL430, XM430.
 */
#pragma once

enum dxl_instruction {
    DXL_PING = 0x01,
    DXL_READ = 0x02,
    DXL_WRITE = 0x03,
    DXL_REG_WRITE = 0x04,
    DXL_ACTION = 0x05,
    DXL_FACTORY_RESET = 0x06,
    DXL_REBOOT = 0x08,
    DXL_CLEAR = 0x10,
    DXL_BACKUP = 0x20,
    DXL_STATUS = 0x55,
    DXL_SYNC_READ = 0x82,
    DXL_SYNC_WRITE = 0x83,
    DXL_FAST_SYNC_READ = 0x8A,
    DXL_BULK_READ = 0x92,
    DXL_BULK_WRITE = 0x93,
    DXL_FAST_BULK_READ = 0x9A,
};

enum { DXL_BROADCAST = 0xFE, DXL_ID_MAX = 252 };

enum dxl_error {
    DXL_ERR_RESULT = 1,
    DXL_ERR_INSTRUCTION = 2,
    DXL_ERR_CRC = 3,
    DXL_ERR_RANGE = 4,
    DXL_ERR_LENGTH = 5,
    DXL_ERR_LIMIT = 6,
    DXL_ERR_ACCESS = 7,
    DXL_ALERT = 0x80,
};

/* Control table addresses; the size in bytes is in the name where a program writes or reads it on
 * its own. */
enum dxl_register {
    DXL_MODEL = 0,
    DXL_FIRMWARE = 6,
    DXL_ID = 7,
    DXL_BAUD = 8,
    DXL_RETURN_DELAY = 9,
    DXL_DRIVE_MODE = 10,
    DXL_MODE = 11,
    DXL_SHADOW_ID = 12,
    DXL_PROTOCOL = 13,
    DXL_HOMING_OFFSET = 20,
    DXL_MOVING_THRESHOLD = 24,
    DXL_TEMP_LIMIT = 31,
    DXL_VOLT_MAX = 32,
    DXL_VOLT_MIN = 34,
    DXL_PWM_LIMIT = 36,
    DXL_CURRENT_LIMIT = 38,
    DXL_VELOCITY_LIMIT = 44,
    DXL_POSITION_MAX = 48,
    DXL_POSITION_MIN = 52,
    DXL_SHUTDOWN = 63,
    DXL_TORQUE_ENABLE = 64,
    DXL_LED = 65,
    DXL_STATUS_LEVEL = 68,
    DXL_REGISTERED = 69,
    DXL_HARDWARE_ERROR = 70,
    DXL_VELOCITY_I = 76,
    DXL_VELOCITY_P = 78,
    DXL_POSITION_D = 80,
    DXL_POSITION_I = 82,
    DXL_POSITION_P = 84,
    DXL_FEEDFORWARD_2 = 88,
    DXL_FEEDFORWARD_1 = 90,
    DXL_WATCHDOG = 98,
    DXL_GOAL_PWM = 100,
    DXL_GOAL_CURRENT = 102,
    DXL_GOAL_VELOCITY = 104,
    DXL_PROFILE_ACCELERATION = 108,
    DXL_PROFILE_VELOCITY = 112,
    DXL_GOAL_POSITION = 116,
    DXL_TICK = 120,
    DXL_MOVING = 122,
    DXL_MOVING_STATUS = 123,
    DXL_PRESENT_PWM = 124,
    DXL_PRESENT_CURRENT = 126,
    DXL_PRESENT_VELOCITY = 128,
    DXL_PRESENT_POSITION = 132,
    DXL_POSITION_TRAJECTORY = 140,
    DXL_PRESENT_VOLTAGE = 144,
    DXL_PRESENT_TEMPERATURE = 146,
    DXL_TABLE_END = 662,
};

enum { DXL_EEPROM_END = 64, DXL_STATE_FROM = DXL_TICK, DXL_STATE_BYTES = 16 };

enum dxl_mode {
    DXL_MODE_CURRENT = 0,
    DXL_MODE_VELOCITY = 1,
    DXL_MODE_POSITION = 3,
    DXL_MODE_EXTENDED = 4,
    DXL_MODE_CURRENT_POSITION = 5,
    DXL_MODE_PWM = 16,
};

enum dxl_model {
    DXL_XL330_M077 = 1190,
    DXL_XL330_M288 = 1200,
    DXL_XC330_T181 = 1210,
    DXL_XC330_T288 = 1220,
    DXL_XC330_M181 = 1230,
    DXL_XC330_M288 = 1240,
    DXL_XL430_W250 = 1060,
    DXL_2XL430_W250 = 1090,
    DXL_XC430_W150 = 1070,
    DXL_XC430_W240 = 1080,
    DXL_XM430_W350 = 1020,
    DXL_XM430_W210 = 1030,
    DXL_XM540_W270 = 1120,
    DXL_XM540_W150 = 1130,
};

/* Units of one count. */
#define DXL_COUNTS_PER_TURN   4096
#define DXL_COUNTS_MIDDLE     2048
#define DXL_RAD_PER_COUNT     (6.283185307179586 / DXL_COUNTS_PER_TURN)
#define DXL_RAD_S_PER_UNIT    (0.229 * 6.283185307179586 / 60.0)
#define DXL_RAD_S2_PER_UNIT   (214.577 * 6.283185307179586 / 3600.0)
#define DXL_PWM_FULL          885
#define DXL_WATCHDOG_MS       20
#define DXL_WATCHDOG_MAX      127
#define DXL_WATCHDOG_FIRMWARE 38 /* the first that has register 98 */
#define DXL_TICK_MODULO       32768
#define DXL_RETURN_DELAY_US   2
