/* What services answer, as JSON: what is there, what is left out. */
#include "cmocka.h"

#include "gateway/api/view.h"

#include <string.h>

enum { TEXT_MAX = 16 << 10, NOW_S = 1'700'000'100 };

static const int64_t second_us = 1'000'000;

static ProtobufCBinaryData bytes_of(const char *text)
{
    return (ProtobufCBinaryData){strlen(text), (uint8_t *)(uintptr_t)text};
}

static const char *text_of(struct buf *text)
{
    (void)buf_put_byte(text, '\0');
    return text->ptr;
}

static void a_run_that_was_just_made(void **)
{
    Pb__RunView run                   = PB__RUN_VIEW__INIT;
    CLEANUP(buf_done) struct buf text = buf_init(TEXT_MAX);
    struct json_writer w              = json_writer_init(&text);
    run.id                            = "R";
    run.namespace_                    = "acme";
    run.workflow                      = "hello";
    run.version                       = "1.0.0";
    run.status                        = PB__RUN_STATUS__RUN_STATUS_PENDING;
    run.created_us                    = (NOW_S - 2) * second_us;
    run.last_sequence                 = 1;
    view_run(&w, &run, NOW_S * second_us);
    assert_string_equal(
        text_of(&text),
        "{\"id\":\"R\",\"namespace\":\"acme\",\"workflow\":{\"name\":\"hello\",\"version\":\"1.0."
        "0\","
        "\"digest\":\"\"},\"status\":\"pending\",\"created_at\":\"2023-11-14T22:14:58.000Z\","
        "\"priority\":0,\"progress\":{\"percent\":0,\"elapsed_seconds\":2},"
        "\"usage\":{\"input_tokens\":0,\"output_tokens\":0,\"cost_usd\":\"0\"},"
        "\"last_sequence\":1}");
}

static void a_run_with_everything(void **)
{
    Pb__RunView run                   = PB__RUN_VIEW__INIT;
    Pb__Usage usage                   = PB__USAGE__INIT;
    Pb__Label label                   = PB__LABEL__INIT;
    Pb__Waiting waiting               = PB__WAITING__INIT;
    Pb__Label *labels[]               = {&label};
    Pb__Waiting *waits[]              = {&waiting};
    CLEANUP(buf_done) struct buf text = buf_init(TEXT_MAX);
    struct json_writer w              = json_writer_init(&text);
    label.key                         = "te\"am";
    label.value                       = "a\nb";
    waiting.kind                      = "timer";
    waiting.task                      = "/do/0/w";
    usage.input_tokens                = 3;
    usage.output_tokens               = 4;
    usage.cost_usd_nanos              = 1'500'000;
    usage.simulated                   = true;
    run.client_id                     = "mine";
    run.status                        = PB__RUN_STATUS__RUN_STATUS_COMPLETED;
    run.created_us                    = (NOW_S - 9) * second_us;
    run.started_us                    = (NOW_S - 5) * second_us;
    run.ended_us                      = (NOW_S - 1) * second_us;
    run.digest                        = (ProtobufCBinaryData){2, (uint8_t[]){0xab, 0x01}};
    run.labels                        = labels;
    run.n_labels                      = 1;
    run.waiting_for                   = waits;
    run.n_waiting_for                 = 1;
    run.usage                         = &usage;
    run.progress_permille             = 1'000;
    run.phase                         = "draft";
    run.budget_tokens                 = 7;
    run.budget_usd_nanos              = 2'000'000'000;
    run.input_json                    = bytes_of("{\"a\":1}");
    run.output_json                   = bytes_of("[]");
    run.error_json                    = bytes_of("{\"status\":500}");
    run.trace_id                      = "abc";
    view_run(&w, &run, NOW_S * second_us);
    static const char *const parts[] = {
        "\"client_id\":\"mine\"",
        "\"digest\":\"ab01\"",
        "\"labels\":{\"te\\\"am\":\"a\\nb\"}",
        "\"budget\":{\"usd\":\"2\",\"tokens\":7}",
        "\"input\":{\"a\":1},\"output\":[],\"error\":{\"status\":500}",
        "\"progress\":{\"percent\":100,\"phase\":\"draft\",\"elapsed_seconds\":4}",
        "\"waiting_for\":[{\"kind\":\"timer\",\"task\":\"/do/0/w\"}]",
        ("\"usage\":{\"input_tokens\":3,\"output_tokens\":4,\"cost_usd\":\"0.0015\","
         "\"simulated\":true}"),
        "\"trace_id\":\"abc\"",
    };
    (void)text_of(&text);
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        if (!strstr(text.ptr, parts[i])) fail_msg("%s not in %s", parts[i], text.ptr);
    }
}

static void an_unknown_price_is_null(void **)
{
    Pb__RunView run                   = PB__RUN_VIEW__INIT;
    Pb__Usage usage                   = PB__USAGE__INIT;
    CLEANUP(buf_done) struct buf text = buf_init(TEXT_MAX);
    struct json_writer w              = json_writer_init(&text);
    usage.cost_source                 = PB__COST_SOURCE__COST_SOURCE_UNKNOWN;
    run.usage                         = &usage;
    view_run(&w, &run, 0);
    assert_non_null(strstr(text_of(&text), "\"cost_usd\":null"));
}

