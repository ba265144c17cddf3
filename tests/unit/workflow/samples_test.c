/*
 * Whole definitions: the example that is shipped, the samples of the design, and the workflows of
 * the specification's conformance kit.
 */
#include "findings.h"
#include "workflow/function_catalog.h"

#include <stdio.h>
#include <stdlib.h>

enum { FILE_MAX = 256 << 10 /* bytes */ };

static const char *test_data(void)
{
    const char *root = getenv("TUTTI_TEST_DATA");
    return root && root[0] ? root : NULL;
}

static bool is_skipped(void)
{
    if (test_data()) return false;
    print_message("skipped: TUTTI_TEST_DATA is not set\n");
    return true;
}

static void file_read(const char *path, struct buf *text)
{
    FILE *file = fopen(path, "r");
    if (!file) fail_msg("%s", path);
    char *room = buf_reserve(text, FILE_MAX);
    size_t len = fread(room, 1, FILE_MAX, file);
    assert_true(len > 0 && len < FILE_MAX);
    buf_commit(text, len);
    assert_int_equal(fclose(file), 0);
}

/* What the samples call of adapters. */
static const char *const adapters[] = {
    "browser.render_template",
    "buffer.schedule_post",
    "documents.split",
    "github.close_pull_request",
    "github.comment",
    "github.create_branch",
    "github.create_issue",
    "github.create_or_update_file",
    "github.create_pull_request",
    "github.search_issues",
    "grafana.create_dashboard",
    "memory.get",
    "memory.recall",
    "memory.remember",
    "memory.remember_many",
    "notion.search",
    "s3.put_object",
    "sendgrid.send_email",
    "slack.send_message",
    "web.scrape_batch",
    "web.scrape_page",
};

static const struct function_catalog *catalog_new(void)
{
    CLEANUP(json_unrefp) json list         = json_array_new(ARRAY_LEN(adapters));
    const struct function_catalog *catalog = NULL;
    for (size_t i = 0; i < ARRAY_LEN(adapters); i++) {
        json item = json_object_new(4);
        json_object_put_text(&item, "name", json_text_from(adapters[i]));
        json_object_put_text(&item, "version", json_text_from("1.0.0"));
        json_object_put_text(&item, "queue", json_text_from("tools"));
        json_object_put_text(&item, "effect", json_text_from("read"));
        json_array_push(&list, item);
    }
    assert_int_equal(function_catalog_new(NULL, list, &catalog, NULL), STATUS_OK);
    return catalog;
}

/* A warning that a sample may have: about what has no effect yet. */
static bool is_allowed(const struct diagnostic *finding)
{
    return strstr(finding->detail, "has no effect yet") != NULL;
}

static const struct workflow *workflow_of(const char *name, str text)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(8 << 20);
    struct diagnostics *list                 = diagnostics_new(arena);
    const struct workflow *workflow          = NULL;
    CLEANUP(function_catalog_unrefp)
    const struct function_catalog *catalog = catalog_new();
    const struct workflow_sources sources  = {.catalog = catalog};
    status code = workflow_read_with(text, &sources, list, &workflow, NULL);
    size_t bad  = list->dropped;
    for (size_t i = 0; i < list->count; i++) {
        if (!is_allowed(&list->items[i])) bad++;
    }
    if (bad > 0 || code != STATUS_OK) {
        print_findings(list);
        workflow_unref(workflow);
        fail_msg("%s", name);
    }
    return workflow;
}

