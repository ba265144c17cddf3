/* Bytes that are accepted are unpacked within their allowance, and what comes out packs, and is the
 * same when it is read again. */
#include "base/assert.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "echo.pb-c.h"
#include "rpc/wire.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ARENA_MAX = 256 << 20 };

static void check_again(const uint8_t *packed, size_t size)
{
    struct arena *arena = arena_new(ARENA_MAX);
    uint8_t *again      = mem_alloc(size);
    void *unpacked;
    if (wire_unpack(&test__every__descriptor, (bytes){packed, size}, arena, &unpacked, NULL) ==
        STATUS_OK) {
        ASSERT(wire_pack(unpacked, again, size) == size);
        ASSERT(memcmp(again, packed, size) == 0);
    }
    free(again);
    arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new(ARENA_MAX);
    void *unpacked;
    ASSERT(arena);
    if (wire_unpack(&test__every__descriptor, (bytes){data, size}, arena, &unpacked, NULL) ==
        STATUS_OK) {
        const Test__Every *every = unpacked;
        str text                 = str_from(every->text);
        ASSERT(utf8_valid_prefix(text) == text.len);
        size_t packed_size = test__every__get_packed_size(every);
        uint8_t *packed    = mem_alloc(packed_size);
        ASSERT(test__every__pack(every, packed) == packed_size);
        check_again(packed, packed_size);
        free(packed);
    }
    arena_free(arena);
    return 0;
}
