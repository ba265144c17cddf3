#include "rpc/frame.h"

#include "base/assert.h"
#include "base/buf.h"

static void put(uint8_t **at, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++) (*at)[i] = (uint8_t)(value >> (8 * (size - 1 - i)));
    *at += size;
}

void batch_header_encode(const struct batch_header *header,
                         uint8_t ret_bytes[static BATCH_HEADER_SIZE])
{
    uint8_t *at = ret_bytes;
    put(&at, FRAME_MAGIC, 2);
    put(&at, FRAME_VERSION, 1);
    put(&at, header->class, 1);
    put(&at, header->count, 2);
    put(&at, header->window, 2);
    put(&at, header->sender, 8);
    put(&at, header->partition, 2);
    put(&at, header->auth_size, 2);
    put(&at, header->epoch, 4);
    put(&at, 0, 8);
    ASSERT(at == ret_bytes + BATCH_HEADER_SIZE);
}

status batch_header_decode(bytes message, struct batch_header *ret_header, struct error *reterr)
{
    const uint8_t *at = message.ptr;
    if (message.len < BATCH_HEADER_SIZE) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "message: %zu bytes are no batch",
                    message.len);
    }
    if (u16_from(at) != FRAME_MAGIC) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "message: not from a tutti process");
    }
    if (at[2] != FRAME_VERSION) {
        return fail(reterr, STATUS_FAILED_PRECONDITION, "message: version %u, we speak %d",
                    (unsigned)at[2], FRAME_VERSION);
    }
    struct batch_header header = {
        .class     = (enum rpc_class)at[3],
        .count     = u16_from(at + 4),
        .window    = u16_from(at + 6),
        .sender    = u64_from(at + 8),
        .partition = u16_from(at + 16),
        .auth_size = u16_from(at + 18),
        .epoch     = u32_from(at + 20),
    };
    if (at[3] < RPC_FAST || at[3] > RPC_BULK) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "message: class %u", (unsigned)at[3]);
    }
    if (header.count < 1 || header.count > BATCH_FRAMES_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "message: %u frames", (unsigned)header.count);
    }
    bool is_single = header.class == RPC_LONG || header.class == RPC_BULK;
    if (is_single && header.count != 1) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "message: %u frames of a class that is alone",
                    (unsigned)header.count);
    }
    if (u64_from(at + 24) != 0) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "message: reserved bytes are set");
    }
    size_t least =
        BATCH_HEADER_SIZE + (size_t)header.auth_size + (size_t)header.count * FRAME_HEADER_SIZE;
    if (message.len < least) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "message: %zu bytes, but at least %zu are said", message.len, least);
    }
    *ret_header = header;
    return STATUS_OK;
}

void frame_header_encode(const struct frame *frame, uint8_t ret_bytes[static FRAME_HEADER_SIZE])
{
    ASSERT(frame->metadata.len <= UINT16_MAX);
    ASSERT(frame->body.len <= UINT32_MAX - UINT16_MAX);
    uint8_t *at = ret_bytes;
    put(&at, frame->metadata.len + frame->body.len, 4);
    put(&at, frame->metadata.len, 2);
    put(&at, frame->method, 2);
    put(&at, frame->flags, 2);
    put(&at, frame->code, 2);
    ASSERT(at == ret_bytes + FRAME_DEADLINE_OFFSET);
    put(&at, frame->deadline_ms, 4);
    put(&at, frame->call_id, 8);
    ASSERT(at == ret_bytes + FRAME_HEADER_SIZE);
}

struct frame_reader frame_reader_init(bytes message, const struct batch_header *header)
{
    size_t skip = BATCH_HEADER_SIZE + (size_t)header->auth_size;
    ASSERT(message.len >= skip);
    return (struct frame_reader){
        .rest = {(const uint8_t *)message.ptr + skip, message.len - skip},
        .left = header->count,
    };
}

status frame_next(struct frame_reader *reader, struct frame *ret_frame, struct error *reterr)
{
    ASSERT(reader->left > 0);
    const uint8_t *at = reader->rest.ptr;
    if (reader->rest.len < FRAME_HEADER_SIZE) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "frame: header cut off");
    }
    size_t size          = u32_from(at);
    size_t metadata_size = u16_from(at + 4);
    if (size > reader->rest.len - FRAME_HEADER_SIZE) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "frame: %zu bytes said, %zu there", size,
                    reader->rest.len - FRAME_HEADER_SIZE);
    }
    if (metadata_size > size || metadata_size > FRAME_METADATA_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "frame: %zu bytes of metadata", metadata_size);
    }
    size_t end = FRAME_HEADER_SIZE + size;
    if (reader->left == 1 && end != reader->rest.len) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "frame: %zu bytes after the last one",
                    reader->rest.len - end);
    }
    *ret_frame = (struct frame){
        .method      = u16_from(at + 6),
        .flags       = u16_from(at + 8),
        .code        = u16_from(at + 10),
        .deadline_ms = u32_from(at + FRAME_DEADLINE_OFFSET),
        .call_id     = u64_from(at + 16),
        .metadata    = {at + FRAME_HEADER_SIZE, metadata_size},
        .body        = {at + FRAME_HEADER_SIZE + metadata_size, size - metadata_size},
    };
    reader->rest = (bytes){at + end, reader->rest.len - end};
    reader->left--;
    return STATUS_OK;
}
