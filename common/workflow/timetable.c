#include "workflow/timetable.h"

#include "base/hash.h"

enum { SPANS_MAX = 1'000 /* looked at; two a year, and those of a rare cron are passed over */ };

#define DAYS_US    (INT64_C(2) * 86'400 * 1'000'000)
#define ALL_HOURS  UINT32_C(0xff'ffff)
#define EVERY_NEXT (INT64_MAX / 2)

/* Of a stretch whose clock was put back: the end of what comes a second time. */
static int64_t repeated_until(const struct zone *zone, const struct zone_span *span)
{
    if (span->from_us == INT64_MIN) return INT64_MIN;
    const struct zone_span before = zone_span_at(zone, span->from_us - 1);
    return span->from_us + before.offset_us - span->offset_us;
}

static int64_t cron_next_in(const struct cron *cron, const struct zone *zone, int64_t after_us)
{
    bool is_hourly = cron->hours == ALL_HOURS;
    int64_t at_us  = after_us;
    for (int i = 0; i < SPANS_MAX; i++) {
        const struct zone_span span = zone_span_at(zone, at_us + 1);
        int64_t local_us            = cron_next(cron, at_us + span.offset_us);
        if (local_us == INT64_MAX) return INT64_MAX;
        int64_t found_us = local_us - span.offset_us;
        if (found_us < span.until_us) {
            int64_t fresh_us = is_hourly ? INT64_MIN : repeated_until(zone, &span);
            if (found_us >= fresh_us) return found_us;
            at_us = fresh_us - 1;
            continue;
        }
        const struct zone_span next = zone_span_at(zone, span.until_us);
        bool is_in_gap              = local_us < span.until_us + next.offset_us;
        if (is_in_gap && !is_hourly) return span.until_us;
        at_us = span.until_us - 1;
        if (i > 0 && found_us - DAYS_US > at_us) at_us = found_us - DAYS_US;
    }
    return INT64_MAX;
}

int64_t timetable_next(const struct timetable *timetable, int64_t after_us)
{
    if (after_us < 0) after_us = 0;
    if (after_us > EVERY_NEXT) return INT64_MAX;
    switch (timetable->kind) {
    case TIMETABLE_CRON: return cron_next_in(&timetable->cron, timetable->zone, after_us);
    case TIMETABLE_EVERY: return (after_us / timetable->us + 1) * timetable->us;
    case TIMETABLE_AT: return timetable->us > after_us ? timetable->us : INT64_MAX;
    }
    return INT64_MAX;
}

void timetable_done(struct timetable *timetable)
{
    zone_free(timetable->zone);
    *timetable = (struct timetable){};
}

int64_t timetable_jitter(str name, int64_t due_us, int64_t jitter_us)
{
    uint8_t digest[SHA256_SIZE];
    uint64_t number     = 0;
    const bytes parts[] = {bytes_from(name), {&due_us, sizeof due_us}};
    if (jitter_us <= 0) return 0;
    sha256_parts(parts, 2, digest);
    memcpy(&number, digest, sizeof number);
    return (int64_t)(number % ((uint64_t)jitter_us + 1));
}
