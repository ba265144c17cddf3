/**
 * recording: every write that a store makes to its file, in order, with the syncs between them.
 *
 * The program's own pwrite(), write(), writev(), ftruncate(), fdatasync() and fsync() stand before
 * the C library's, also for LMDB: each is carried out, and noted if it goes to the file that is
 * recorded. A write through a descriptor with O_DSYNC is durable when it returns, any other one
 * with the next sync.
 *
 * One recording at a time, made by one thread. Limits: the memory that all writes take.
 */
#ifndef CRASH_RECORDING_H
#define CRASH_RECORDING_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum operation_kind {
    OPERATION_WRITE,
    OPERATION_TRUNCATE, /* offset is the new size; taken for durable: it moves no data */
    OPERATION_SYNC,
    OPERATION_ACK, /* `commit` was acknowledged: it must survive from here on */
};

struct operation {
    enum operation_kind kind;
    off_t offset; /* bytes */
    uint8_t *data;
    size_t len;      /* bytes */
    bool is_durable; /* when it has returned */
    uint64_t commit;
};

struct recording {
    struct operation *operations; /* owned, with their data */
    size_t count, capacity;
};

/** From now on what is written to the file `path`, which need not exist yet, goes to `recording`.
 * Both are borrowed until recording_stop(). */
void recording_start(struct recording *recording, const char *path);

/** Puts what the file `path` holds first, as durable. UNAVAILABLE: it cannot be read. */
status recording_read(struct recording *recording, const char *path, struct error *reterr);

/** Commit number `commit` was acknowledged. */
void recording_ack(struct recording *recording, uint64_t commit);
void recording_stop(void);
void recording_done(struct recording *recording);

#endif
