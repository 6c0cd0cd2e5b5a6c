/*
 * Feetech's bus protocol and the register table of its STS and SMS servos: constants only, so that
 * driver and emulator share nothing but these numbers. Source: the maker's protocol manual and
 * memory tables of STS and SMS, and the ST3215 sheet. Words are little-endian; signed ones are
 * sign and magnitude, the sign in the bit that *_SIGN says.
 */
#pragma once

enum feetech_instruction {
    FEETECH_PING = 0x01,
    FEETECH_READ = 0x02,
    FEETECH_WRITE = 0x03,
    FEETECH_REG_WRITE = 0x04,
    FEETECH_ACTION = 0x05,
    FEETECH_RESTORE = 0x06, /* all but the id as delivered */
    FEETECH_RESTART = 0x08,
    FEETECH_BACKUP = 0x09,
    FEETECH_RESET = 0x0A,     /* status and turn count */
    FEETECH_CALIBRATE = 0x0B, /* the present position reads as the middle, or as said */
    FEETECH_SYNC_READ = 0x82,
    FEETECH_SYNC_WRITE = 0x83,
};

enum { FEETECH_BROADCAST = 0xFE, FEETECH_ID_MAX = 253, FEETECH_LEN_MAX = 250 };

/* Bits of the error byte that each status carries, and of register 65. */
enum feetech_error {
    FEETECH_ERR_VOLTAGE = 1 << 0,
    FEETECH_ERR_ENCODER = 1 << 1,
    FEETECH_ERR_TEMPERATURE = 1 << 2,
    FEETECH_ERR_CURRENT = 1 << 3,
    FEETECH_ERR_OVERLOAD = 1 << 5,
    FEETECH_ERR_MAX = 0x7F, /* more is no error byte */
};

/* Two bytes where the name of a following address leaves room for them. */
enum feetech_register {
    FEETECH_FIRMWARE = 0, /* major, minor */
    FEETECH_ENDIANNESS = 2,
    FEETECH_MODEL = 3,
    FEETECH_ID = 5,
    FEETECH_BAUD = 6,
    FEETECH_RETURN_DELAY = 7,
    FEETECH_RETURN_LEVEL = 8, /* 0: pings and reads are answered, 1: all */
    FEETECH_POSITION_MIN = 9,
    FEETECH_POSITION_MAX = 11,
    FEETECH_TEMP_LIMIT = 13,
    FEETECH_VOLT_MAX = 14,
    FEETECH_VOLT_MIN = 15,
    FEETECH_TORQUE_MAX = 16, /* copied to 48 at power-up */
    FEETECH_PHASE = 18,
    FEETECH_UNLOAD = 19, /* which error bits cut torque */
    FEETECH_LED_ALARM = 20,
    FEETECH_POSITION_P = 21,
    FEETECH_POSITION_D = 22,
    FEETECH_POSITION_I = 23,
    FEETECH_DEAD_CW = 26,
    FEETECH_DEAD_CCW = 27,
    FEETECH_PROTECTION_CURRENT = 28,
    FEETECH_RESOLUTION = 30,
    FEETECH_OFFSET = 31, /* Present = encoder - this */
    FEETECH_MODE = 33,
    FEETECH_PROTECTION_TORQUE = 34, /* percent of full drive, after an overload */
    FEETECH_PROTECTION_TIME = 35,
    FEETECH_OVERLOAD_TORQUE = 36, /* percent that starts the overload's time */
    FEETECH_SPEED_P = 37,
    FEETECH_CURRENT_TIME = 38,
    FEETECH_SPEED_I = 39,
    FEETECH_TORQUE_ENABLE = 40,
    FEETECH_ACCELERATION = 41,
    FEETECH_GOAL_POSITION = 42,
    FEETECH_GOAL_TIME = 44, /* PWM in mode 2 */
    FEETECH_GOAL_SPEED = 46,
    FEETECH_TORQUE_LIMIT = 48,
    FEETECH_LOCK = 55, /* 0: writes below 40 last */
    FEETECH_PRESENT_POSITION = 56,
    FEETECH_PRESENT_SPEED = 58,
    FEETECH_PRESENT_LOAD = 60,
    FEETECH_PRESENT_VOLTAGE = 62,
    FEETECH_PRESENT_TEMPERATURE = 63,
    FEETECH_REGISTERED = 64,
    FEETECH_STATUS = 65,
    FEETECH_MOVING = 66,
    FEETECH_GOAL_ECHO = 67,
    FEETECH_PRESENT_CURRENT = 69,
    FEETECH_TABLE_END = 87,
};

enum {
    FEETECH_EEPROM_END = 40,
    FEETECH_STATE_FROM = FEETECH_PRESENT_POSITION,
    FEETECH_STATE_BYTES = 15 /* position, speed, load, V, C, .., status, moving, echo, current */
};

enum feetech_mode {
    FEETECH_MODE_POSITION = 0,
    FEETECH_MODE_SPEED = 1,
    FEETECH_MODE_PWM = 2,
    FEETECH_MODE_STEP = 3
};

enum feetech_torque { FEETECH_TORQUE_OFF = 0, FEETECH_TORQUE_ON = 1, FEETECH_TORQUE_DAMPED = 2 };

/* Present position becomes the middle when this is written to register 40. */
enum { FEETECH_TORQUE_CALIBRATE = 128 };

/* Bits of Phase (18). */
enum feetech_phase {
    FEETECH_PHASE_FINE_SPEED = 1 << 2, /* speeds in 1 step/s, else in 50 */
    FEETECH_PHASE_TURNS = 1 << 4,      /* present position counts whole turns */
};

enum feetech_model {
    FEETECH_STS3215 = 777,
    FEETECH_STS3250 = 2825,
    FEETECH_SM8512BL = 11272,
};

/* Sign bits. */
enum {
    FEETECH_POSITION_SIGN = 15, /* goal, present */
    FEETECH_SPEED_SIGN = 15,
    FEETECH_CURRENT_SIGN = 15,
    FEETECH_OFFSET_SIGN = 11,
    FEETECH_LOAD_SIGN = 10,
    FEETECH_PWM_SIGN = 10,
};

/* Units of one count. */
#define FEETECH_COUNTS_PER_TURN        4096
#define FEETECH_COUNTS_MIDDLE          2048
#define FEETECH_RAD_PER_COUNT          (6.283185307179586 / FEETECH_COUNTS_PER_TURN)
#define FEETECH_ACCELERATION_COUNTS_S2 100
#define FEETECH_TORQUE_FULL            1000 /* of 16, 48 and the load: 0.1 % */
#define FEETECH_A_PER_UNIT             0.0065
#define FEETECH_RETURN_DELAY_US        2
#define FEETECH_TIME_MS                10 /* of 35 and 38 */
