/* Documents by URL: functions, catalogs, schemas; what is needed, pinned, refused. */
#include "findings.h"
#include "json/json_text.h"

#include <stdio.h>
#include <stdlib.h>

#define SET      "do: [ { a: { set: { b: 1 } } } ]\n"
#define CATALOG  HEAD "use: { catalogs: { mine: { endpoint: 'https://c.test/x' } } }\n"
#define RESOURCE HEAD SET "input: { schema: { resource: { endpoint: 'https://s.test/a.json' } } }\n"
#define LOG_URL  "https://c.test/x/functions/log/1.0.0/function.yaml"
#define LOG                                                                                        \
    "input:\n  schema:\n    document:\n      type: object\n      required: [ message ]\n"          \
    "      properties: { message: { type: string } }\n"                                            \
    "set: { said: '${ .message }' }\n"

enum { ARENA_MAX = 64 << 20, TEXT_MAX = 1 << 20 };

struct outcome {
    status code;
    struct arena *arena;
    struct diagnostics *list;
    const struct workflow *workflow; /* NULL: refused */
};

static void outcome_done(struct outcome *outcome)
{
    workflow_unref(outcome->workflow);
    arena_free(outcome->arena);
}

static struct outcome read_with(const char *text, const struct document *documents, bool may_need)
{
    struct outcome outcome          = {.arena = arena_new(ARENA_MAX)};
    struct workflow_sources sources = {.documents = documents, .may_need = may_need};
    outcome.list                    = diagnostics_new(outcome.arena);
    while (documents && documents[sources.document_count].url.len > 0) sources.document_count++;
    outcome.code =
        workflow_read_with(str_from(text), &sources, outcome.list, &outcome.workflow, NULL);
    return outcome;
}

static void expect_ok(const struct outcome *outcome)
{
    if (outcome->code == STATUS_OK) return;
    print_findings(outcome->list);
    fail_msg("refused");
}

#define DOCUMENT(address, content)                                                                 \
    {                                                                                              \
        .url = {address, sizeof(address) - 1}, .text = { content, sizeof(content) - 1 }            \
    }

/* --- what is needed -----------------------------------------------------------------------------
 */

static void needs_are_listed_in_their_order(void **)
{
    CLEANUP(outcome_done)
    struct outcome got =
        read_with(CATALOG "input: { schema: { resource: { endpoint: "
                          "'https://s.test/a.json' } } }\n"
                          "do:\n- a: { call: 'log:1.0.0@mine' }\n"
                          "- b: { call: 'https://f.test/f.yaml', with: { a: 1 } }\n"
                          "- c: { call: 'log:1.0.0@mine', with: { b: 1 } }\n",
                  NULL, true);
    expect_ok(&got);
    static const struct {
        const char *url, *pointer;
        uint32_t line;
    } wanted[] = {
        {"https://s.test/a.json", "/input/schema/resource", 3},
        {LOG_URL, "/do/0/a/call", 5},
        {"https://f.test/f.yaml", "/do/1/b/call", 6},
    };
    const struct document_need *need = got.workflow->needs;
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++, need = need->next) {
        assert_non_null(need);
        assert_string_equal(need->url, wanted[i].url);
        assert_string_equal(need->pointer, wanted[i].pointer);
        assert_int_equal(need->line, wanted[i].line);
        assert_null(need->authentication);
    }
    assert_null(need);
    assert_int_equal(got.list->count, 0);
}

static void a_definition_that_is_wrong_asks_for_nothing(void **)
{
    CLEANUP(outcome_done)
    struct outcome got =
        read_with(TASKS "- a: { call: 'https://f.test/f.yaml' }\n- a: { set: 5 }\n", NULL, true);
    assert_int_equal(got.code, STATUS_INVALID_ARGUMENT);
    assert_null(got.workflow);
}

