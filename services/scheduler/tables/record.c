#include "scheduler/tables/record.h"

#include "base/assert.h"
#include "base/mem.h"
#include "rpc/wire.h"

#include <stdlib.h>

enum { ON_STACK_MAX = 4'096 /* bytes: nearly every row */ };

static void *allocate(void *arena, size_t size)
{
    return arena_alloc(arena, size > 0 ? size : 1);
}

/* Says whether it was memory that was missing. */
struct reading {
    struct arena *arena;
    bool is_full;
};

static void *allocate_reading(void *context, size_t size)
{
    struct reading *reading = context;
    void *got               = allocate(reading->arena, size);
    reading->is_full |= !got;
    return got;
}

static void release(void *, void *)
{
    /* The arena does it. */
}

ProtobufCAllocator arena_allocator(struct arena *arena)
{
    return (ProtobufCAllocator){.alloc = allocate, .free = release, .allocator_data = arena};
}

status row_append(struct txn *txn, enum table table, bytes key, bytes value, struct error *reterr)
{
    status appended = txn_append(txn, table, key, value, NULL);
    if (appended == STATUS_OK) return STATUS_OK;
    if (appended != STATUS_FAILED_PRECONDITION) {
        return fail(reterr, appended, "table %s: append", table_names[table]);
    }
    return txn_put(txn, table, key, value, reterr);
}

typedef status (*write_fn)(struct txn *txn, enum table table, bytes key, bytes value,
                           struct error *reterr);

static status put(struct txn *txn, enum table table, bytes key, bytes value, struct error *reterr)
{
    return txn_put(txn, table, key, value, reterr);
}

static void free_bytes(uint8_t **data)
{
    free(*data);
}

/* Rows that do not fit the stack. */
static status write_large(write_fn write, struct txn *txn, enum table table, bytes key,
                          const ProtobufCMessage *message, struct error *reterr)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    if (size > RECORD_SIZE_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "table %s: a row of %zu bytes",
                    table_names[table], size);
    }
    CLEANUP(free_bytes) uint8_t *packed = mem_new(size, 1);
    size_t written                      = protobuf_c_message_pack(message, packed);
    ASSERT(written == size);
    return write(txn, table, key, (bytes){packed, size}, reterr);
}

static status write_with(write_fn write, struct txn *txn, enum table table, bytes key,
                         const ProtobufCMessage *message, struct error *reterr)
{
    uint8_t packed[ON_STACK_MAX];
    size_t size = wire_pack(message, packed, sizeof packed);
    if (size == WIRE_PACK_FULL) return write_large(write, txn, table, key, message, reterr);
    return write(txn, table, key, (bytes){packed, size}, reterr);
}

status record_put(struct txn *txn, enum table table, bytes key, const ProtobufCMessage *message,
                  struct error *reterr)
{
    return write_with(put, txn, table, key, message, reterr);
}

status record_append(struct txn *txn, enum table table, bytes key, const ProtobufCMessage *message,
                     struct error *reterr)
{
    return write_with(row_append, txn, table, key, message, reterr);
}

status record_read(bytes row, const ProtobufCMessageDescriptor *type, struct arena *arena,
                   void *ret_message, struct error *reterr)
{
    struct reading reading       = {.arena = arena};
    ProtobufCAllocator allocator = {
        .alloc = allocate_reading, .free = release, .allocator_data = &reading};
    ProtobufCMessage *message =
        protobuf_c_message_unpack(type, &allocator, row.len, (const uint8_t *)row.ptr);
    if (!message && reading.is_full) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory for a %s", type->short_name);
    }
    if (!message) return fail(reterr, STATUS_DATA_LOSS, "a %s cannot be read", type->short_name);
    memcpy(ret_message, &message, sizeof message);
    return STATUS_OK;
}

status record_get(struct txn *txn, enum table table, bytes key,
                  const ProtobufCMessageDescriptor *type, struct arena *arena, void *ret_message,
                  struct error *reterr)
{
    bytes row = {};
    TRY(txn_get(txn, table, key, &row, reterr));
    return record_read(row, type, arena, ret_message, reterr);
}

char *text_in(struct arena *arena, str text)
{
    return arena_strdup(arena, text);
}

ProtobufCBinaryData bytes_in(struct arena *arena, str data)
{
    if (data.len == 0) return (ProtobufCBinaryData){};
    char *copy = arena_strdup(arena, data);
    return (ProtobufCBinaryData){.len = copy ? data.len : 0, .data = (uint8_t *)copy};
}
