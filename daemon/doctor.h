/*
 * What is the matter with a robot's buses: judgement alone. Whoever looked (basalctl doctor) brings
 * what was seen; nothing here opens, reads or waits. A finding is one line: where, what, which
 * limit, what to do.
 */
#pragma once

#include "daemon/safety.h"
#include "drivers/driver.h"

#define FINDINGS_MAX   128
#define FINDING_CHARS  400
#define DOCTOR_OTHERS  16
#define DOCTOR_HOLDERS 128

enum finding_level {
    FINDING_OK,
    FINDING_NOTE, /* the robot works, but would work better */
    FINDING_FAULT /* it will not work, or not safely */
};

struct finding {
    enum finding_level level;
    char where[2 * NAME_CHARS]; /* "bus servo", "joint arm", "this machine" */
    char text[FINDING_CHARS];
};

struct findings {
    int n;
    struct finding at[FINDINGS_MAX];
};

/* What was seen of the device of one joint. */
struct device_facts {
    int asked, answers;            /* questions to its id, whole answers to them */
    int damaged;                   /* bytes that came then and belong to no good packet */
    bool mute;                     /* says who it is, but answers no reads */
    int rate;                      /* at which it answers, if not at the bus's; 0: at none other */
    struct identity id;            /* .known: it has said who it is */
    int delay_us, delay_wanted_us; /* before it answers; -1: not known */
    uint32_t error;                /* latched, by the device's own code; 0: none */
    char error_text[64];           /* what it means */
    bool clears;                   /* its protocol can end it */
    bool cleared;                  /* --fix has */
    bool torque;                   /* is on */
};

/* A device whose id belongs to no joint. */
struct other_facts {
    int id, rate;
    struct identity who;
};

/* What was seen of one bus. */
struct bus_facts {
    bool can;
    int error;                    /* opening it: 0, or -errno ... */
    char why[WHY_CHARS];          /* ... and the sentence */
    char note[WHY_CHARS];         /* what the system says of it; "" */
    char holders[DOCTOR_HOLDERS]; /* other programs that have it open; "" */
    int latency_ms;               /* that its USB adapter holds answers back; -1: not known */
    bool latency_set;             /* by --fix, to that */
    int silent_ms, heard;         /* listened for so long, bytes or frames that came */
    int error_frames;             /* on CAN ... */
    char error_why[WHY_CHARS];    /* ... and what the worst means */
    bool cannot_ask;              /* its devices answer nothing but commands */
    const char *(*model_name)(int model);   /* NULL: models have no names */
    struct device_facts device[JOINTS_MAX]; /* by joint; of this bus alone */
    int n_others;
    struct other_facts other[DOCTOR_OTHERS];
};

void finding_add(struct findings *f, enum finding_level level, const char *where,
                 const char *format, ...) __attribute__((format(printf, 4, 5)));
enum finding_level findings_worst(const struct findings *f);
/* "ok", "note", "fault" */
const char *finding_level_name(enum finding_level level);

/* May anything be asked on this bus? Not where it could not be opened, or where somebody else
 * speaks. */
bool doctor_may_ask(const struct bus_facts *b);
/* Everything that these facts say of bus i of the robot. At least one finding. */
void doctor_bus(const struct robot *r, int i, const struct bus_facts *b, struct findings *f);

/* Joints that will not be armed, for nobody found their ranges on this robot (safety.ranges). */
void doctor_ranges(const struct robot *r, const struct safety_settings *s, struct findings *f);

/* What the machine says: where basald keeps its runs, and the sentence of realtime.h. */
struct host_facts {
    char folder[PATH_CHARS];
    double free_bytes; /* NaN: not known */
    bool realtime;     /* all of it */
    char realtime_text[WHY_CHARS];
};

void doctor_host(const struct host_facts *h, struct findings *f);
