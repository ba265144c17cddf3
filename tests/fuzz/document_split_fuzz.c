/* A document from anywhere, split as its first bytes say: chunks fit, are in order, and UTF-8. */
#include "base/assert.h"
#include "base/attr.h"
#include "base/utf8.h"
#include "tool-adapter/documents/split.h"

enum { HEAD = 3 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct blocks *blocks, const struct split_options *options,
                  const struct chunks *chunks)
{
    size_t covered = 0;
    for (size_t i = 0; i < chunks->count; i++) {
        const struct chunk *chunk = &chunks->items[i];
        str text                  = str_slice(blocks->text, chunk->start, chunk->end);
        size_t weight = options->unit == SPLIT_TOKENS ? (text.len + SPLIT_TOKEN - 1) / SPLIT_TOKEN
                                                      : utf8_length(text);
        ASSERT(chunk->end > covered && chunk->end <= blocks->text.len && text.len > 0);
        ASSERT(utf8_valid_prefix(text) == text.len && weight <= options->size);
        covered = chunk->end;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < HEAD) return 0;
    const struct split_options options        = {.unit    = (enum split_unit)(data[0] & 1),
                                                 .by      = (enum split_by)((data[0] >> 1) % 3),
                                                 .size    = SPLIT_SIZE_MIN + data[1],
                                                 .overlap = data[2] % (SPLIT_SIZE_MIN / 2)};
    CLEANUP(blocks_done) struct blocks blocks = {};
    CLEANUP(chunks_done) struct chunks chunks = {};
    struct error error                        = {};
    str source = {.ptr = (const char *)data + HEAD, .len = size - HEAD};
    if (blocks_read((enum document_form)((data[0] >> 4) % 3), source, &blocks, &error)) return 0;
    if (split_blocks(&blocks, &options, &chunks, &error)) return 0;
    check(&blocks, &options, &chunks);
    return 0;
}
