/* A file of cases: the document, stand-ins and steps. */
#include "cli/test/case_file.h"

#include "base/assert.h"
#include "base/clock.h"

/* 2026-01-01T00:00:00Z: the same every time, unless the file says otherwise. */
#define NOW_DEFAULT_US INT64_C(1'767'225'600'000'000)

/* --- stand-ins ----------------------------------------------------------------------------------
 */

static void read_what(struct case_reader *reader, const char *pointer, json map,
                      struct answer *answer)
{
    static const struct {
        const char *name;
        enum answer_kind kind;
    } kinds[]    = {{"output", ANSWER_OUTPUT},
                    {"error", ANSWER_ERROR},
                    {"echo", ANSWER_ECHO},
                    {"never", ANSWER_NEVER}};
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        json value = json_get_text(map, kinds[i].name);
        if (json_is(value, JSON_INVALID)) continue;
        count++;
        answer->kind  = kinds[i].kind;
        answer->value = value;
    }
    if (count != 1) {
        case_refuse(reader, pointer, "T01",
                    "an answer has one of `output`, `error`, `echo: true`, `never: true`");
    } else if (answer->kind == ANSWER_ERROR && !json_is(answer->value, JSON_OBJECT)) {
        case_refuse(reader, case_member(reader, pointer, str_from("error")), "T02",
                    "an error is a map: {status, type?, title?, detail?}");
    }
}

static void read_answer(struct case_reader *reader, const char *pointer, json map,
                        struct answer *answer)
{
    static const char *const names[] = {"output", "error", "echo",  "never",     "when",
                                        "undo",   "takes", "times", "retryable", NULL};
    answer->pointer                  = pointer;
    if (!case_is_map(reader, pointer, map, names)) return;
    read_what(reader, pointer, map, answer);
    answer->when     = json_get_text(map, "when");
    answer->undo     = json_get_text(map, "undo");
    answer->takes_us = case_duration(reader, pointer, map, "takes", 0);
    answer->times    = case_number(reader, pointer, map, "times", ANSWERS_MAX);
    json retryable   = json_get_text(map, "retryable");
    if (json_is(retryable, JSON_INVALID)) return;
    answer->retryable = json_is_truthy(retryable) ? RETRYABLE_YES : RETRYABLE_NO;
}

static void read_stand_in(struct case_reader *reader, const char *pointer, json value,
                          struct stand_in *stand_in)
{
    stand_in->pointer = pointer;
    if (json_is(value, JSON_OBJECT)) {
        stand_in->answers = case_alloc(reader, 1, sizeof *stand_in->answers);
        stand_in->count   = 1;
        read_answer(reader, pointer, value, stand_in->answers);
        return;
    }
    if (!case_is_list(reader, pointer, value, ANSWERS_MAX)) return;
    stand_in->count   = json_count(value);
    stand_in->answers = case_alloc(reader, stand_in->count, sizeof *stand_in->answers);
    for (size_t i = 0; i < stand_in->count; i++) {
        read_answer(reader, case_element(reader, pointer, i), json_at(value, i),
                    &stand_in->answers[i]);
    }
}

static void read_stand_ins(struct case_reader *reader, const char *parent, json map,
                           struct stand_ins *stand_ins)
{
    json value          = json_get_text(map, "functions");
    const char *pointer = case_member(reader, parent, str_from("functions"));
    if (json_is(value, JSON_INVALID) || !case_is_map(reader, pointer, value, NULL)) return;
    if (json_count(value) > STAND_INS_MAX) {
        case_refuse(reader, pointer, "T02", "at most %d functions", STAND_INS_MAX);
        return;
    }
    stand_ins->count = json_count(value);
    stand_ins->items = case_alloc(reader, stand_ins->count, sizeof *stand_ins->items);
    for (size_t i = 0; i < stand_ins->count; i++) {
        struct stand_in *item = &stand_ins->items[i];
        item->function        = arena_strdup(reader->arena, json_key_at(value, i));
        ASSERT(item->function);
        read_stand_in(reader, case_member(reader, pointer, json_key_at(value, i)),
                      json_value_at(value, i), item);
    }
}