static void credentials_go_with_what_is_needed(void **)
{
    static const struct document documents[] = {
        DOCUMENT("https://c.test/x/functions/a/1/function.yaml",
                 "input: { schema: { resource: { endpoint: ../../../types.json } } }\n"
                 "do: [ { x: { call: 'https://elsewhere.test/f.yaml' } } ]\n"),
        {}};
    CLEANUP(outcome_done)
    struct outcome got =
        read_with(HEAD "use:\n  secrets: [ key ]\n  authentications: { p: { bearer: { token: '${ "
                       "$secrets.key }' } } }\n  catalogs: { mine: { endpoint: { uri: "
                       "'https://c.test/x', authentication: { use: p } } } }\n"
                       "do: [ { a: { call: 'a:1@mine' } } ]\n",
                  documents, true);
    expect_ok(&got);
    /* Its own origin gets the same credentials, any other none. */
    const struct document_need *first = got.workflow->needs;
    assert_string_equal(first->url, "https://c.test/x/types.json");
    assert_non_null(first->authentication);
    assert_string_equal(first->next->url, "https://elsewhere.test/f.yaml");
    assert_null(first->next->authentication);
    assert_null(first->next->next);
    /* What stands in a document is shown where the definition leads to it. */
    assert_string_equal(first->pointer, "/do/0/a/call");
}

/* --- what it becomes ----------------------------------------------------------------------------
 */

static void a_function_is_a_task_with_its_own_schemas(void **)
{
    static const struct document documents[] = {DOCUMENT(LOG_URL, LOG), {}};
    CLEANUP(outcome_done)
    struct outcome got =
        read_with(CATALOG "do: [ { a: { call: 'log:1.0.0@mine', with: { message: hello } } } ]\n",
                  documents, true);
    expect_ok(&got);
    assert_null(got.workflow->needs);
    assert_int_equal(got.workflow->task_count, 2);
    assert_int_equal(got.workflow->tasks[0].kind, TASK_FUNCTION);
    const struct task *body = &got.workflow->tasks[1];
    assert_int_equal(body->kind, TASK_SET);
    assert_string_equal(body->reference, "/do/0/a/call/log");
    assert_non_null(body->input_schema);
}

static void it_reads_back_without_the_document(void **)
{
    static const struct document documents[] = {
        DOCUMENT(LOG_URL, LOG),
        DOCUMENT("https://s.test/a.json", "{\"$ref\": \"b.json#/$defs/n\"}"),
        DOCUMENT("https://s.test/b.json", "{\"$defs\": {\"n\": {\"type\": \"object\"}}}"),
        {}};
    static const char text[] =
        CATALOG "input: { schema: { resource: { name: n, endpoint: 'https://s.test/a.json' } } }\n"
                "do: [ { a: { call: 'log:1.0.0@mine', with: { message: hello } } } ]\n";
    CLEANUP(outcome_done) struct outcome got = read_with(text, documents, true);
    expect_ok(&got);
    assert_null(got.workflow->needs);
    assert_non_null(got.workflow->input_schema);

    CLEANUP(json_unrefp) json stored                      = workflow_source_new(got.workflow);
    CLEANUP(arena_freep) struct arena *arena              = arena_new(ARENA_MAX);
    struct diagnostics *list                              = diagnostics_new(arena);
    CLEANUP(workflow_unrefp) const struct workflow *again = NULL;
    struct error why                                      = {};
    if (workflow_read_stored(json_str(stored), list, &again, &why) != STATUS_OK) {
        print_findings(list);
        fail_msg("%s", why.text);
    }
    assert_memory_equal(again->digest, got.workflow->digest, SHA256_SIZE);
    assert_memory_equal(again->source_digest, got.workflow->source_digest, SHA256_SIZE);
    assert_int_equal(again->task_count, got.workflow->task_count);
    assert_string_equal(again->tasks[1].reference, "/do/0/a/call/log");
    assert_non_null(again->input_schema);
}

static void digests_of(const char *text, const struct document *documents, uint8_t *ret_digests)
{
    CLEANUP(outcome_done) struct outcome got = read_with(text, documents, false);
    expect_ok(&got);
    memcpy(ret_digests, got.workflow->digest, SHA256_SIZE);
    memcpy(ret_digests + SHA256_SIZE, got.workflow->source_digest, SHA256_SIZE);
}

