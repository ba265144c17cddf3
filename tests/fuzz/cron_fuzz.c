/* cron_parse(): whatever is read happens, forwards and backwards at the same times. */
#include "base/assert.h"
#include "workflow/cron.h"

#include <stddef.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cron cron   = {};
    struct error error = {};
    if (cron_parse((str){(const char *)data, size}, &cron, &error) != STATUS_OK) {
        ASSERT(error.text[0]);
        return 0;
    }
    int64_t at_us = INT64_C(951'782'400'000'000); /* 2000-02-29 */
    for (int i = 0; i < 4; i++) {
        int64_t next_us = cron_next(&cron, at_us);
        ASSERT(next_us > at_us && next_us < INT64_MAX);
        ASSERT(next_us % 60'000'000 == 0);
        ASSERT(cron_previous(&cron, next_us) == next_us);
        ASSERT(cron_previous(&cron, next_us - 1) <= at_us);
        at_us = next_us;
    }
    return 0;
}
