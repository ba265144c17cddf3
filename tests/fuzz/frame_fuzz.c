/* A message of a peer, as server and client take it apart: header, token, frames, their metadata
 * and bodies. Whatever is accepted is written again the same. */
#include "base/assert.h"
#include "echo.pb-c.h"
#include "rpc.pb-c.h"
#include "rpc/address.h"
#include "rpc/frame.h"
#include "rpc/hint.h"
#include "rpc/token.h"
#include "rpc/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ARENA_MAX = 64 << 20 };

static const uint8_t secret_key[32] = "a secret that only a fuzzer has";

static void check_token(bytes message, const struct batch_header *header)
{
    const struct rpc_identity from = {
        .service      = str_from("gateway"),
        .secrets      = {{1, {secret_key, sizeof secret_key}}},
        .secret_count = 1,
    };
    struct identity *identity = NULL;
    status code               = identity_new(&from, &identity, NULL);
    ASSERT(code == STATUS_OK);
    struct token_guard *guard = token_guard_new();
    str service;
    (void)token_check(guard, identity, message, header, 1'800'000'000'000, &service, NULL);
    token_guard_free(guard);
    identity_free(identity);
}

static void check_frame(const struct frame *frame)
{
    uint8_t header[FRAME_HEADER_SIZE];
    const uint8_t *start = (const uint8_t *)frame->metadata.ptr - FRAME_HEADER_SIZE;
    frame_header_encode(frame, header);
    ASSERT(memcmp(header, start, sizeof header) == 0);

    struct arena *arena = arena_new(ARENA_MAX);
    void *message;
    ASSERT(arena);
    (void)wire_unpack(&pb__call_metadata__descriptor, frame->metadata, arena, &message, NULL);
    (void)wire_unpack(&pb__call_error__descriptor, frame->metadata, arena, &message, NULL);
    (void)wire_unpack(&test__every__descriptor, frame->body, arena, &message, NULL);
    arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bytes message = {data, size};
    struct batch_header header;
    struct hint hint;
    struct address address;
    (void)hint_decode(message, &hint, NULL);
    (void)address_parse((str){(const char *)data, size}, &address, NULL);
    if (batch_header_decode(message, &header, NULL) != STATUS_OK) return 0;

    uint8_t again[BATCH_HEADER_SIZE];
    batch_header_encode(&header, again);
    ASSERT(memcmp(again, data, sizeof again) == 0);
    check_token(message, &header);

    struct frame_reader reader = frame_reader_init(message, &header);
    struct frame frame;
    while (reader.left > 0 && frame_next(&reader, &frame, NULL) == STATUS_OK) check_frame(&frame);
    return 0;
}