static void other_content_is_another_source(void **)
{
    static const struct document first[] = {DOCUMENT("https://s.test/a.json", "type: object"), {}};
    static const struct document again[] = {
        DOCUMENT("https://s.test/unasked.json", "true"),
        DOCUMENT("https://s.test/a.json", "# a comment\n{ type: object }\n"),
        {}};
    static const struct document changed[] = {DOCUMENT("https://s.test/a.json", "type: [ object ]"),
                                              {}};
    uint8_t digests[3][2 * SHA256_SIZE];
    digests_of(RESOURCE, first, digests[0]);
    digests_of(RESOURCE, again, digests[1]);
    digests_of(RESOURCE, changed, digests[2]);
    assert_memory_equal(digests[0], digests[1], 2 * SHA256_SIZE);
    assert_memory_not_equal(digests[0], digests[2], SHA256_SIZE);
    assert_memory_not_equal(digests[0] + SHA256_SIZE, digests[2] + SHA256_SIZE, SHA256_SIZE);
}

static void functions_call_functions_of_documents(void **)
{
    static const struct document documents[] = {
        DOCUMENT(
            "https://c.test/x/functions/a/1/function.yaml",
            "do:\n- x: { call: ../../b/1/function.yaml, with: { n: 1 } }\n"
            "- y: { call: 'b:1@mine' }\n- z: { call: llm.chat, with: { model: m, prompt: p } }\n"),
        DOCUMENT("https://c.test/x/functions/b/1/function.yaml", "set: { n: '${ .n }' }\n"),
        {}};
    CLEANUP(outcome_done)
    struct outcome got =
        read_with(CATALOG "do: [ { a: { call: 'a:1@mine' } } ]\n", documents, true);
    expect_ok(&got);
    assert_null(got.workflow->needs);
    assert_int_equal(got.workflow->task_count, 7);
    assert_non_null(workflow_task_at(got.workflow, str_from("/do/0/a/call/a/do/0/x/call/b")));
    assert_non_null(workflow_task_at(got.workflow, str_from("/do/0/a/call/a/do/1/y/call/b")));
}

static void a_catalog_called_default_replaces_ours(void **)
{
    static const struct document documents[] = {
        DOCUMENT("https://c.test/functions/llm.chat/9/function.yaml", "set: { a: 1 }"), {}};
    CLEANUP(outcome_done)
    struct outcome got = read_with(
        HEAD "use: { catalogs: { default: { endpoint: 'https://c.test' } } }\n"
             "do: [ { a: { call: 'llm.chat:9' } }, { b: { call: 'llm.chat:9@default' } }, { c: "
             "{ call: http, with: { method: GET, endpoint: 'https://x.test' } } } ]\n",
        documents, true);
    expect_ok(&got);
    assert_int_equal(got.workflow->tasks[0].kind, TASK_FUNCTION);
    assert_int_equal(got.workflow->tasks[4].kind, TASK_CALL);
    assert_int_equal(got.list->count, 1);
    assert_string_equal(got.list->items[0].code, "V43");
    assert_non_null(strstr(got.list->items[0].detail, "replaces the catalog of this server"));
}

/* --- what is refused ----------------------------------------------------------------------------
 */

#define ONE(address, content)                                                                      \
    {                                                                                              \
        DOCUMENT(address, content)                                                                 \
    }
#define FAILED(address, why)                                                                       \
    {                                                                                              \
        {                                                                                          \
            .url = {(address), sizeof(address) - 1}, .failure = (why)                              \
        }                                                                                          \
    }

