/* A status as lines of text, at most eighty columns where the numbers allow: what status prints and
 * monitor draws. */
#pragma once

#include "proto/basald.pb-c.h"

#include <stdbool.h>
#include <stdio.h>

/* Who, in which state, why, since when. bold: the state in the terminal's bold. */
void view_head(FILE *f, const Basald__V1__Status *s, bool bold);
/* Episode, speed, who drives, learner, weights. */
void view_learning(FILE *f, const Basald__V1__Status *s);
/* How many CAN buses it tells of; 0 where its lists are of different lengths. */
size_t view_can_buses(const Basald__V1__Telemetry *t);
/* Rate, jitter, buses, counters. */
void view_machine(FILE *f, const Basald__V1__Status *s);
void view_joints(FILE *f, const Basald__V1__Status *s);
/* The algorithm's own numbers. */
void view_stats(FILE *f, const Basald__V1__Status *s);

/*
 * The newest of n values that fit into columns, as one line of eight heights, and the range that
 * they span. ascii: where a terminal cannot show blocks.
 */
void view_spark(FILE *f, const char *label, const double *v, size_t n, int columns, bool ascii);

/* Fault and estop: nothing more happens until someone has looked. */
bool view_latched(const Basald__V1__Status *s);
