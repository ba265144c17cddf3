/*
 * Bytes as a line of the list of erasures: read or refused, and what is read is written as the same
 * bytes. The first byte says whether the check of the line is made right first, so that what is
 * before it is reached.
 */
#include "scheduler/backups/erasure_file.h"

#include "base/assert.h"
#include "base/hash.h"

#include <string.h>

enum { CHECK_BYTES = 4, CHECK_DIGITS = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char line[2 * ERASURE_LINE_MAX];
    struct erasure erasure = {};
    if (size < 1 || size + CHECK_DIGITS >= sizeof line) return 0;
    size_t len = size - 1;
    memcpy(line, data + 1, len);
    if (data[0] & 1) {
        uint8_t digest[SHA256_SIZE];
        sha256((bytes){line, len}, digest);
        hex_encode(digest, CHECK_BYTES, line + len);
        len += CHECK_DIGITS;
    }
    if (!erasure_line_read((str){line, len}, &erasure)) return 0;
    ASSERT(id_is_valid(str_from(erasure.run.text)));
    CLEANUP(buf_done) struct buf again = buf_init(ERASURE_LINE_MAX);
    ASSERT(erasure_line_write(&erasure, &again));
    struct erasure twice = {};
    ASSERT(erasure_line_read((str){again.ptr, again.len - 1}, &twice));
    ASSERT(twice.time_us == erasure.time_us && twice.kind == erasure.kind);
    return 0;
}
