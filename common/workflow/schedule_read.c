/* `schedule`: when runs start by themselves. */
#include "workflow/document.h"

#include "workflow/compile.h"
#include "workflow/event_filter_read.h"

enum { EVERY_MIN_US = 1'000'000 /* a start costs work: not more often than once a second */ };

/* A schedule has no run yet, so nothing can be computed. */
static void fixed_span_read(struct reader *reader, json value, struct schedule *schedule,
                            enum schedule_kind kind)
{
    struct duration span = {};
    if (is_expression(value)) {
        struct diagnostic *finding =
            refuse(reader, "V17", value_place(reader),
                   "a schedule is not computed: there is no run yet whose input it could see");
        hint(reader, finding, "a fixed duration, such as `PT1H`");
        return;
    }
    span_read(reader, value, &span);
    schedule->kind    = kind;
    schedule->span_us = span.us;
}

static void every_read(struct reader *reader, json value, void *target)
{
    struct schedule *schedule = target;
    size_t errors             = reader->list->errors;
    fixed_span_read(reader, value, schedule, SCHEDULE_EVERY);
    if (reader->list->errors > errors || schedule->span_us >= EVERY_MIN_US) return;
    struct diagnostic *finding =
        refuse(reader, "V17", value_place(reader), "`every` is at least a second");
    hint(reader, finding, "`every: PT1S`, or a workflow that waits and loops");
}

static void after_read(struct reader *reader, json value, void *target)
{
    fixed_span_read(reader, value, target, SCHEDULE_AFTER);
}

static void cron_read(struct reader *reader, json value, void *target)
{
    struct schedule *schedule  = target;
    struct error why           = {};
    struct diagnostic *finding = NULL;
    if (!json_is(value, JSON_TEXT)) {
        finding = refuse(reader, "V06", value_place(reader), "`cron` is a text, not %s",
                         kind_words(value.kind));
        hint(reader, finding, "`cron: '0 9 * * MON-FRI'`");
        return;
    }
    schedule->kind = SCHEDULE_CRON;
    if (cron_parse(json_str(value), &schedule->cron, &why) == STATUS_OK) return;
    finding = refuse(reader, "V17", value_place(reader), "`cron`: %s", why.text);
    hint(reader, finding,
         "five fields in UTC, such as `0 9 * * MON-FRI`: nine o'clock on workdays");
}

static void on_read(struct reader *reader, json value, void *target)
{
    struct schedule *schedule = target;
    size_t errors             = reader->list->errors;
    consumption_read(reader, value, "`schedule.on`", &schedule->on);
    if (reader->list->errors > errors) return;
    schedule->kind = SCHEDULE_ON;
    if (schedule->on.to.mode != LISTEN_ALL || schedule->on.to.filter_count > 0) return;
    struct diagnostic *finding =
        refuse(reader, "V17", value_place(reader), "`all` of no filters starts no run");
    hint(reader, finding, "`any: []` takes every event");
}

static void read_read(struct reader *reader, json value, void *target)
{
    struct schedule *schedule = target;
    event_read_read(reader, value, &schedule->on.read);
}

static const struct field schedule_fields[] = {
    {"every", every_read, 0, OPTIONAL}, {"cron", cron_read, 0, OPTIONAL},
    {"after", after_read, 0, OPTIONAL}, {"on", on_read, 0, PLACE_SCHEDULE},
    {"read", read_read, 0, OPTIONAL},
};
static const struct synonym schedule_synonyms[] = {
    {"interval", "every"}, {"rate", "every"}, {"delay", "after"}, {"event", "on"}, {},
};
static const struct object_kind schedule_kind = {
    .what        = "`schedule`",
    .fields      = schedule_fields,
    .field_count = ARRAY_LEN(schedule_fields),
    .synonyms    = schedule_synonyms,
};

void schedule_read(struct reader *reader, json value, void *target)
{
    static const char *const kinds[] = {"every", "cron", "after", "on"};
    const struct workflow *workflow  = reader->workflow;
    unsigned count                   = 0;
    if (!json_is(value, JSON_OBJECT)) {
        refuse(reader, "V06", value_place(reader), "`schedule` is a map, not %s",
               kind_words(value.kind));
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (!json_is(json_get_text(value, kinds[i]), JSON_INVALID)) count++;
    }
    if (count != 1) {
        struct diagnostic *finding =
            refuse(reader, "V17", value_place(reader),
                   count == 0 ? "`schedule` says nothing" : "`schedule` is of two kinds");
        hint(reader, finding, "one of `every`, `cron`, `after`, `on`");
        return;
    }
    bool has_read = !json_is(json_get_text(value, "read"), JSON_INVALID);
    if (has_read && json_is(json_get_text(value, "on"), JSON_INVALID)) {
        size_t back = pointer_enter(reader, str_from("read"));
        struct diagnostic *finding =
            refuse(reader, "V17", key_place(reader), "`read` means nothing without `on`");
        hint(reader, finding, "leave it out: only events have something to read");
        pointer_leave(reader, back);
        return;
    }
    if (!object_read(reader, &schedule_kind, value, target)) return;
    if (!workflow->idempotency_key || workflow->schedule.kind == SCHEDULE_NONE) return;
    if (workflow->schedule.kind == SCHEDULE_ON) return; /* its events are an input */
    struct diagnostic *finding =
        refuse(reader, "V17", value_place(reader),
               "a scheduled start has no input, so the document's `idempotencyKey` would make all "
               "of them one");
    hint(reader, finding, "leave one of the two out");
}
