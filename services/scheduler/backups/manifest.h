/**
 * manifest: what a backup says about itself: the file `manifest.json` beside its partitions.
 *
 * It is written last, so a folder without one is no backup. Partition i is the folder p<i>.
 */
#ifndef SCHEDULER_MANIFEST_H
#define SCHEDULER_MANIFEST_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/status.h"
#include "base/str.h"
#include "store/backup.h"
#include "store/redo.h"

enum {
    MANIFEST_FORMAT         = 1,
    MANIFEST_PARTITIONS_MAX = 1'024,
    MANIFEST_SIZE_MAX       = 1 << 20, /* bytes */
    BACKUP_NAME_MAX         = 63,      /* bytes: lower-case letters, digits, `-` */
};

struct manifest_partition {
    uint16_t index;
    uint32_t epoch;
    struct backup_info info;
    uint8_t timeline[REDO_TIMELINE_SIZE]; /* its place in the archive */
    uint64_t sequence;                    /* 0: it has none */
};

struct backup_manifest {
    char name[BACKUP_NAME_MAX + 1];
    char version[32]; /* of the release that made it */
    int64_t created_us;
    uint16_t partition_count; /* of the whole suite */
    uint16_t count;           /* in this backup: those of one process */
    struct manifest_partition partitions[MANIFEST_PARTITIONS_MAX];
};

/** Makes a new one, with nothing in it. Owned: free(). */
struct backup_manifest *backup_manifest_new(void);
void backup_manifest_freep(struct backup_manifest **manifest);

/** The name may be that of a folder. */
bool backup_name_is_valid(str name);

/** The text of the file. False: it would be larger than one can be. */
bool backup_manifest_print(const struct backup_manifest *manifest, struct buf *out);

/** Reads such a text; `where` is what errors name. DATA_LOSS, FAILED_PRECONDITION: as
 * backup_manifest_read(). On failure `*manifest` means nothing. */
status backup_manifest_parse(str text, const char *where, struct backup_manifest *manifest,
                             struct error *reterr);

/** Writes and syncs `folder`/manifest.json. UNAVAILABLE, RESOURCE_EXHAUSTED: file system. */
status backup_manifest_write(const struct backup_manifest *manifest, const char *folder,
                             struct error *reterr);

/** NOT_FOUND: there is none, so `folder` is no backup. DATA_LOSS: it is damaged.
 * FAILED_PRECONDITION: a newer release wrote it. */
status backup_manifest_read(const char *folder, struct backup_manifest *manifest,
                            struct error *reterr);

uint64_t backup_manifest_size_bytes(const struct backup_manifest *manifest);

#endif
