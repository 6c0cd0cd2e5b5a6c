/*
 * RobStride motors, private protocol: constants only, so that driver and emulator share nothing but
 * these numbers. Source: the maker's manuals RS00 to RS06, EL05.
 */
#pragma once

/* Bits 28 to 24 of a 29-bit id; 23 to 8 are the second field, 7 to 0 who it is for. */
enum rs_type {
    RS_GET_ID = 0x00,
    RS_CONTROL = 0x01,
    RS_FEEDBACK = 0x02,
    RS_ENABLE = 0x03,
    RS_STOP = 0x04,
    RS_SET_ZERO = 0x06,
    RS_SET_ID = 0x07,
    RS_READ = 0x11,
    RS_WRITE = 0x12,
    RS_FAULT = 0x15,
    RS_SAVE = 0x16,
    RS_REPORT = 0x18
};

enum rs_parameter {
    RS_RUN_MODE = 0x7005,
    RS_IQ_REF = 0x7006,
    RS_SPD_REF = 0x700A,
    RS_LIMIT_TORQUE = 0x700B,
    RS_LOC_REF = 0x7016,
    RS_LIMIT_SPD = 0x7017,
    RS_LIMIT_CUR = 0x7018,
    RS_MECH_POS = 0x7019,
    RS_IQF = 0x701A,
    RS_MECH_VEL = 0x701B,
    RS_VBUS = 0x701C,
    RS_LOC_KP = 0x701E,
    RS_SPD_KP = 0x701F,
    RS_SPD_KI = 0x7020,
    RS_CAN_TIMEOUT = 0x7028,
    RS_ZERO_STA = 0x7029
};

enum rs_run_mode { RS_MODE_CONTROL = 0, RS_MODE_PP = 1, RS_MODE_VELOCITY = 2, RS_MODE_CURRENT = 3 };

/* Bits 23 and 22 of a feedback's id. */
enum rs_state { RS_RESET = 0, RS_CALIBRATION = 1, RS_RUN = 2 };

/* Bits 21 to 16 of it, from bit 16 on. */
enum rs_feedback_fault {
    RS_UNDER_VOLTAGE = 1,
    RS_OVER_CURRENT = 2,
    RS_HOT = 4,
    RS_ENCODER = 8,
    RS_STALL = 16,
    RS_UNCALIBRATED = 32
};

#define RS_ID_MAX         127
#define RS_EVERYONE       0xFE  /* who the answer to RS_GET_ID is for */
#define RS_TIMEOUT_S      50e-6 /* unit of RS_CAN_TIMEOUT */
#define RS_VERSION_ASK    0xC4  /* second byte of a RS_STOP that asks for it, and of the answer */
#define RS_VERSION_ANSWER 0x56  /* its third */
#define RS_P_MAX_RAD      12.57
