#include "workflow/zone.h"

#include "base/mem.h"
#include "workflow/zone_rule.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    HEADER_SIZE = 44,
    TYPES_MAX   = 256,
    OFFSET_MAX  = 26 * 3'600, /* seconds; RFC 9636 allows less than 26 hours */
    PATH_SIZE   = 512,
};
#define SECOND_US INT64_C(1'000'000)
/* Times that are further away are no times: 9999 is far below, and products stay in range. */
#define TIME_MAX_S (INT64_C(1) << 40)

struct change {
    int64_t at_s;
    int64_t offset_s; /* from then on */
};

struct zone {
    int64_t first_offset_s; /* before the first change */
    struct zone_rule rule;  /* after the last one */
    bool has_rule;
    size_t count;
    struct change changes[]; /* in order */
};

/* --- reading -----------------------------------------------------------------------------------
 */

struct header {
    uint32_t utc_count, standard_count, leap_count, time_count, type_count, char_count;
};

static uint32_t u32_at(const uint8_t *data)
{
    return (uint32_t)data[0] << 24 | (uint32_t)data[1] << 16 | (uint32_t)data[2] << 8 | data[3];
}

static int64_t i64_at(const uint8_t *data)
{
    return (int64_t)((uint64_t)u32_at(data) << 32 | u32_at(data + 4));
}

static bool header_read(const uint8_t *data, size_t len, struct header *ret_header)
{
    if (len < HEADER_SIZE || memcmp(data, "TZif", 4) != 0 || data[4] < '2') return false;
    *ret_header = (struct header){
        .utc_count      = u32_at(data + 20),
        .standard_count = u32_at(data + 24),
        .leap_count     = u32_at(data + 28),
        .time_count     = u32_at(data + 32),
        .type_count     = u32_at(data + 36),
        .char_count     = u32_at(data + 40),
    };
    return true;
}

static uint64_t body_size(const struct header *header, uint64_t time_size)
{
    return header->time_count * (time_size + 1) + header->type_count * UINT64_C(6) +
           header->char_count + header->leap_count * (time_size + 4) + header->standard_count +
           header->utc_count;
}

static bool changes_read(const uint8_t *data, const struct header *header, struct zone *zone)
{
    const uint8_t *kinds = data + (size_t)header->time_count * 8;
    const uint8_t *types = kinds + header->time_count;
    int64_t offsets[TYPES_MAX];
    for (size_t i = 0; i < header->type_count; i++) {
        offsets[i] = (int32_t)u32_at(types + 6 * i);
        if (offsets[i] < -OFFSET_MAX || offsets[i] > OFFSET_MAX) return false;
    }
    zone->first_offset_s = offsets[0];
    for (size_t i = 0; i < header->time_count; i++) {
        int64_t at_s = i64_at(data + 8 * i);
        if (at_s > TIME_MAX_S || kinds[i] >= header->type_count) return false;
        if (at_s < -TIME_MAX_S) at_s = -TIME_MAX_S; /* "since the big bang", in some files */
        if (zone->count > 0 && at_s <= zone->changes[zone->count - 1].at_s) {
            if (at_s != -TIME_MAX_S) return false;
            zone->count--;
        }
        zone->changes[zone->count++] = (struct change){at_s, offsets[kinds[i]]};
    }
    return true;
}

/* "\n<TZ>\n"; an empty one says that nothing changes any more. */
static bool footer_read(str footer, struct zone *zone)
{
    const char *end = footer.len > 1 ? memchr(footer.ptr + 1, '\n', footer.len - 1) : NULL;
    if (!end || footer.ptr[0] != '\n') return false;
    str rule = str_slice(footer, 1, (size_t)(end - footer.ptr));
    if (rule.len == 0) return true;
    zone->has_rule = zone_rule_parse(rule, &zone->rule);
    return zone->has_rule;
}

static struct zone *zone_parse(const uint8_t *data, size_t len)
{
    struct header old    = {};
    struct header header = {};
    if (!header_read(data, len, &old)) return NULL;
    uint64_t at = HEADER_SIZE + body_size(&old, 4);
    if (at >= len || !header_read(data + at, len - (size_t)at, &header)) return NULL;
    at += HEADER_SIZE;
    uint64_t end = at + body_size(&header, 8);
    if (end >= len || header.leap_count > 0) return NULL;
    if (header.type_count == 0 || header.type_count > TYPES_MAX) return NULL;

