/*
 * Named arrays in a file that any tool opens. Format: Hugging Face safetensors: u64 N, N bytes of
 * JSON that name type, shape and place of each array, then the arrays, little-endian, without
 * holes. Here F32, F64, I64, I32 and U8; the arrays begin at a multiple of 64 bytes, the widest
 * types first, so that each is aligned to its elements.
 */
#pragma once

#include "daemon/filewriter.h"
#include "policies/policy.h"

/* dir/name as a new, fsynced file (filewriter_new). Names: printable ASCII without quotes and
 * backslashes, unique. */
int safetensors_new(struct filewriter *w, int dir, const char *name, const struct tensor *tensors,
                    int n, char *ret_why, int cap) BASAL_MUST_USE;

struct safetensors;

/*
 * Read the header of block [n], which is borrowed until the close. Strict: every byte of the arrays
 * belongs to exactly one of them, sizes fit shapes, no key twice. Errors: -EBADMSG, -ENOMEM and one
 * sentence.
 */
int safetensors_open(struct safetensors **ret_file, const void *block, size_t n, char *ret_why,
                     int cap) BASAL_MUST_USE;
void safetensors_close(struct safetensors *f);
int safetensors_count(const struct safetensors *f);

/* Does it hold these tensors and no others, each with its type and shape? Errors: -EPROTO and one
 * sentence. */
int safetensors_check(const struct safetensors *f, const struct tensor *want, int n, char *ret_why,
                      int cap) BASAL_MUST_USE;

/* After a check that passed: the contents, into want[].data. */
void safetensors_copy(const struct safetensors *f, const struct tensor *want, int n);
