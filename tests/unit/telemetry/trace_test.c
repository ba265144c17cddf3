#include "support/cmocka.h"
#include "telemetry/trace.h"

#include <string.h>

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN  "00f067aa0ba902b7"

/* clang-format off */
static const struct row {
    const char *name;
    const char *text;
    bool is_valid;
    bool is_sampled;
} rows[] = {
    {"sampled",              "00-" TRACE "-" SPAN "-01",       true, true},
    {"not sampled",          "00-" TRACE "-" SPAN "-00",       true, false},
    {"unknown flags",        "00-" TRACE "-" SPAN "-fe",       true, false},
    {"higher version",       "01-" TRACE "-" SPAN "-01",       true, true},
    {"higher, with more",    "cc-" TRACE "-" SPAN "-01-what",  true, true},
    {"higher, no dash",      "cc-" TRACE "-" SPAN "-01.what",  false, false},
    {"version 00 with more", "00-" TRACE "-" SPAN "-01-what",  false, false},
    {"version ff",           "ff-" TRACE "-" SPAN "-01",       false, false},
    {"capitals",             "00-4BF92F3577B34DA6A3CE929D0E0E4736-" SPAN "-01", false, false},
    {"no trace",             "00-00000000000000000000000000000000-" SPAN "-01", false, false},
    {"no span",              "00-" TRACE "-0000000000000000-01", false, false},
    {"not hexadecimal",      "00-" TRACE "-" SPAN "-0g",       false, false},
    {"other separator",      "00_" TRACE "-" SPAN "-01",       false, false},
    {"one too short",        "00-" TRACE "-" SPAN "-0",        false, false},
    {"empty",                "",                               false, false},
};
/* clang-format on */

static void test_row(void **state)
{
    const struct row *row        = *state;
    struct trace_context context = {.is_sampled = true};
    struct trace_context before  = context;
    assert_int_equal(trace_parse(str_from(row->text), &context), row->is_valid);
    if (!row->is_valid) {
        assert_memory_equal(&context, &before, sizeof context);
        return;
    }
    assert_int_equal(context.is_sampled, row->is_sampled);
    assert_int_equal(context.trace_id[0], 0x4b);
    assert_int_equal(context.span_id[7], 0xb7);
    char text[TRACE_TEXT_SIZE];
    trace_format(&context, text);
    assert_memory_equal(text, "00-" TRACE "-" SPAN "-0", 54);
    assert_int_equal(text[54], row->is_sampled ? '1' : '0');
}

static void test_new_and_child(void **state)
{
    (void)state;
    struct prng random          = {.state = 7};
    struct prng same            = {.state = 7};
    struct trace_context parent = trace_new(&random, true);
    struct trace_context again  = trace_new(&same, true);
    struct trace_context child  = trace_child(&parent, &random);
    assert_memory_equal(parent.trace_id, again.trace_id, TRACE_ID_SIZE);
    assert_memory_equal(parent.trace_id, child.trace_id, TRACE_ID_SIZE);
    assert_memory_not_equal(parent.span_id, child.span_id, SPAN_ID_SIZE);
    assert_true(child.is_sampled);
    char text[TRACE_TEXT_SIZE];
    struct trace_context back;
    trace_format(&child, text);
    assert_true(trace_parse(str_from(text), &back));
    assert_memory_equal(back.span_id, child.span_id, SPAN_ID_SIZE);
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(rows) + 1];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        tests[i] = row_test(rows[i].name, test_row, &rows[i]);
    }
    tests[ARRAY_LEN(rows)] = (struct CMUnitTest)cmocka_unit_test(test_new_and_child);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
