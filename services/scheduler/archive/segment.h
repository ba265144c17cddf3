/**
 * segment: a file of the archive: the redo (store/redo.h) of some commits of one partition.
 *
 *     head   "TUTTIRDO", format u16, partition u16, epoch u32, timeline (16 bytes), first and last
 *            sequence u64, time of the first and last record u64 (us since 1970), size of the body
 *            u64, its SHA-256, and 8 bytes of the SHA-256 of the head until there
 *     body   records: sequence u64, time u64, flags u8 (1: its transaction ends), size u32, a part
 *            of the changes, and 8 bytes of the SHA-256 of the record until there
 *
 * Integers are big-endian. A whole transaction may take several records, also over several files. A
 * file appears whole under its name: it is written beside it, synced, renamed.
 *
 * Threads: plain functions.
 */
#ifndef SCHEDULER_SEGMENT_H
#define SCHEDULER_SEGMENT_H

#include "base/buf.h"
#include "base/hash.h"
#include "base/status.h"
#include "store/redo.h"

enum {
    SEGMENT_FORMAT    = 1,
    SEGMENT_HEAD_SIZE = 112,       /* bytes */
    SEGMENT_SIZE_MAX  = 256 << 20, /* bytes of a body */
    SEGMENT_NAME_SIZE = 64,
};

struct segment_head {
    uint16_t partition;
    uint32_t epoch;
    uint8_t timeline[REDO_TIMELINE_SIZE];
    uint64_t first, last;      /* sequences */
    int64_t first_us, last_us; /* times of these */
    uint64_t body_size;
    uint8_t sha256[SHA256_SIZE]; /* of the body */
};

/** Its name: timeline and first sequence, so that names of a timeline sort in order. */
void segment_name(const struct segment_head *head, char name[static SEGMENT_NAME_SIZE]);

/** Appends a record behind the last one; the first one says the timeline. False: no room. */
bool segment_add(struct segment_head *head, struct buf *body, const struct redo_record *record);

/** Makes the file, synced, in the folder; what has its name is replaced. `body` is what
 * segment_add() made. RESOURCE_EXHAUSTED, UNAVAILABLE: file system. */
status segment_write(struct segment_head *head, const struct buf *body, const char *folder,
                     struct error *reterr);

/** --- Reading ------------------------------------------------------------------------------- */

/** Reads the head of a file. `path` is for texts. DATA_LOSS: damaged. FAILED_PRECONDITION: a newer
 * format. */
status segment_head_read(bytes file, const char *path, struct segment_head *ret_head,
                         struct error *reterr);

/** A file that is read record by record. Views of it and of `path`. */
struct segment {
    struct segment_head head;
    const char *path;
    bytes file;
    size_t at;     /* bytes */
    uint64_t next; /* sequence */
    int64_t at_us; /* of the last record */
};

/** Fails as segment_head_read(). The body is checked as it is read. */
status segment_open(bytes file, const char *path, struct segment *ret_segment,
                    struct error *reterr);

/** The next record, a view. NOT_FOUND at the end, where the digest of the body was compared too.
 * DATA_LOSS names the file and the byte. */
status segment_next(struct segment *segment, struct redo_record *ret_record, struct error *reterr);

#endif
