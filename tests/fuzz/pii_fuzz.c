/* Any text: finds lie inside of it in order, and what was masked holds none of the same kind. */
#include "base/assert.h"
#include "pii/scrub.h"

enum { TEXT_MAX = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str text             = {.ptr = (const char *)data, .len = size};
    struct pii_scan scan = {.text = text, .kinds = PII_ALL};
    struct pii_find find = {};
    size_t last          = 0;
    while (pii_next(&scan, &find)) {
        ASSERT(find.from >= last && find.from < find.until && find.until <= size);
        last = find.until;
    }
    const struct scrub_options options       = {.mode = PII_MASK, .kinds = PII_ALL};
    CLEANUP(scrub_freep) struct scrub *scrub = scrub_new(&options);
    CLEANUP(buf_done) struct buf out         = buf_init(TEXT_MAX);
    if (size < TEXT_MAX / 64) ASSERT(scrub_text(scrub, text, &out));
    ASSERT((scrub_found(scrub) == 0) == str_equal(buf_str(&out), text) || size >= TEXT_MAX / 64);
    return 0;
}