    size_t size       = sizeof(struct zone) + header.time_count * sizeof(struct change);
    struct zone *zone = mem_new(1, size);
    str footer        = {(const char *)data + end, len - (size_t)end};
    if (changes_read(data + at, &header, zone) && footer_read(footer, zone)) return zone;
    zone_free(zone);
    return NULL;
}

status zone_read(bytes file, struct zone **ret_zone, struct error *reterr)
{
    *ret_zone = file.len <= ZONE_FILE_MAX ? zone_parse(file.ptr, file.len) : NULL;
    if (*ret_zone) return STATUS_OK;
    return fail(reterr, STATUS_INVALID_ARGUMENT, "is no TZif of version 2 without leap seconds");
}

/* --- loading -----------------------------------------------------------------------------------
 */

/* Areas and names as IANA makes them; so no path leaves the folder. */
static bool name_is_good(str name)
{
    if (name.len == 0 || name.len > ZONE_NAME_MAX) return false;
    if (name.ptr[0] == '/' || name.ptr[name.len - 1] == '/') return false;
    for (size_t i = 0; i < name.len; i++) {
        char c       = name.ptr[i];
        bool is_word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!is_word && c != '_' && c != '-' && c != '+' && c != '/') return false;
    }
    return true;
}

static bool file_read(const char *path, uint8_t *data, size_t size, size_t *ret_len)
{
    size_t len = 0;
    int fd     = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return false;
    for (ssize_t got = 1; got > 0 && len < size; len += (size_t)got) {
        do {
            got = read(fd, data + len, size - len);
        } while (got < 0 && errno == EINTR);
        if (got < 0) got = 0;
    }
    (void)close(fd);
    *ret_len = len;
    return len > 0;
}

status zone_load(str name, struct zone **ret_zone, struct error *reterr)
{
    const char *folder = getenv("TZDIR"); /* NOLINT(concurrency-mt-unsafe): nobody sets it */
    char path[PATH_SIZE];
    size_t len = 0;
    if (!folder || !*folder) folder = "/usr/share/zoneinfo";
    int written = snprintf(path, sizeof path, "%s/" STR_FMT, folder, STR_ARG(name));
    if (!name_is_good(name) || written < 0 || (size_t)written >= sizeof path) {
        return fail(reterr, STATUS_NOT_FOUND, "is no name of a time zone, such as Europe/Berlin");
    }
    uint8_t *data = mem_new(ZONE_FILE_MAX, 1);
    bool is_there = file_read(path, data, ZONE_FILE_MAX, &len);
    status read   = is_there ? zone_read((bytes){data, len}, ret_zone, reterr) : STATUS_NOT_FOUND;
    free(data);
    if (is_there) return read;
    return fail(reterr, STATUS_NOT_FOUND, "is not in %s (package tzdata)", folder);
}

void zone_free(struct zone *zone)
{
    free(zone);
}

void zone_freep(struct zone **zone)
{
    zone_free(*zone);
}

/* --- offsets -----------------------------------------------------------------------------------
 */

static int64_t floor_s(int64_t us)
{
    return us / SECOND_US - (us % SECOND_US < 0);
}

static int64_t to_us(int64_t s)
{
    if (s == INT64_MIN || s == INT64_MAX) return s;
    return s * SECOND_US;
}

/* How many changes are at or before a time. */
static size_t changes_until(const struct zone *zone, int64_t at_s)
{
    size_t low  = 0;
    size_t high = zone->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (zone->changes[middle].at_s <= at_s) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct zone_span zone_span_at(const struct zone *zone, int64_t at_us)
{
    struct zone_span span = {.from_us = INT64_MIN, .until_us = INT64_MAX};
    if (!zone) return span;
    int64_t at_s   = floor_s(at_us);
    size_t past    = changes_until(zone, at_s);
    int64_t from_s = past > 0 ? zone->changes[past - 1].at_s : INT64_MIN;
    int64_t offset = past > 0 ? zone->changes[past - 1].offset_s : zone->first_offset_s;
    span.from_us   = to_us(from_s);
    span.offset_us = to_us(offset);
    if (past < zone->count) {
        span.until_us = to_us(zone->changes[past].at_s);
    } else if (zone->has_rule) {
        const struct zone_stretch stretch = zone_rule_at(&zone->rule, at_s);
        span.offset_us                    = to_us(stretch.offset_s);
        span.until_us                     = to_us(stretch.until_s);
        if (stretch.from_s > from_s) span.from_us = to_us(stretch.from_s);
    }
    return span;
}