static void the_example_reads(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf text = buf_init(FILE_MAX + 1);
    file_read("compose/examples/seo-article.yaml", &text);
    CLEANUP(workflow_unrefp)
    const struct workflow *workflow = workflow_of("seo-article", buf_str(&text));
    assert_string_equal(workflow->name, "seo-article");
    assert_int_equal(workflow->task_count, 6);
    assert_int_equal(workflow->budget.usd_nanos, INT64_C(5'000'000'000));
    assert_int_equal(workflow->timeout.us, INT64_C(1'800'000'000));

    const struct task *write =
        workflow_task_at(workflow, str_from("/do/0/drafts/do/0/draft/try/0/write"));
    assert_non_null(write);
    assert_string_equal(write->call.function, "llm.chat");
    assert_string_equal(write->call.queue, "llm");
    assert_false(write->call.has_default_retry); /* its `try` retries */
    assert_non_null(write->idempotency_key);

    const struct task *draft = &workflow->tasks[write->parent];
    assert_int_equal(draft->try_.retry->retries_max, 3);
    assert_int_equal(draft->try_.retry->attempt_duration.us, INT64_C(120'000'000));
    const struct task *drafts = &workflow->tasks[draft->parent];
    assert_int_equal(drafts->loop.parallel, 4);
    assert_true(drafts->is_output_kept);
    assert_false(write->is_output_kept);
}

static const char *const samples[] = {
    "agent-research", "chat-session", "marketing-campaign", "multi-agent", "project",
    "rag-answer",     "rag-ingest",   "scrape-batch",       "seo-article", "seo-assistants",
};

static void samples_read(const char *folder)
{
    for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
        char path[1024];
        (void)snprintf(path, sizeof path, "%s/%s.yaml", folder, samples[i]);
        CLEANUP(buf_done) struct buf text = buf_init(FILE_MAX + 1);
        file_read(path, &text);
        workflow_unref(workflow_of(samples[i], buf_str(&text)));
    }
}

static void all_samples_read(void **state)
{
    (void)state;
    if (is_skipped()) return;
    char folder[512];
    (void)snprintf(folder, sizeof folder, "%s/samples", test_data());
    samples_read(folder);
}

static void examples_read(void **state)
{
    (void)state;
    samples_read("compose/examples");
}

static void a_guarded_tool_names_who_decides(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf text = buf_init(FILE_MAX + 1);
    file_read("compose/examples/agent-research.yaml", &text);
    CLEANUP(workflow_unrefp)
    const struct workflow *workflow = workflow_of("agent-research", buf_str(&text));
    const struct task *agent =
        workflow_task_at(workflow, str_from("/do/0/investigate/try/0/agent"));
    assert_non_null(agent);
    assert_int_equal(agent->agent.tool_count, 2);
    assert_int_equal(agent->agent.tools[0].approval, TASK_NONE);
    const struct task *asks          = &workflow->tasks[agent->agent.tools[1].approval];
    const struct approval_rule *rule = asks->listen.approval;
    assert_non_null(rule->title);
    assert_non_null(rule->approvers);
    assert_ptr_not_equal(rule->title, rule->approvers);
}

/* --- the conformance kit ------------------------------------------------------------------------
 */

/* Cuts the next line off `*rest`. */
static str line_next(str *rest)
{
    const char *end = memchr(rest->ptr, '\n', rest->len);
    size_t len      = end ? (size_t)(end - rest->ptr) + 1 : rest->len;
    str line        = str_slice(*rest, 0, len);
    *rest           = str_slice(*rest, len, rest->len);
    return line;
}

static bool has(str line, const char *part)
{
    return memmem(line.ptr, line.len, part, strlen(part)) != NULL;
}

/* Reads the workflow of every scenario; the text blocks need no unindenting, since YAML does not
 * mind where its outermost map begins. */
static size_t feature_check(const char *name, str feature)
{
    size_t count = 0;
    while (feature.len > 0) {
        if (!has(line_next(&feature), "a workflow with definition")) continue;
        assert_true(has(line_next(&feature), "\"\"\"yaml"));
        CLEANUP(buf_done) struct buf text = buf_init(FILE_MAX);
        for (str line = line_next(&feature); !has(line, "\"\"\""); line = line_next(&feature)) {
            assert_true(line.len > 0);
            assert_true(buf_put_str(&text, line));
        }
        const struct workflow *workflow = workflow_of(name, buf_str(&text));
        workflow_unref(workflow);
        count++;
    }
    return count;
}

static void the_kit_reads(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t scenarios;
    } features[] = {{"branch", 1}, {"do", 1},    {"emit", 1}, {"flow", 2},
                    {"for", 1},    {"raise", 1}, {"set", 1},  {"switch", 3}};
    if (is_skipped()) return;
    for (size_t i = 0; i < ARRAY_LEN(features); i++) {
        char path[512];
        (void)snprintf(path, sizeof path, "%s/ctk/features/%s.feature", test_data(),
                       features[i].name);
        CLEANUP(buf_done) struct buf text = buf_init(FILE_MAX + 1);
        file_read(path, &text);
        assert_int_equal(feature_check(features[i].name, buf_str(&text)), features[i].scenarios);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_reads), cmocka_unit_test(all_samples_read),
        cmocka_unit_test(examples_read),     cmocka_unit_test(a_guarded_tool_names_who_decides),
        cmocka_unit_test(the_kit_reads),
    };
    return cmocka_run_group_tests_name("workflow samples", tests, NULL, NULL);
}
