/* Bytes as the lines of an import: each is refused, or is what comes back when it is written. */
#include "base/assert.h"
#include "gateway/runs/import_line.h"

#include <stdlib.h>

enum { ARENA_MAX = 16 << 20, LINE_BYTES_MAX = 4 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void prove(const Pb__KeptRun *kept, struct arena *arena)
{
    CLEANUP(buf_done) struct buf text  = buf_init(LINE_BYTES_MAX);
    CLEANUP(buf_done) struct buf again = buf_init(LINE_BYTES_MAX);
    struct json_writer w               = json_writer_init(&text);
    struct json_writer v               = json_writer_init(&again);
    Pb__KeptRun back;
    import_line_write(&w, kept);
    if (text.is_full) return;
    if (import_line_read(buf_str(&text), arena, &back, NULL) != STATUS_OK) abort();
    import_line_write(&v, &back);
    ASSERT(str_equal(buf_str(&text), buf_str(&again)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str rest = {(const char *)data, size};
    str line = {};
    while (import_line_next(&rest, &line)) {
        CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
        Pb__KeptRun kept;
        status read = import_line_read(line, arena, &kept, NULL);
        ASSERT(read == STATUS_OK || read == STATUS_INVALID_ARGUMENT ||
               read == STATUS_RESOURCE_EXHAUSTED);
        if (read == STATUS_OK) prove(&kept, arena);
    }
    return 0;
}
