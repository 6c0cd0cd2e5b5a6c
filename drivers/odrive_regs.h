/*
 * ODrive's CANSimple: constants only, so that driver and emulator share nothing but these numbers.
 * Source: odriverobotics/ODrive can_simple.cpp (0.5), ODriveArduino can_simple_messages.hpp (0.6).
 */
#pragma once

/* An id is node << 5 | one of these. */
enum odrive_message {
    ODRIVE_VERSION = 0x00, /* 0.6 */
    ODRIVE_HEARTBEAT = 0x01,
    ODRIVE_ESTOP = 0x02,
    ODRIVE_ERROR = 0x03,
    ODRIVE_ADDRESS = 0x06, /* 0.6 */
    ODRIVE_STATE = 0x07,
    ODRIVE_ESTIMATES = 0x09,
    ODRIVE_MODE = 0x0B,
    ODRIVE_POSITION = 0x0C,
    ODRIVE_VELOCITY = 0x0D,
    ODRIVE_TORQUE = 0x0E,
    ODRIVE_LIMITS = 0x0F,
    ODRIVE_IQ = 0x14,
    ODRIVE_TEMPERATURE = 0x15, /* 0.6 */
    ODRIVE_REBOOT = 0x16,
    ODRIVE_BUS = 0x17,
    ODRIVE_CLEAR = 0x18,
    ODRIVE_SET_POSITION = 0x19 /* 0.5: i32 counts; 0.6: f32 turns */
};

enum { ODRIVE_NODE_BITS = 5, ODRIVE_NODE_MAX = 63 };

enum odrive_state { ODRIVE_IDLE = 1, ODRIVE_CLOSED_LOOP = 8 };

enum odrive_control { ODRIVE_BY_TORQUE = 1, ODRIVE_BY_VELOCITY = 2, ODRIVE_BY_POSITION = 3 };

enum { ODRIVE_PASSTHROUGH = 1 };

/* Bits of a heartbeat's error, by the firmware's generation. */
#define ODRIVE_05_WATCHDOG 0x800u
#define ODRIVE_06_WATCHDOG 0x1000000u
