#include "cli/test/report.h"

#include "cli/print.h"

#include <inttypes.h>
#include <stdio.h>

enum { TEXT_MAX = 1 << 10 };

static size_t shown_count(const struct outcome *outcome)
{
    size_t count = outcome->failure_count;
    return count > OUTCOME_FAILURES_MAX ? OUTCOME_FAILURES_MAX : count;
}

/* --- people -------------------------------------------------------------------------------------
 */

static void print_failures(const struct suite *suite, const struct outcome *outcome)
{
    for (size_t i = 0; i < shown_count(outcome); i++) {
        const struct failure *failure = &outcome->failures[i];
        struct yaml_place place       = yaml_place_of(suite->yaml, str_from(failure->pointer));
        (void)printf("     %s:%u:%u: %s\n", suite->path, place.line, place.column,
                     failure->pointer);
        print_clean(stdout, "       ", str_from(failure->text));
        (void)fputc('\n', stdout);
    }
    if (outcome->failure_count > OUTCOME_FAILURES_MAX) {
        (void)printf("     and %zu more\n", outcome->failure_count - OUTCOME_FAILURES_MAX);
    }
}

void report_print(const struct suite *suite)
{
    (void)printf("%s: %s\n", suite->path, suite->workflow);
    for (size_t i = 0; i < suite->count; i++) {
        const struct outcome *outcome     = &suite->outcomes[i];
        CLEANUP(buf_done) struct buf took = buf_init(TEXT_MAX);
        print_duration(outcome->virtual_us / 1000, &took);
        (void)printf("%s ", outcome->failure_count == 0 ? "ok  " : "FAIL");
        print_clean(stdout, "", str_from(outcome->test->name));
        (void)printf(" (%s of the run, %" PRId64 " ms)\n", took.ptr, outcome->real_us / 1000);
        print_failures(suite, outcome);
    }
}

/* --- programs -----------------------------------------------------------------------------------
 */

static json failure_new(const struct suite *suite, const struct failure *failure)
{
    struct yaml_place place = yaml_place_of(suite->yaml, str_from(failure->pointer));
    json object             = json_object_new(4);
    json_object_put_text(&object, "pointer", json_text_lossy(str_from(failure->pointer)));
    json_object_put_text(&object, "line", json_int(place.line));
    json_object_put_text(&object, "column", json_int(place.column));
    json_object_put_text(&object, "detail", json_text_lossy(str_from(failure->text)));
    return object;
}

static json outcome_new(const struct suite *suite, const struct outcome *outcome)
{
    json object   = json_object_new(6);
    json failures = json_array_new(shown_count(outcome));
    json calls    = json_array_new(outcome->call_count);
    for (size_t i = 0; i < shown_count(outcome); i++) {
        json_array_push(&failures, failure_new(suite, &outcome->failures[i]));
    }
    for (size_t i = 0; i < outcome->call_count; i++) {
        const struct made_call *made = &outcome->calls[i];
        json call                    = json_object_new(4);
        json_object_put_text(&call, "function", json_text_from(made->function));
        json_object_put_text(&call, "task", json_text_from(made->task));
        json_object_put_text(&call, "input", json_ref(made->input));
        json_object_put_text(&call, "undo", json_bool(made->is_undo));
        json_array_push(&calls, call);
    }
    json_object_put_text(&object, "name", json_text_from(outcome->test->name));
    json_object_put_text(&object, "passed", json_bool(outcome->failure_count == 0));
    json_object_put_text(&object, "virtual_ms", json_int(outcome->virtual_us / 1000));
    json_object_put_text(&object, "real_us", json_int(outcome->real_us));
    json_object_put_text(&object, "failures", failures);
    json_object_put_text(&object, "calls", calls);
    return object;
}

void report_json(const struct suite *suite)
{
    CLEANUP(json_unrefp) json object = json_object_new(5);
    json cases                       = json_array_new(suite->count);
    for (size_t i = 0; i < suite->count; i++) {
        json_array_push(&cases, outcome_new(suite, &suite->outcomes[i]));
    }
    json_object_put_text(&object, "file", json_text_lossy(str_from(suite->path)));
    json_object_put_text(&object, "workflow", json_text_from(suite->workflow));
    json_object_put_text(&object, "passed", json_int((int64_t)(suite->count - suite->failed)));
    json_object_put_text(&object, "failed", json_int((int64_t)suite->failed));
    json_object_put_text(&object, "cases", cases);
    print_json_line(object);
}

/* --- JUnit --------------------------------------------------------------------------------------
 */

/* XML 1.0 allows no other control characters. */
static void put_xml(struct buf *out, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '&': (void)buf_put_text(out, "&amp;"); break;
        case '<': (void)buf_put_text(out, "&lt;"); break;
        case '>': (void)buf_put_text(out, "&gt;"); break;
        case '"': (void)buf_put_text(out, "&quot;"); break;
        default: {
            bool is_control = (unsigned char)*text < 0x20 && *text != '\n' && *text != '\t';
            (void)buf_put_byte(out, is_control ? ' ' : *text);
            break;
        }
        }
    }
}

static void put_case(const struct suite *suite, const struct outcome *outcome, struct buf *out)
{
    (void)buf_put_text(out, "    <testcase classname=\"");
    put_xml(out, suite->workflow);
    (void)buf_put_text(out, "\" name=\"");
    put_xml(out, outcome->test->name);
    (void)buf_printf(out, "\" time=\"%.6f\"", (double)outcome->real_us / 1e6);
    if (outcome->failure_count == 0) {
        (void)buf_put_text(out, "/>\n");
        return;
    }
    (void)buf_put_text(out, ">\n      <failure message=\"");
    put_xml(out, outcome->failures[0].text);
    (void)buf_put_text(out, "\">");
    for (size_t i = 0; i < shown_count(outcome); i++) {
        put_xml(out, outcome->failures[i].pointer);
        (void)buf_put_text(out, ": ");
        put_xml(out, outcome->failures[i].text);
        (void)buf_put_text(out, "\n");
    }
    (void)buf_put_text(out, "</failure>\n    </testcase>\n");
}

void report_junit(const struct suite *suite, struct buf *out)
{
    int64_t sum_us = 0;
    for (size_t i = 0; i < suite->count; i++) sum_us += suite->outcomes[i].real_us;
    (void)buf_put_text(out, "  <testsuite name=\"");
    put_xml(out, suite->path);
    (void)buf_printf(out, "\" tests=\"%zu\" failures=\"%zu\" time=\"%.6f\">\n", suite->count,
                     suite->failed, (double)sum_us / 1e6);
    for (size_t i = 0; i < suite->count; i++) put_case(suite, &suite->outcomes[i], out);
    (void)buf_put_text(out, "  </testsuite>\n");
}
