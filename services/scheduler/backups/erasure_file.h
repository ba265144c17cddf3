/**
 * erasure_file: the list of erasures (tables/erasures.h) of a partition outside its data: the file
 * `erasures.p<index>` in the folder of backups, where a restore of an older backup finds what was
 * erased since. Lines of text, the oldest first:
 *
 *     run id, time in us since 1970, `erased` or `deleted`, first 8 hexadecimal digits of the
 *     SHA-256 of the line until here
 *
 * A line that stands twice counts once. Lines at the end that cannot be read were being written
 * when the machine stopped, and do not count; others that cannot be read are damage.
 *
 * Threads: plain functions on files.
 */
#ifndef SCHEDULER_ERASURE_FILE_H
#define SCHEDULER_ERASURE_FILE_H

#include "base/buf.h"
#include "scheduler/tables/erasures.h"

enum { ERASURE_LINE_MAX = 80 /* bytes, with the end of the line and NUL */ };

/** Appends a line with its end. False: `out` is full. */
bool erasure_line_write(const struct erasure *erasure, struct buf *out);

/** Reads one without its end. */
bool erasure_line_read(str line, struct erasure *ret_erasure);

/** INVALID_ARGUMENT: too long. */
status erasure_file_path(const char *folder, uint16_t partition, char path[static STORE_PATH_MAX],
                         struct error *reterr);

typedef status erasure_visitor(const struct erasure *erasure, void *context, struct error *reterr);

/** What was wrong with a file. */
struct erasure_damage {
    uint64_t line; /* the first that cannot be read, from 1; 0: none */
    bool is_end;   /* and none behind it can */
};

/** Calls `visit` for every line that can be read; what that returns ends it. NOT_FOUND: no file.
 * UNAVAILABLE: it cannot be read. */
status erasure_file_read(const char *path, erasure_visitor *visit, void *context,
                         struct erasure_damage *ret_damage, struct error *reterr);

/** Appends whole lines, synced; the file is made if need be. After a failure a part may be there.
 * RESOURCE_EXHAUSTED: the disk is full. UNAVAILABLE. */
status erasure_file_append(const char *folder, const char *path, str lines, struct error *reterr);

/** Leaves out what cannot be read and what is older than `before_us`: in place of the file at once,
 * synced. Fails as the two above. */
status erasure_file_rewrite(const char *folder, const char *path, int64_t before_us,
                            struct error *reterr);

#endif