/* --- steps --------------------------------------------------------------------------------------
 */

static void read_publish(struct case_reader *reader, const char *pointer, json event,
                         struct step *step)
{
    step->kind = STEP_PUBLISH;
    step->data = event;
    if (json_is(json_get_text(event, "type"), JSON_TEXT)) return;
    case_refuse(reader, case_member(reader, pointer, str_from("publish")), "T02",
                "an event is a map with a `type`");
}

static void read_action(struct case_reader *reader, const char *pointer, json map,
                        struct step *step)
{
    static const char *const verbs[] = {"cancel", "terminate", "pause", "resume", "retry", "fail"};
    json event                       = json_get_text(map, "publish");
    json approve                     = json_get_text(map, "approve");
    json reject                      = json_get_text(map, "reject");
    size_t count                     = 0;
    step->data                       = json_get_text(map, "data");
    step->name                       = case_text(reader, pointer, map, "signal");
    count += step->name != NULL;
    if (!json_is(event, JSON_INVALID)) {
        count++;
        read_publish(reader, pointer, event, step);
    }
    if (!json_is(approve, JSON_INVALID) || !json_is(reject, JSON_INVALID)) {
        bool is_yes = !json_is(approve, JSON_INVALID);
        step->kind  = is_yes ? STEP_APPROVE : STEP_REJECT;
        step->task  = json_is(is_yes ? approve : reject, JSON_TEXT)
                          ? case_text(reader, pointer, map, is_yes ? "approve" : "reject")
                          : NULL;
        count++;
    }
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
        if (json_is(json_get_text(map, verbs[i]), JSON_INVALID)) continue;
        step->kind = STEP_CONTROL;
        step->name = verbs[i];
        count++;
    }
    if (count == 1) return;
    case_refuse(reader, pointer, "T01",
                "a step has one of `signal`, `publish`, `approve`, `reject`, `cancel`, "
                "`terminate`, `pause`, `resume`, `retry`, `fail`");
}

static void read_steps(struct case_reader *reader, const char *parent, json map,
                       struct test_case *test)
{
    static const char *const names[] = {"after", "signal", "publish", "approve", "reject",
                                        "data",  "by",     "comment", "cancel",  "terminate",
                                        "pause", "resume", "retry",   "fail",    NULL};
    json list                        = json_get_text(map, "steps");
    const char *pointer              = case_member(reader, parent, str_from("steps"));
    int64_t last_us                  = 0;
    if (json_is(list, JSON_INVALID) || !case_is_list(reader, pointer, list, STEPS_MAX)) return;
    test->step_count = json_count(list);
    test->steps      = case_alloc(reader, test->step_count, sizeof *test->steps);
    for (size_t i = 0; i < test->step_count; i++) {
        struct step *step = &test->steps[i];
        step->pointer     = case_element(reader, pointer, i);
        if (!case_is_map(reader, step->pointer, json_at(list, i), names)) continue;
        step->after_us = case_duration(reader, step->pointer, json_at(list, i), "after", last_us);
        step->by       = case_text(reader, step->pointer, json_at(list, i), "by");
        step->comment  = case_text(reader, step->pointer, json_at(list, i), "comment");
        read_action(reader, step->pointer, json_at(list, i), step);
        if (step->after_us < last_us) {
            case_refuse(reader, step->pointer, "T02",
                        "steps stand in their order; this one is before the one above");
        }
        last_us = step->after_us;
    }
}

/* --- cases --------------------------------------------------------------------------------------
 */

static int64_t read_now(struct case_reader *reader, const char *pointer, json map,
                        int64_t otherwise_us)
{
    const char *text = case_text(reader, pointer, map, "now");
    int64_t now_us   = otherwise_us;
    if (!text || time_parse(str_from(text), &now_us)) return now_us;
    case_refuse(reader, case_member(reader, pointer, str_from("now")), "T02",
                "a time is needed here, such as 2026-01-31T12:00:00Z");
    return otherwise_us;
}

