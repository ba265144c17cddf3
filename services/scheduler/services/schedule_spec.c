#include "scheduler/services/schedule_spec.h"

#include "base/attr.h"
#include "base/clock.h"
#include "scheduler/engine/schedules/schedules.h"
#include "scheduler/tables/definitions.h"
#include "scheduler/tables/record.h"
#include "json/json_text.h"

#include <stdarg.h>
#include <stdio.h>

enum { LABELS_MAX = 16, LABEL_KEY_MAX = 63, LABEL_VALUE_MAX = 255, INPUT_MAX = 256 << 10 };

#define SECOND_US        INT64_C(1'000'000)
#define DAY_US           (86'400 * SECOND_US)
#define EVERY_MAX_US     (3'660 * DAY_US)
#define CATCH_UP_DEFAULT DAY_US
#define CATCH_UP_MAX_US  (366 * DAY_US)
#define JITTER_MAX_US    DAY_US

struct reading {
    json value;
    struct arena *arena;
    struct diagnostics *list;
    Pb__ScheduleSpec *spec;
};

PRINTF_LIKE(3, 4)
static void find(const struct reading *reading, const char *pointer, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    (void)diagnostics_add(reading->list, "", SEVERITY_ERROR, str_from(pointer), 0, 0, "%s", text);
}

/* A text member; "" if there is none. */
static const char *text_of(const struct reading *reading, const char *name)
{
    json member = json_get_text(reading->value, name);
    if (json_is(member, JSON_INVALID)) return "";
    char *text = json_is(member, JSON_TEXT) ? text_in(reading->arena, json_str(member)) : NULL;
    if (text) return text;
    find(reading, arena_printf(reading->arena, "/%s", name), "must be a text");
    return "";
}

static bool duration_of(const struct reading *reading, const char *name, int64_t min_us,
                        int64_t max_us, int64_t *ret_us)
{
    char least[TIME_TEXT_SIZE];
    char most[TIME_TEXT_SIZE];
    const char *text = text_of(reading, name);
    if (!*text) return false;
    bool is_read = duration_parse(str_from(text), ret_us);
    if (is_read && *ret_us >= min_us && *ret_us <= max_us) return true;
    duration_format(min_us, least);
    duration_format(max_us, most);
    find(reading, arena_printf(reading->arena, "/%s", name),
         "must be a time span such as 15m, from %s to %s", least, most);
    *ret_us = min_us;
    return false;
}

static void read_cron(const struct reading *reading, const char *text)
{
    struct cron cron  = {};
    struct error why  = {};
    struct zone *zone = NULL;
    const char *name  = reading->spec->time_zone;
    if (cron_parse(str_from(text), &cron, &why) != STATUS_OK) {
        find(reading, "/cron", "%s", why.text);
    }
    if (*name && strcmp(name, "UTC") != 0 && zone_load(str_from(name), &zone, &why) != STATUS_OK) {
        find(reading, "/time_zone", "`%.*s` %s", ZONE_NAME_MAX, name, why.text);
    }
    zone_free(zone);
}

static void read_times(const struct reading *reading, int64_t now_us)
{
    Pb__ScheduleSpec *spec = reading->spec;
    const char *every      = text_of(reading, "every");
    const char *at         = text_of(reading, "at");
    spec->cron             = text_of(reading, "cron");
    spec->time_zone        = text_of(reading, "time_zone");
    if ((*every != '\0') + (*at != '\0') + (*spec->cron != '\0') != 1) {
        find(reading, "", "takes one of cron, every and at");
        return;
    }
    if (*spec->time_zone && !*spec->cron) {
        find(reading, "/time_zone",
             "goes with cron only; every counts from 1970 in UTC, and at "
             "has an offset of its own");
    }
    if (*spec->cron) read_cron(reading, spec->cron);
    if (*every) (void)duration_of(reading, "every", SECOND_US, EVERY_MAX_US, &spec->every_us);
    if (*every && spec->every_us % 1'000 != 0) {
        find(reading, "/every", "must be whole milliseconds");
    }
    if (!*at) return;
    if (!time_parse(str_from(at), &spec->at_us) || spec->at_us <= 0) {
        find(reading, "/at", "must be a time such as 2030-01-31T12:00:00Z");
    } else if (spec->at_us <= now_us) {
        find(reading, "/at", "has passed");
    }
}

