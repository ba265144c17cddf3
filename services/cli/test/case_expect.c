/* What came of a case, against what was expected of it. */
#include "base/clock.h"
#include "cli/test/play_case.h"
#include "stage/play.h"
#include "json/json_text.h"

#include <stdio.h>

enum { TEXT_MAX = 4 << 10, POINTER_MAX = 1 << 10 };

#define MS INT64_C(1'000)

static void at(char text[POINTER_MAX], const struct expectation *expected, const char *name)
{
    (void)snprintf(text, POINTER_MAX, "%s/%s", expected->pointer, name);
}

static void expect_status(const struct expectation *expected, const struct play_view *view,
                          struct outcome *outcome)
{
    bool is_error      = !json_is(expected->error, JSON_INVALID);
    const char *wanted = expected->status ? expected->status : is_error ? "faulted" : "completed";
    if (strcmp(wanted, view->state) == 0) return;
    char pointer[POINTER_MAX];
    CLEANUP(buf_done) struct buf why = buf_init(TEXT_MAX);
    at(pointer, expected, "status");
    if (!json_is(view->error, JSON_INVALID)) {
        (void)buf_put_text(&why, ": ");
        value_put(&why, view->error);
    } else if (!view->is_final) {
        (void)buf_put_text(&why, "; these tasks wait: ");
        value_put(&why, view->waiting);
    }
    outcome_fail(outcome, pointer, "expected the run to be %s, it is %s%s", wanted, view->state,
                 why.ptr ? why.ptr : "");
}

static void expect_values(const struct expectation *expected, const struct play_view *view,
                          struct outcome *outcome)
{
    const struct {
        const char *name;
        json wanted, actual;
        bool is_partial;
    } values[] = {{"output", expected->output, view->output, false},
                  {"output_has", expected->has, view->output, true},
                  {"error", expected->error, view->error, true},
                  {"labels", expected->labels, view->labels, true}};
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        if (json_is(values[i].wanted, JSON_INVALID)) continue;
        char pointer[POINTER_MAX];
        at(pointer, expected, values[i].name);
        outcome_compare(outcome, pointer, values[i].wanted, values[i].actual, values[i].is_partial);
    }
}

static bool is_call(const struct expected_call *wanted, const struct made_call *made)
{
    return strcmp(wanted->function, made->function) == 0 &&
           (json_is(wanted->with, JSON_INVALID) || json_has(made->input, wanted->with));
}

/* The nearest call of that function, to say how it differs; NULL: there was none. */
static const struct made_call *nearest_call(const struct outcome *outcome,
                                            const struct expected_call *wanted, size_t from)
{
    for (size_t i = from; i < outcome->call_count; i++) {
        if (strcmp(outcome->calls[i].function, wanted->function) == 0) return &outcome->calls[i];
    }
    return NULL;
}

/* In their order; others may stand between them. */
static void expect_calls(const struct expectation *expected, struct outcome *outcome)
{
    size_t next = 0;
    for (size_t i = 0; i < expected->call_count; i++) {
        const struct expected_call *wanted = &expected->calls[i];
        size_t found                       = next;
        while (found < outcome->call_count && !is_call(wanted, &outcome->calls[found])) found++;
        if (found < outcome->call_count) {
            next = found + 1;
            continue;
        }
        const struct made_call *near = nearest_call(outcome, wanted, next);
        if (near) {
            CLEANUP(buf_done) struct buf text = buf_init(TEXT_MAX);
            (void)buf_printf(&text, "%s/%s", wanted->pointer, wanted->function);
            outcome_compare(outcome, text.ptr, wanted->with, near->input, true);
        } else {
            outcome_fail(outcome, wanted->pointer, "%s was not called%s", wanted->function,
                         next > 0 ? " after the calls above" : "");
        }
    }
}

static void expect_counts(const struct expectation *expected, struct outcome *outcome)
{
    for (size_t i = 0; i < expected->count_count; i++) {
        const struct expected_count *wanted = &expected->counts[i];
        uint32_t count                      = 0;
        for (size_t k = 0; k < outcome->call_count; k++) {
            count += strcmp(outcome->calls[k].function, wanted->function) == 0;
        }
        if (count == wanted->count) continue;
        outcome_fail(outcome, wanted->pointer, "expected %u calls of %s, there were %u",
                     wanted->count, wanted->function, count);
    }
}

static void expect_undone(const struct expectation *expected, struct outcome *outcome)
{
    if (!expected->has_undone) return;
    json wanted = json_array_new(expected->undone_count);
    json actual = json_array_new(outcome->call_count);
    for (size_t i = 0; i < expected->undone_count; i++) {
        json_array_push(&wanted, json_text_from(expected->undone[i]));
    }
    for (size_t i = 0; i < outcome->call_count; i++) {
        if (!outcome->calls[i].is_undo) continue;
        json_array_push(&actual, json_text_from(outcome->calls[i].function));
    }
    char pointer[POINTER_MAX];
    at(pointer, expected, "undone");
    outcome_compare(outcome, pointer, wanted, actual, false);
    json_unref(wanted);
    json_unref(actual);
}

/* To the millisecond: what people write. */
static void expect_duration(const struct expectation *expected, const struct play_view *view,
                            struct outcome *outcome)
{
    int64_t took_us   = view->took_us / MS * MS;
    bool is_wrong     = expected->takes_us >= 0 && took_us != expected->takes_us;
    bool is_too_short = expected->at_least_us >= 0 && took_us < expected->at_least_us;
    bool is_too_long  = expected->at_most_us >= 0 && took_us > expected->at_most_us;
    if (!is_wrong && !is_too_short && !is_too_long) return;
    char pointer[POINTER_MAX];
    char took[TIME_TEXT_SIZE];
    char wanted[TIME_TEXT_SIZE];
    duration_format(took_us, took);
    duration_format(is_wrong       ? expected->takes_us
                    : is_too_short ? expected->at_least_us
                                   : expected->at_most_us,
                    wanted);
    at(pointer, expected, "takes");
    outcome_fail(outcome, pointer, "expected the run to take %s%s, it took %s",
                 is_wrong       ? ""
                 : is_too_short ? "at least "
                                : "at most ",
                 wanted, took);
}

void case_expect(const struct test_case *test, const struct play_view *view,
                 struct outcome *outcome)
{
    const struct expectation *expected = &test->expected;
    expect_status(expected, view, outcome);
    expect_values(expected, view, outcome);
    expect_calls(expected, outcome);
    expect_counts(expected, outcome);
    expect_undone(expected, outcome);
    expect_duration(expected, view, outcome);
}