static void read_case(struct case_reader *reader, const char *pointer, json map, int64_t now_us,
                      struct test_case *test)
{
    static const char *const names[] = {"name",  "input",  "now", "functions",
                                        "steps", "expect", NULL};
    test->pointer                    = pointer;
    test->name                       = "";
    if (!case_is_map(reader, pointer, map, names)) return;
    test->name = case_text(reader, pointer, map, "name");
    if (!test->name) {
        case_refuse(reader, pointer, "T01", "a case has a `name`");
        test->name = "";
    }
    test->input  = json_get_text(map, "input");
    test->now_us = read_now(reader, pointer, map, now_us);
    read_stand_ins(reader, pointer, map, &test->stand_ins);
    read_steps(reader, pointer, map, test);
    case_read_expected(reader, case_member(reader, pointer, str_from("expect")),
                       json_get_text(map, "expect"), &test->expected);
}

static void read_with(struct case_reader *reader, json map, struct case_file *file)
{
    json list = json_get_text(map, "with");
    if (json_is(list, JSON_INVALID) || !case_is_list(reader, "/with", list, WORKFLOWS_MAX)) return;
    for (size_t i = 0; i < json_count(list); i++) {
        if (!json_is(json_at(list, i), JSON_TEXT)) {
            case_refuse(reader, case_element(reader, "/with", i), "T02",
                        "the path of a workflow is needed here");
            continue;
        }
        file->with[file->with_count++] = arena_strdup(reader->arena, json_str(json_at(list, i)));
    }
}

static json read_object(struct case_reader *reader, json map, const char *name)
{
    json value = json_get_text(map, name);
    if (json_is(value, JSON_INVALID)) return value;
    const char *pointer = case_member(reader, "", str_from(name));
    return case_is_map(reader, pointer, value, NULL) ? value : json_invalid();
}

static void read_file(struct case_reader *reader, json root, struct case_file *file)
{
    static const char *const names[] = {"workflow", "with",    "catalog",    "functions", "now",
                                        "describe", "secrets", "assistants", "cases",     NULL};
    if (!case_is_map(reader, "", root, names)) return;
    file->workflow            = case_text(reader, "", root, "workflow");
    file->catalog             = case_text(reader, "", root, "catalog");
    file->secrets             = read_object(reader, root, "secrets");
    file->assistants          = read_object(reader, root, "assistants");
    file->functions_described = json_get_text(root, "describe");
    read_with(reader, root, file);
    read_stand_ins(reader, "", root, &file->stand_ins);
    int64_t now_us = read_now(reader, "", root, NOW_DEFAULT_US);
    json cases     = json_get_text(root, "cases");
    if (json_is(cases, JSON_INVALID)) {
        case_refuse(reader, "", "T01", "`cases` is missing: a list of {name, input, expect}");
        return;
    }
    if (!case_is_list(reader, "/cases", cases, CASES_MAX)) return;
    file->count = json_count(cases);
    file->cases = case_alloc(reader, file->count, sizeof *file->cases);
    for (size_t i = 0; i < file->count; i++) {
        read_case(reader, case_element(reader, "/cases", i), json_at(cases, i), now_us,
                  &file->cases[i]);
    }
}

status case_file_read(str text, struct arena *arena, struct diagnostics *list,
                      struct case_file *ret_file, struct error *reterr)
{
    *ret_file = (struct case_file){};
    TRY(yaml_parse(text, list, &ret_file->yaml, reterr));
    struct case_reader reader = {.arena = arena, .yaml = ret_file->yaml, .list = list};
    read_file(&reader, yaml_root(ret_file->yaml), ret_file);
    if (list->errors == 0) return STATUS_OK;
    return fail(reterr, STATUS_INVALID_ARGUMENT, "%zu findings", list->errors);
}

void case_file_done(struct case_file *file)
{
    yaml_freep(&file->yaml);
}
