/* Whatever is parsed prints, and what was printed parses to an equal value. */
#include "base/assert.h"
#include "base/buf.h"
#include "json/json_members.h"
#include "json/json_pointer.h"
#include "json/json_scan.h"
#include "json/json_text.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OUT_MAX = 1 << 24 }; /* bytes */

static void check(json value, enum json_style style, const struct json_limits *limits)
{
    CLEANUP(buf_done) struct buf out = buf_init(OUT_MAX);
    if (!json_print(value, style, &out)) return;
    json again  = json_null();
    status code = json_parse(buf_str(&out), limits, &again, NULL, NULL);
    ASSERT(code == STATUS_OK);
    ASSERT(json_compare(value, again) == 0);
    ASSERT(json_equal(value, again));
    ASSERT(json_prefix(buf_str(&out)) == out.len);
    json_unref(again);
}

/* The members of an object are found where they stand; of what is none the walk ends. */
static void walk(str text, json value, const struct json_limits *limits)
{
    size_t cursor = 0;
    size_t count  = 0;
    str spelled   = {};
    bool is_whole = json_is(value, JSON_OBJECT) && !limits->allow_duplicate_keys;
    while (json_members_next(text, &cursor, &spelled)) {
        json again = json_invalid();
        ASSERT(spelled.len > 0 && spelled.ptr + spelled.len <= text.ptr + text.len);
        count++;
        if (!is_whole) continue;
        status code = json_parse(spelled, limits, &again, NULL, NULL);
        ASSERT(code == STATUS_OK);
        ASSERT(json_compare(again, json_value_at(value, count - 1)) == 0);
        json_unref(again);
    }
    ASSERT(!is_whole || count == json_count(value));
}

/* What is whole to a scan is JSON, and as large as it says. */
static void scan(str text)
{
    struct json_scan scan;
    CLEANUP(buf_done) struct buf out = buf_init(OUT_MAX);
    json value                       = json_invalid();
    json_scan_init(&scan, text, 0);
    json_scan_skip(&scan);
    if (!json_scan_end(&scan)) return;
    status code = json_parse(text, NULL, &value, NULL, NULL);
    ASSERT(code == STATUS_OK);
    ASSERT(!json_print(value, JSON_COMPACT, &out) || out.len == scan.printed);
    json_unref(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    str text                        = {.ptr = (const char *)data + 1, .len = size - 1};
    const struct json_limits limits = {
        .allow_duplicate_keys    = data[0] & 1,
        .replace_lone_surrogates = data[0] & 2,
    };
    struct json_meter meter   = {.limit = INT64_MAX};
    struct json_meter *before = json_meter_enter(&meter);
    (void)json_prefix(text);
    scan(text);
    walk(text, json_invalid(), &limits);
    (void)json_pointer_get(json_null(), text);
    json value               = json_invalid();
    struct json_fault fault  = {};
    struct json_limits plain = {.depth_max = limits.depth_max};
    if (json_parse(text, &limits, &value, &fault, NULL) == STATUS_OK) {
        /* An infinity prints as the largest double, which is another value. */
        CLEANUP(json_unrefp) json printed = json_to_text_new(value);
        json once                         = json_invalid();
        status code = json_parse(json_str(printed), &plain, &once, NULL, NULL);
        ASSERT(code == STATUS_OK);
        walk(text, value, &limits);
        check(once, JSON_COMPACT, &plain);
        check(once, JSON_PRETTY, &plain);
        check(once, JSON_SORTED, &plain);
        json_unref(json_merge_patch_new(once, value));
        (void)json_pointer_get(once, text);
        json_unref(once);
    } else {
        ASSERT(value.kind == JSON_INVALID);
        ASSERT(fault.offset <= text.len);
    }
    json_unref(value);
    ASSERT(meter.used == 0);
    (void)json_meter_enter(before);
    return 0;
}
