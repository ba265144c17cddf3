/**
 * recording: every write that a store makes to the files in its folder, in order, with the syncs
 * between them, and which names the folder gets.
 *
 * The program's own open(), pwrite(), write(), writev(), ftruncate(), rename(), unlink(),
 * fdatasync() and fsync() stand before the C library's, also for LMDB: each is carried out, and
 * noted if it goes to the folder that is recorded; but a sync is only noted, as the files need not
 * survive this machine. A write through a descriptor with O_DSYNC is
 * durable when it returns, any other one with the next sync of its file; a name with the next sync
 * of the folder. What only lives as long as a process (lock.mdb, owner) is not noted.
 *
 * One recording at a time, made by one thread. Limits: the memory that all writes take.
 */
#ifndef CRASH_RECORDING_H
#define CRASH_RECORDING_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    RECORDED_FILES_MAX = 256,
    RECORDED_NAME_MAX  = 32,
};

enum operation_kind {
    OPERATION_WRITE,
    OPERATION_TRUNCATE, /* offset is the new size; taken for durable: it moves no data */
    OPERATION_SYNC,
    OPERATION_NAME,   /* `file` is called `name` from here on, and what had the name is gone */
    OPERATION_UNNAME, /* `name` is gone */
    OPERATION_SYNC_NAMES,
    OPERATION_ACK, /* `commit` was acknowledged: it must survive from here on */
};

struct operation {
    enum operation_kind kind;
    unsigned file; /* number, from 0 */
    off_t offset;  /* bytes */
    uint8_t *data;
    size_t len;      /* bytes */
    bool is_durable; /* when it has returned */
    char name[RECORDED_NAME_MAX];
    uint64_t commit;
};

struct recording {
    struct operation *operations; /* owned, with their data */
    size_t count, capacity;
    unsigned file_count;
    ino_t inodes[RECORDED_FILES_MAX]; /* 0: the file has no name any more */
};

/** Puts what the folder `path` holds first, as durable, and notes from now on what is written
 * there. Both are borrowed until recording_stop(). UNAVAILABLE: it cannot be read. */
status recording_start(struct recording *recording, const char *path, struct error *reterr);

/** Commit number `commit` was acknowledged. */
void recording_ack(struct recording *recording, uint64_t commit);
void recording_stop(void);
void recording_done(struct recording *recording);

#endif