static void read_overlap(const struct reading *reading)
{
    static const char *const names[] = {"skip", "queue", "allow", "replace"};
    const char *text                 = text_of(reading, "overlap");
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (!*text || strcmp(text, names[i]) == 0) {
            reading->spec->overlap = (Pb__ScheduleOverlap)i;
            return;
        }
    }
    find(reading, "/overlap", "must be skip, queue, allow or replace");
}

static void read_labels(const struct reading *reading)
{
    json labels       = json_get_text(reading->value, "labels");
    size_t count      = json_is(labels, JSON_OBJECT) ? json_count(labels) : 0;
    Pb__Label *items  = arena_alloc(reading->arena, (LABELS_MAX + 1) * sizeof *items);
    Pb__Label **array = arena_alloc(reading->arena, (LABELS_MAX + 1) * sizeof *array);
    bool is_good      = items && array && count <= LABELS_MAX &&
                   (json_is(labels, JSON_OBJECT) || json_is(labels, JSON_INVALID));
    for (size_t i = 0; is_good && i < count; i++) {
        str key    = json_key_at(labels, i);
        json value = json_value_at(labels, i);
        is_good    = key.len > 0 && key.len <= LABEL_KEY_MAX && json_is(value, JSON_TEXT) &&
                  json_str(value).len <= LABEL_VALUE_MAX;
        if (!is_good) break;
        pb__label__init(&items[i]);
        items[i].key   = text_in(reading->arena, key);
        items[i].value = text_in(reading->arena, json_str(value));
        array[i]       = &items[i];
    }
    if (is_good) {
        reading->spec->labels   = array;
        reading->spec->n_labels = count;
        return;
    }
    find(reading, "/labels", "at most %d, with a key of 1 to %d, a text of at most %d characters",
         LABELS_MAX, LABEL_KEY_MAX, LABEL_VALUE_MAX);
}

static void read_input(const struct reading *reading)
{
    json input                        = json_get_text(reading->value, "input");
    CLEANUP(buf_done) struct buf text = buf_init(INPUT_MAX);
    if (json_is(input, JSON_INVALID)) return;
    if (!json_print(input, JSON_COMPACT, &text)) {
        find(reading, "/input", "over %d bytes", INPUT_MAX);
        return;
    }
    reading->spec->input_json = bytes_in(reading->arena, buf_str(&text));
}

bool schedule_spec_read(json value, int64_t now_us, struct arena *arena, struct diagnostics *list,
                        Pb__ScheduleSpec *ret_spec, bool *ret_paused)
{
    *ret_spec                    = (Pb__ScheduleSpec)PB__SCHEDULE_SPEC__INIT;
    const struct reading reading = {value, arena, list, ret_spec};
    ret_spec->workflow           = text_of(&reading, "workflow");
    ret_spec->catch_up_us        = CATCH_UP_DEFAULT;
    if (!*ret_spec->workflow || strlen(ret_spec->workflow) > WORKFLOW_REFERENCE_MAX) {
        find(&reading, "/workflow", "must be name or name:version");
    }
    read_times(&reading, now_us);
    read_overlap(&reading);
    read_labels(&reading);
    read_input(&reading);
    (void)duration_of(&reading, "catch_up", 0, CATCH_UP_MAX_US, &ret_spec->catch_up_us);
    (void)duration_of(&reading, "jitter", 0, JITTER_MAX_US, &ret_spec->jitter_us);
    *ret_paused = json_is_truthy(json_get_text(value, "paused"));
    return list->errors == 0;
}
