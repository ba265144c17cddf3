/* How the files of the log are laid out: wal.h says what is in them. */
#ifndef STORE_WAL_INTERNAL_H
#define STORE_WAL_INTERNAL_H

#include "store/wal.h"

#include <stddef.h>

enum {
    WAL_FILES     = 2,
    WAL_VERSION   = 1,
    WAL_HEAD_SIZE = 4096,
    WAL_MARK_SIZE = 512, /* what a disk writes whole or not at all */
    WAL_MARKS     = 2,
    WAL_ALIGN     = 8,
};

/* "tuttiwal", "settled.", "doubted." as integers of the machine. */
#define WAL_MAGIC   UINT64_C(0x6c61776974747574)
#define WAL_SETTLED UINT64_C(0x2e64656c74746573)
#define WAL_DOUBTED UINT64_C(0x2e64657462756f64)

struct wal_head {
    uint64_t checksum; /* of what follows and of the base's bytes, begun with the salt */
    uint64_t magic;
    uint32_t version, keep_len;
    uint64_t lineage;    /* the same until the log is removed */
    uint64_t generation; /* one more with each turn */
    uint64_t salt;       /* another one with each turn */
    uint64_t first;      /* number of the first record; they go on as long as the lineage */
    uint64_t commit;
};

struct wal_mark {
    uint64_t checksum; /* of what follows, begun with the lineage */
    uint64_t is;       /* WAL_SETTLED or WAL_DOUBTED */
    uint64_t generation;
};

enum wal_kind { WAL_COMMIT = 1, WAL_TAKEN_BACK };

struct wal_frame {
    uint64_t checksum; /* of what follows and of the payload, begun with the salt */
    uint32_t len, kind;
    uint64_t number, commit;
    uint64_t proof; /* that the lineage has come to this number: wal_proof() */
};

/* Goes on with a checksum: any change of a word changes it. */
uint64_t wal_checksum(uint64_t begun, bytes part);

uint64_t wal_head_checksum(const struct wal_head *head, bytes keep);
uint64_t wal_mark_checksum(uint64_t lineage, const struct wal_mark *mark);
uint64_t wal_proof(uint64_t lineage, uint64_t number);
uint64_t wal_frame_checksum(uint64_t salt, const struct wal_frame *frame, bytes payload);

static inline size_t wal_aligned(size_t size)
{
    return (size + WAL_ALIGN - 1) / WAL_ALIGN * WAL_ALIGN;
}

/* Each twice, for a base that is used although it is not settled is the end of a store. */
static inline size_t wal_marks_at(size_t keep_len, uint64_t is)
{
    size_t at = WAL_HEAD_SIZE + (keep_len + WAL_MARK_SIZE - 1) / WAL_MARK_SIZE * WAL_MARK_SIZE;
    return is == WAL_SETTLED ? at : at + WAL_MARKS * WAL_MARK_SIZE;
}

static inline size_t wal_records_at(size_t keep_len)
{
    return wal_marks_at(keep_len, WAL_DOUBTED) + WAL_MARKS * WAL_MARK_SIZE;
}

/* Where a log ends, for whoever goes on. */
struct wal_end {
    unsigned file;
    struct wal_head head; /* its */
    size_t at;            /* behind the last record */
    uint64_t number;      /* of the next one */
    bytes last;           /* the last record as it stands there; empty: none is in this file */
    bool is_plain;        /* no checkpoint was under way, and none has failed */
};

/* `last` is a view of `past`. */
const struct wal_end *wal_past_end(const struct wal_past *past);

#endif