static const struct {
    struct finding_row row;
    struct document documents[4];
} refused[] = {
    {{"nobody fetches", TASKS "- a: { call: 'https://x.test/f.yaml' }\n", "V14", 3, 14,
      "`https://x.test/f.yaml` is not at hand", "a server reads it"},
     {}},
    {{"another scheme", TASKS "- a: { call: 'ftp://x.test/f.yaml' }\n", "V14", 3, 14,
      "no address that a document can be read from", "https://"},
     {}},
    {{"credentials in the address", TASKS "- a: { call: 'https://u:p@x.test/f.yaml' }\n", "V14", 3,
      14, "holds no credentials", "basic"},
     {}},
    {{"a relative address", TASKS "- a: { call: './f.yaml' }\n", "V14", 3, 14,
      "`./f.yaml` is relative", "the whole address of the function"},
     {}},
    {{"a relative resource", HEAD SET "input: { schema: { resource: { endpoint: a.json } } }\n",
      "V14", 3, 30, "is relative", "the whole address of the schema"},
     {}},
    {{"a computed endpoint", HEAD SET "input: { schema: { resource: { endpoint: '${ .x }' } } }\n",
      "V06", 3, 42, "nothing can be computed", "https://"},
     {}},
    {{"a template as endpoint",
      HEAD SET "input: { schema: { resource: { endpoint: 'https://x.test/{a}' } } }\n", "V06", 3,
      42, "nothing can be computed", "https://"},
     {}},
    {{"credentials from the input",
      HEAD SET
      "input: { schema: { resource: { endpoint: { uri: 'https://x.test', authentication: { "
      "bearer: { token: '${ $input.x }' } } } } } }\n",
      "V21", 3, 106, "`$input` is not available", "`.`"},
     ONE("https://x.test", "{}")},
    {{"a part of a resource",
      HEAD SET "input: { schema: { resource: { endpoint: 'https://x.test/a#/b' } } }\n", "V06", 3,
      30, "without `#", "$ref"},
     {}},
    {{"document and resource",
      HEAD SET "input: { schema: { document: {}, resource: { endpoint: 'https://s.test/a.json' } } "
               "}\n",
      "V06", 3, 18, "not both", ""},
     ONE("https://s.test/a.json", "{}")},
    {{"what could not be read", RESOURCE, "V14", 3, 30, "cannot be read: it answered 404", ""},
     FAILED("https://s.test/a.json", "it answered 404")},
    {{"what the catalog does not have", CATALOG "do: [ { a: { call: 'lgo:1.0.0@mine' } } ]\n",
      "V14", 3, 20, "the catalog `mine` does not give the function `lgo:1.0.0`", "folders"},
     FAILED("https://c.test/x/functions/lgo/1.0.0/function.yaml", "it answered 404")},
    {{"what is nearly another's", CATALOG "do: [ { a: { call: 'llm.chta:1@mine' } } ]\n", "V14", 3,
      20, "does not give", "did you mean `llm.chat`?"},
     FAILED("https://c.test/x/functions/llm.chta/1/function.yaml", "it answered 404")},
    {{"no version", CATALOG "do: [ { a: { call: 'log@mine' } } ]\n", "V14", 3, 20,
      "needs its version", "`log:1.0.0@mine`"},
     {}},
    {{"a name that leads elsewhere", CATALOG "do: [ { a: { call: 'a/../b:1@mine' } } ]\n", "V14", 3,
      20, "letters, digits", ""},
     {}},
    {{"a version that leads elsewhere", CATALOG "do: [ { a: { call: 'log:..@mine' } } ]\n", "V14",
      3, 20, "letters, digits", ""},
     {}},
    {{"an unknown catalog", CATALOG "do: [ { a: { call: 'log:1@mien' } } ]\n", "V13", 3, 20,
      "no catalog `mien` in `use.catalogs`", "did you mean `mine`?"},
     {}},
    {{"a catalog without endpoint", HEAD SET "use: { catalogs: { c: {} } }\n", "V06", 3, 23,
      "needs `endpoint`", "endpoint"},
     {}},
    {{"an unknown key of a catalog",
      HEAD SET "use: { catalogs: { c: { uri: 'https://x.test' } } }\n", "V04", 3, 25, "`uri`",
      "`endpoint`"},
     {}},
    {{"a catalog nobody uses", CATALOG SET, "V43 w", 2, 20, "nobody uses the catalog `mine`",
      "remove it"},
     {}},
    {{"arguments against its schema",
      CATALOG "do: [ { a: { call: 'log:1.0.0@mine', with: { message: 5 } } } ]\n", "V14", 3, 55,
      "`log`: `message`", ""},
     ONE(LOG_URL, LOG)},
    {{"arguments that are missing", CATALOG "do: [ { a: { call: 'log:1.0.0@mine' } } ]\n", "V14", 3,
      12, "`log`: `with`", ""},
     ONE(LOG_URL, LOG)},
    {{"a finding in a document", CATALOG "do: [ { a: { call: 'log:1.0.0@mine' } } ]\n", "V07", 3,
      20, LOG_URL ":2:7: unknown key", "minutes"},
     ONE(LOG_URL, "# one\nwait: { minute: 5 }\n")},
    {{"a document that is no YAML", CATALOG "do: [ { a: { call: 'log:1.0.0@mine' } } ]\n", "V01", 3,
      20, LOG_URL ":2:7: ", "quotes"},
     ONE(LOG_URL, "set:\n  a: b: c\n")},
    {{"a page of a browser", CATALOG "do: [ { a: { call: 'log:1.0.0@mine' } } ]\n", "V05", 3, 20,
      LOG_URL ":1:1: a task is a map", "further in"},
     ONE(LOG_URL, "<!DOCTYPE html><html></html>")},
    {{"nothing", RESOURCE, "V06", 3, 30, "a schema is a map", ""},
     ONE("https://s.test/a.json", "")},
    {{"a schema that is wrong", RESOURCE, "V06", 3, 30, "https://s.test/a.json:2:", ""},
     ONE("https://s.test/a.json", "title: x\ntype: objekt\n")},
    {{"a schema that refers to nothing", RESOURCE, "V06", 3, 30, "names nothing that is here", ""},
     ONE("https://s.test/a.json", "$ref: '#/$defs/none'\n")},
    {{"a schema that refers to what cannot be read", RESOURCE, "V14", 3, 30,
      "https://s.test/a.json:1:1: `https://s.test/b.json` cannot be read", ""},
     {DOCUMENT("https://s.test/a.json", "$ref: b.json\n"),
      {.url = {"https://s.test/b.json", 21}, .failure = "it took too long"}}},
    {{"a function that calls itself", CATALOG "do: [ { a: { call: 'log:1.0.0@mine' } } ]\n", "V14",
      3, 20, "`log` would call itself without end", "`for`"},
     ONE(LOG_URL, "do: [ { again: { call: 'log:1.0.0@mine' } } ]")},
    {{"functions in a circle", TASKS "- a: { call: 'https://x.test/a.yaml' }\n", "V14", 3, 14,
      "https://x.test/b.yaml:1:24: `a` would call itself", "`for`"},
     {DOCUMENT("https://x.test/a.yaml", "do: [ { b: { call: './b.yaml' } } ]"),
      DOCUMENT("https://x.test/b.yaml", "do: [ { again: { call: ./a.yaml } } ]")}},
    {{"an alias bomb", CATALOG "do: [ { a: { call: 'log:1.0.0@mine' } } ]\n", "V01", 3, 20,
      LOG_URL ":5:29: more than 100,000 nodes", "split"},
     ONE(LOG_URL, "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
                  "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d "
                  "[*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: "
                  "[*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n")},
};

