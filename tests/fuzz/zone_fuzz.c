/* zone_read(): whatever is read has one stretch for each time, and cron finds times in it. */
#include "base/assert.h"
#include "workflow/timetable.h"

#include <stddef.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct timetable timetable = {.kind = TIMETABLE_CRON};
    struct error error         = {};
    if (zone_read((bytes){data, size}, &timetable.zone, &error) != STATUS_OK) {
        ASSERT(error.text[0]);
        return 0;
    }
    status parsed = cron_parse(str_from("30 2 * * *"), &timetable.cron, NULL);
    ASSERT(parsed == STATUS_OK);
    int64_t at_us = INT64_C(951'782'400'000'000); /* 2000-02-29 */
    for (int i = 0; i < 8 && at_us < INT64_MAX; i++) {
        struct zone_span span = zone_span_at(timetable.zone, at_us);
        ASSERT(span.from_us <= at_us && at_us < span.until_us);
        int64_t next_us = timetable_next(&timetable, at_us);
        ASSERT(next_us > at_us);
        at_us = next_us;
    }
    timetable_done(&timetable);
    return 0;
}