static void times_that_go_back_are_no_time(void **)
{
    Pb__RunView run                   = PB__RUN_VIEW__INIT;
    Pb__QueueView queue               = PB__QUEUE_VIEW__INIT;
    CLEANUP(buf_done) struct buf text = buf_init(TEXT_MAX);
    struct json_writer w              = json_writer_init(&text);
    run.created_us                    = NOW_S * second_us;
    queue.oldest_us                   = NOW_S * second_us;
    json_begin_array(&w);
    view_run(&w, &run, (NOW_S - 1) * second_us);
    view_queue(&w, &queue, (NOW_S - 1) * second_us);
    json_end_array(&w);
    (void)text_of(&text);
    assert_non_null(strstr(text.ptr, "\"elapsed_seconds\":0"));
    assert_non_null(strstr(text.ptr, "\"oldest_age_seconds\":0"));
}

static void words_of_a_newer_release_are_unknown(void **)
{
    assert_string_equal(run_status_name((Pb__RunStatus)99), "unknown");
    assert_string_equal(approval_status_name((Pb__ApprovalStatus)-1), "unknown");
}

static void statuses_read_back(void **)
{
    for (int i = PB__RUN_STATUS__RUN_STATUS_DRAFT; i <= PB__RUN_STATUS__RUN_STATUS_TERMINATED;
         i++) {
        Pb__RunStatus found = 0;
        assert_true(run_status_parse(str_from(run_status_name((Pb__RunStatus)i)), &found));
        assert_int_equal(found, i);
        assert_int_equal(run_status_is_final(found), i >= PB__RUN_STATUS__RUN_STATUS_COMPLETED);
    }
    for (int i = PB__APPROVAL_STATUS__APPROVAL_STATUS_PENDING;
         i <= PB__APPROVAL_STATUS__APPROVAL_STATUS_CANCELLED; i++) {
        Pb__ApprovalStatus found = 0;
        assert_true(
            approval_status_parse(str_from(approval_status_name((Pb__ApprovalStatus)i)), &found));
        assert_int_equal(found, i);
    }
    Pb__RunStatus run           = 0;
    Pb__ApprovalStatus approval = 0;
    assert_false(run_status_parse(str_from(""), &run));
    assert_false(run_status_parse(str_from("unspecified"), &run));
    assert_false(run_status_parse(str_from("Running"), &run));
    assert_false(approval_status_parse(str_from("done"), &approval));
}

static void a_finding_names_its_place_only_if_it_has_one(void **)
{
    Pb__Finding finding               = PB__FINDING__INIT;
    CLEANUP(buf_done) struct buf text = buf_init(TEXT_MAX);
    struct json_writer w              = json_writer_init(&text);
    finding.pointer                   = "/do/0";
    finding.detail                    = "no";
    json_begin_array(&w);
    view_finding(&w, &finding);
    finding.line   = 3;
    finding.column = 5;
    finding.hint   = "yes";
    view_finding(&w, &finding);
    json_end_array(&w);
    assert_string_equal(
        text_of(&text),
        "[{\"pointer\":\"/do/0\",\"detail\":\"no\"},{\"pointer\":\"/do/0\",\"line\":3,"
        "\"column\":5,\"detail\":\"no\",\"hint\":\"yes\"}]");
}

static void an_approval_and_a_workflow(void **)
{
    Pb__ApprovalView approval         = PB__APPROVAL_VIEW__INIT;
    Pb__WorkflowView workflow         = PB__WORKFLOW_VIEW__INIT;
    Pb__Finding finding               = PB__FINDING__INIT;
    Pb__Finding *warnings[]           = {&finding};
    const char *approvers[]           = {"key:ann", "team:leads"};
    const char *versions[]            = {"2.0.0", "1.0.0"};
    CLEANUP(buf_done) struct buf text = buf_init(TEXT_MAX);
    struct json_writer w              = json_writer_init(&text);
    approval.approvers                = approvers;
    approval.n_approvers              = 2;
    approval.status                   = PB__APPROVAL_STATUS__APPROVAL_STATUS_PENDING;
    approval.form_json                = bytes_of("{}");
    workflow.versions                 = versions;
    workflow.n_versions               = 2;
    json_begin_array(&w);
    view_approval(&w, &approval);
    view_workflow(&w, &workflow, warnings, 1);
    json_end_array(&w);
    (void)text_of(&text);
    assert_non_null(strstr(text.ptr, "\"approvers\":[\"key:ann\",\"team:leads\"],\"form\":{}"));
    assert_non_null(strstr(text.ptr, "\"status\":\"pending\""));
    assert_null(strstr(text.ptr, "decided_at"));
    assert_non_null(strstr(text.ptr, "\"versions\":[\"2.0.0\",\"1.0.0\"]"));
    assert_non_null(strstr(text.ptr, "\"warnings\":[{"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_that_was_just_made),
        cmocka_unit_test(a_run_with_everything),
        cmocka_unit_test(an_unknown_price_is_null),
        cmocka_unit_test(times_that_go_back_are_no_time),
        cmocka_unit_test(words_of_a_newer_release_are_unknown),
        cmocka_unit_test(statuses_read_back),
        cmocka_unit_test(a_finding_names_its_place_only_if_it_has_one),
        cmocka_unit_test(an_approval_and_a_workflow),
    };
    return cmocka_run_group_tests_name("view", tests, NULL, NULL);
}
