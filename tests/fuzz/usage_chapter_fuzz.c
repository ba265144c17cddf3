/* Bytes as the file of a chapter of usage: as they are, and with digests that are made right, so
 * that what is behind them is reached. */
#include "llm-proxy/money/usage_chapter.h"

#include "base/assert.h"
#include "base/buf.h"
#include "base/hash.h"

#include <string.h>

enum { HEAD = 12 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_file(bytes file)
{
    struct usage_chapter *chapter = usage_chapter_new(NULL, "0", 1);
    ASSERT(usage_chapter_parse(chapter, file) <= file.len);
    usage_chapter_free(chapter);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(buf_done) struct buf file = buf_init(1 << 20);
    if (!buf_put(&file, data, size)) return 0;
    read_file((bytes){data, size});
    for (size_t at = 0; file.len - at > HEAD;) {
        uint8_t digest[SHA256_SIZE];
        size_t len = u32_from(file.ptr + at);
        if (len > file.len - at - HEAD) break;
        sha256((bytes){file.ptr + at + HEAD, len}, digest);
        memcpy(file.ptr + at + 4, digest, 8);
        at += HEAD + len;
    }
    read_file((bytes){file.ptr, file.len});
    return 0;
}