static void refuses(void **state)
{
    size_t i                      = (size_t)(uintptr_t)*state;
    const struct finding_row *row = &refused[i].row;
    CLEANUP(outcome_done)
    struct outcome got = read_with(row->text, refused[i].documents, false);
    if (got.list->count != 1 || !finding_is(&got.list->items[0], row)) {
        print_error("wanted %u:%u %s %s fix: %s\n", row->line, row->column, row->code, row->detail,
                    row->hint);
        print_findings(got.list);
        fail_msg("%s", row->name);
    }
    assert_int_equal(got.code, is_warning(row) ? STATUS_OK : STATUS_INVALID_ARGUMENT);
}

/* --- limits -------------------------------------------------------------------------------------
 */

/* `count` functions, each of which calls the next one. */
static struct outcome read_chain(unsigned count)
{
    struct document *documents = calloc(count + 1, sizeof *documents);
    char(*urls)[64]            = calloc(count, sizeof *urls);
    char(*texts)[64]           = calloc(count, sizeof *texts);
    for (unsigned i = 0; i < count; i++) {
        (void)snprintf(urls[i], sizeof urls[i], "https://x.test/%u.yaml", i);
        (void)snprintf(texts[i], sizeof texts[i],
                       i + 1 < count ? "do: [ { a: { call: ./%u.yaml } } ]" : "set: { n: %u }",
                       i + 1);
        documents[i] = (struct document){.url = str_from(urls[i]), .text = str_from(texts[i])};
    }
    struct outcome outcome =
        read_with(TASKS "- a: { call: 'https://x.test/0.yaml' }\n", documents, false);
    free(texts);
    free(urls);
    free(documents);
    return outcome;
}

