/**
 * record: protobuf messages as rows of tables.
 *
 * Written from the stack where they fit, read into an arena. A row that cannot be read is
 * DATA_LOSS: rows are made by this program alone.
 */
#ifndef SCHEDULER_RECORD_H
#define SCHEDULER_RECORD_H

#include "base/arena.h"
#include "base/status.h"
#include "record.pb-c.h"
#include "scheduler/tables/tables.h"
#include "store/store.h"

enum { RECORD_SIZE_MAX = 16 << 20 /* bytes */ };

/** Inserts or replaces. `message` is any generated message. */
status record_put(struct txn *txn, enum table table, bytes key, const ProtobufCMessage *message,
                  struct error *reterr);

/** The same behind all keys of the table (txn_append()); falls back to record_put() where the key
 * is not the greatest. */
status record_append(struct txn *txn, enum table table, bytes key, const ProtobufCMessage *message,
                     struct error *reterr);

/** `*ret_message` lives as long as `arena`. NOT_FOUND: no row; `reterr` may be NULL. */
status record_get(struct txn *txn, enum table table, bytes key,
                  const ProtobufCMessageDescriptor *type, struct arena *arena, void *ret_message,
                  struct error *reterr);

/** DATA_LOSS: that is no such message. RESOURCE_EXHAUSTED: the arena is full. */
status record_read(bytes row, const ProtobufCMessageDescriptor *type, struct arena *arena,
                   void *ret_message, struct error *reterr);

/** Appends with txn_append(), or puts where the key is not the greatest: ids of one partition grow,
 * but not after a clock went back. */
status row_append(struct txn *txn, enum table table, bytes key, bytes value, struct error *reterr);

/** Copies into an arena as protobuf-c wants them: an empty text is a static one, never NULL. NULL
 * only past the arena's limit. */
char *text_in(struct arena *arena, str text);
ProtobufCBinaryData bytes_in(struct arena *arena, str data);

static inline str str_of(ProtobufCBinaryData data)
{
    return (str){.ptr = (const char *)data.data, .len = data.len};
}

/** protobuf-c's allocator over an arena. */
ProtobufCAllocator arena_allocator(struct arena *arena);

#endif
