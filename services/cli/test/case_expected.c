/* `expect` of a case. */
#include "base/assert.h"
#include "cli/test/case_file.h"

static void read_call(struct case_reader *reader, const char *pointer, json value,
                      struct expected_call *call)
{
    call->pointer = pointer;
    if (json_is(value, JSON_TEXT)) {
        call->function = arena_strdup(reader->arena, json_str(value));
        return;
    }
    if (!case_is_map(reader, pointer, value, NULL)) return;
    if (json_count(value) != 1) {
        case_refuse(reader, pointer, "T02",
                    "a call is `function: arguments`, or the function alone");
        return;
    }
    call->function = arena_strdup(reader->arena, json_key_at(value, 0));
    call->with     = json_value_at(value, 0);
}

static void read_calls(struct case_reader *reader, const char *pointer, json list,
                       struct expectation *expected)
{
    if (!case_is_list(reader, pointer, list, EXPECTED_MAX)) return;
    expected->calls      = case_alloc(reader, json_count(list), sizeof *expected->calls);
    expected->call_count = json_count(list);
    for (size_t i = 0; i < expected->call_count; i++) {
        read_call(reader, case_element(reader, pointer, i), json_at(list, i), &expected->calls[i]);
    }
}

static void read_counts(struct case_reader *reader, const char *pointer, json map,
                        struct expectation *expected)
{
    if (!case_is_map(reader, pointer, map, NULL)) return;
    expected->counts      = case_alloc(reader, json_count(map), sizeof *expected->counts);
    expected->count_count = json_count(map);
    for (size_t i = 0; i < expected->count_count; i++) {
        struct expected_count *count = &expected->counts[i];
        count->function              = arena_strdup(reader->arena, json_key_at(map, i));
        count->pointer               = case_member(reader, pointer, json_key_at(map, i));
        ASSERT(count->function);
        count->count = case_number(reader, pointer, map, count->function, 1'000'000);
    }
}

static void read_undone(struct case_reader *reader, const char *pointer, json list,
                        struct expectation *expected)
{
    if (!case_is_list(reader, pointer, list, EXPECTED_MAX)) return;
    expected->has_undone   = true;
    expected->undone       = case_alloc(reader, json_count(list), sizeof *expected->undone);
    expected->undone_count = json_count(list);
    for (size_t i = 0; i < expected->undone_count; i++) {
        json name = json_at(list, i);
        if (!json_is(name, JSON_TEXT)) {
            case_refuse(reader, case_element(reader, pointer, i), "T02",
                        "the name of a function is needed here");
            expected->undone[i] = "";
            continue;
        }
        expected->undone[i] = arena_strdup(reader->arena, json_str(name));
    }
}

static void read_status(struct case_reader *reader, const char *pointer, json map,
                        struct expectation *expected)
{
    static const char *const names[] = {"completed", "faulted", "cancelled", "terminated",
                                        "waiting",   "running", "suspended"};
    expected->status                 = case_text(reader, pointer, map, "status");
    bool is_known                    = expected->status == NULL;
    for (size_t i = 0; !is_known && i < ARRAY_LEN(names); i++) {
        is_known = strcmp(expected->status, names[i]) == 0;
    }
    if (is_known) return;
    case_refuse(reader, case_member(reader, pointer, str_from("status")), "T02",
                "none of completed, faulted, cancelled, terminated, waiting, running, suspended");
}

static void read_takes(struct case_reader *reader, const char *pointer, json map,
                       struct expectation *expected)
{
    static const char *const names[] = {"at_least", "at_most", NULL};
    json value                       = json_get_text(map, "takes");
    expected->takes_us = expected->at_least_us = expected->at_most_us = -1;
    if (!json_is(value, JSON_OBJECT)) {
        expected->takes_us = case_duration(reader, pointer, map, "takes", -1);
        return;
    }
    const char *at = case_member(reader, pointer, str_from("takes"));
    if (!case_is_map(reader, at, value, names)) return;
    expected->at_least_us = case_duration(reader, at, value, "at_least", -1);
    expected->at_most_us  = case_duration(reader, at, value, "at_most", -1);
}

void case_read_expected(struct case_reader *reader, const char *pointer, json value,
                        struct expectation *expected)
{
    static const char *const names[] = {"status", "output", "output_has", "error", "labels",
                                        "calls",  "count",  "undone",     "takes", NULL};
    *expected                        = (struct expectation){.pointer = pointer};
    expected->takes_us = expected->at_least_us = expected->at_most_us = -1;
    if (json_is(value, JSON_INVALID) || !case_is_map(reader, pointer, value, names)) return;
    expected->output = json_get_text(value, "output");
    expected->has    = json_get_text(value, "output_has");
    expected->error  = json_get_text(value, "error");
    expected->labels = json_get_text(value, "labels");
    read_status(reader, pointer, value, expected);
    read_takes(reader, pointer, value, expected);
    json calls  = json_get_text(value, "calls");
    json counts = json_get_text(value, "count");
    json undone = json_get_text(value, "undone");
    if (!json_is(calls, JSON_INVALID)) {
        read_calls(reader, case_member(reader, pointer, str_from("calls")), calls, expected);
    }
    if (!json_is(counts, JSON_INVALID)) {
        read_counts(reader, case_member(reader, pointer, str_from("count")), counts, expected);
    }
    if (!json_is(undone, JSON_INVALID)) {
        read_undone(reader, case_member(reader, pointer, str_from("undone")), undone, expected);
    }
}