static void documents_lead_to_others_so_far(void **)
{
    CLEANUP(outcome_done) struct outcome deepest = read_chain(DOCUMENT_DEPTH_MAX);
    expect_ok(&deepest);
    CLEANUP(outcome_done) struct outcome deeper = read_chain(DOCUMENT_DEPTH_MAX + 1);
    assert_int_equal(deeper.list->count, 1);
    assert_string_equal(deeper.list->items[0].code, "V01");
    assert_non_null(strstr(deeper.list->items[0].detail, "more than 8 deep"));
}

/* `count` calls of as many documents. */
static struct outcome read_many(unsigned count)
{
    CLEANUP(buf_done) struct buf text = buf_init(TEXT_MAX);
    (void)buf_put_text(&text, TASKS);
    for (unsigned i = 0; i < count; i++) {
        (void)buf_printf(&text, "- a%u: { call: 'https://x.test/%u.yaml' }\n", i, i);
    }
    return read_with(text.ptr, NULL, true);
}

static void so_many_documents(void **)
{
    CLEANUP(outcome_done) struct outcome most = read_many(DOCUMENTS_MAX);
    expect_ok(&most);
    CLEANUP(outcome_done) struct outcome more = read_many(DOCUMENTS_MAX + 1);
    assert_int_equal(more.code, STATUS_INVALID_ARGUMENT);
    assert_string_equal(more.list->items[0].code, "V01");
    assert_non_null(strstr(more.list->items[0].detail, "at most 64 documents"));
}

/* Each is small enough; together, with their aliases expanded, they are not. */
static void so_much_of_them(void **)
{
    enum { COUNT = 8, LONG = 60'000, COPIES = 10 };
    CLEANUP(buf_done) struct buf big     = buf_init(TEXT_MAX);
    CLEANUP(buf_done) struct buf text    = buf_init(TEXT_MAX);
    struct document documents[COUNT + 1] = {};
    char urls[COUNT][64];
    (void)buf_put_text(&big, "a: &a \"");
    for (unsigned i = 0; i < LONG; i++) (void)buf_put_byte(&big, 'x');
    (void)buf_put_text(&big, "\"\nset: [ ");
    for (unsigned i = 0; i < COPIES; i++) (void)buf_put_text(&big, "*a, ");
    (void)buf_put_text(&big, "1 ]\n");
    (void)buf_put_text(&text, TASKS);
    for (unsigned i = 0; i < COUNT; i++) {
        (void)snprintf(urls[i], sizeof urls[i], "https://x.test/%u.yaml", i);
        documents[i] = (struct document){.url = str_from(urls[i]), .text = buf_str(&big)};
        (void)buf_printf(&text, "- a%u: { call: '%s' }\n", i, urls[i]);
    }
    CLEANUP(outcome_done) struct outcome got = read_with(text.ptr, documents, false);
    bool is_said                             = false;
    for (size_t i = 0; i < got.list->count; i++) {
        const struct diagnostic *f = &got.list->items[i];
        is_said = is_said || (strcmp(f->code, "V01") == 0 && strstr(f->detail, "with the others"));
    }
    assert_true(is_said);
}

int main(void)
{
    static const struct CMUnitTest others[] = {
        cmocka_unit_test(needs_are_listed_in_their_order),
        cmocka_unit_test(a_definition_that_is_wrong_asks_for_nothing),
        cmocka_unit_test(credentials_go_with_what_is_needed),
        cmocka_unit_test(a_function_is_a_task_with_its_own_schemas),
        cmocka_unit_test(it_reads_back_without_the_document),
        cmocka_unit_test(other_content_is_another_source),
        cmocka_unit_test(functions_call_functions_of_documents),
        cmocka_unit_test(a_catalog_called_default_replaces_ours),
        cmocka_unit_test(documents_lead_to_others_so_far),
        cmocka_unit_test(so_many_documents),
        cmocka_unit_test(so_much_of_them),
    };
    struct CMUnitTest tests[ARRAY_LEN(refused)];
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        tests[i] = (struct CMUnitTest){.name          = refused[i].row.name,
                                       .test_func     = refuses,
                                       .initial_state = (void *)(uintptr_t)i};
    }
    int failed = cmocka_run_group_tests(others, NULL, NULL);
    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
