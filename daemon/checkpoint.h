/*
 * Checkpoints: all it takes to go on, as a folder `ckpt-<steps>`:
 *
 *   learner.safetensors   the learner's arrays by name; any tool opens it
 *   state.pb              proto/checkpoint.proto: who and where the run is, small blobs,
 *                         size and CRC-32C of each file
 *   replay.seg, ...       large blobs under their own names
 *
 * Written beside under another name, every file fsynced, renamed, folder fsynced; then the link
 * `last` moves; only then is the oldest dropped. A load checks every name, type, size and checksum
 * before it writes a single byte.
 */
#pragma once

#include "daemon/base/types.h"
#include "daemon/filewriter.h"
#include "policies/policy.h"

#define CHECKPOINT_NAME_CHARS 32 /* "ckpt-000000002400" */
#define CHECKPOINT_BLOBS_MAX  16

/* Who and where the run is. A load wants robot_hash and algo to match, and config_hash unless it is
 * 0. */
struct run_state {
    uint64_t run_id, parent_run_id, config_hash, robot_hash, seed;
    char algo[NAME_CHARS];
    int64_t steps, updates, episodes, replay_head;
    int64_t clock_ns; /* CLOCK_REALTIME, or virtual in lockstep */
    uint32_t weights_version;
    uint64_t prior_hash; /* of the prior data that were learnt from too (prior.h); 0: none */
};

enum blob_flags {
    BLOB_FILE = 1, /* large: a file of this name; otherwise inside state.pb */
    BLOB_VARIES =
        2, /* at load n is the room and becomes what was saved; otherwise it must be the same */
    BLOB_OPTIONAL = 4, /* at load it may be missing: n becomes 0 */
};

struct checkpoint_blob {
    const char *name; /* a plain file name */
    void *p;
    size_t n;
    unsigned flags; /* enum blob_flags */
};

/* The views that are saved, and where a load puts them. */
struct checkpoint {
    struct run_state run;
    const struct tensor *tensors;
    int n_tensors;
    struct checkpoint_blob *blobs;
    int n_blobs;
};

/* The folder's name after so many policy steps. */
void checkpoint_name(int64_t steps, char ret_name[CHECKPOINT_NAME_CHARS]);

struct checkpoint_store {
    struct filewriter *writer;
    int fd; /* the folder of the folders */
    int keep;
};

/* Makes the folder if it is missing; with a writer takes it for oneself and removes what a crash
 * left half written. Errors: -EBUSY: another has it; else -errno; and one sentence. */
int checkpoint_store_open(struct checkpoint_store *ret_store, struct filewriter *writer,
                          const char *path, int keep, char *ret_why, int cap) BASAL_MUST_USE;
void checkpoint_store_close(struct checkpoint_store *s);

/* Durable when it returns 0; on an error the checkpoints before it are whole and `last` is one of
 * them. */
int checkpoint_save(struct checkpoint_store *s, const struct checkpoint *c, char *ret_why,
                    int cap) BASAL_MUST_USE;

/*
 * Read the checkpoint folder path (or `last`) into c. Errors: -EBADMSG (damaged), -EPROTO (of
 * another robot, algorithm, configuration or shape), -errno, and one sentence; c and all that it
 * points to are untouched then.
 */
int checkpoint_load(struct checkpoint *c, const char *path, char *ret_why, int cap) BASAL_MUST_USE;

/*
 * The newest that can be loaded: `last`, then the others from the newest. ret_name gets its name,
 * ret_why why newer ones were refused ("" if none was). Errors: -ENOENT (there is none), else of
 * the newest.
 */
int checkpoint_load_last(struct checkpoint *c, const struct checkpoint_store *s,
                         char ret_name[CHECKPOINT_NAME_CHARS], char *ret_why,
                         int cap) BASAL_MUST_USE;

/*
 * What the checkpoint folder path says of its file `name`, without reading that. Errors: -EBADMSG,
 * -EPROTO (it holds none), -errno, and one sentence.
 */
int checkpoint_vouch(const char *path, const char *name, uint64_t *ret_bytes, uint32_t *ret_crc32c,
                     char *ret_why, int cap) BASAL_MUST_USE;

/* As checkpoint_load, path relative to the folder dir. */
int checkpoint_load_at(struct checkpoint *c, int dir, const char *path, char *ret_why,
                       int cap) BASAL_MUST_USE;
