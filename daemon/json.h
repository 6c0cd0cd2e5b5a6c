/*
 * One JSON object, built key by key in order and printed on one line, or as "key: value" lines for
 * people. The door to jansson for everything that prints data.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json_object; /* owned by the caller until json_print */

struct json_object *json_begin(void);
void json_text(struct json_object *o, const char *key, const char *value);
void json_int(struct json_object *o, const char *key, int64_t value);
/* NaN and infinity become null. */
void json_number(struct json_object *o, const char *key, double value);
void json_bool(struct json_object *o, const char *key, bool value);
/* n numbers as a list. */
void json_numbers(struct json_object *o, const char *key, const double *value, int n);
/* n words as a list. */
void json_texts(struct json_object *o, const char *key, const char *const *value, int n);
/* child belongs to o from now on. */
void json_child(struct json_object *o, const char *key, struct json_object *child);
/* Print, with a line feed, and free. */
void json_print(struct json_object *o, FILE *f, bool as_json);
