/* Descriptions of functions, catalogs of them, and what a definition makes of one. */
#include "findings.h"
#include "workflow/function_catalog.h"
#include "json/json_text.h"

#include <stdio.h>

#define SEND(version)                                                                              \
    "{\"name\": \"slack.send_message\", \"version\": \"" version "\", \"queue\": \"tools\","       \
    " \"effect\": \"send\", \"idempotency\": \"none\","                                            \
    " \"compensation\": {\"summary\": \"Deletes it\"},"                                            \
    " \"input_schema\": {\"type\": \"object\", \"additionalProperties\": false,"                   \
    "   \"required\": [\"channel\"], \"properties\": {\"channel\": {\"type\": \"string\"},"        \
    "   \"count\": {\"type\": \"integer\"}}},"                                                     \
    " \"output_schema\": {\"type\": \"object\"}}"
#define GET                                                                                        \
    "{\"name\": \"slack.get\", \"version\": \"0.3.0\", \"queue\": \"tools\", \"effect\": "         \
    "\"read\"}"

static json parsed(const char *text)
{
    json value       = json_invalid();
    struct error why = {};
    if (json_parse(str_from(text), NULL, &value, NULL, &why) != STATUS_OK) fail_msg("%s", why.text);
    return value;
}

static const struct function_catalog *catalog_of(const char *text)
{
    CLEANUP(json_unrefp) json list         = parsed(text);
    const struct function_catalog *catalog = NULL;
    struct error why                       = {};
    if (function_catalog_new(NULL, list, &catalog, &why) != STATUS_OK) fail_msg("%s", why.text);
    return catalog;
}

/* --- descriptions -------------------------------------------------------------------------------
 */

struct refused_row {
    const char *name;
    const char *text;
    const char *why; /* a part of it */
};

static const struct refused_row refused[] = {
    {"no map", "[]", "is a map"},
    {"no name", "{\"version\": \"1.0.0\", \"queue\": \"tools\", \"effect\": \"read\"}", "name"},
    {"a name of one part",
     "{\"name\": \"http\", \"version\": \"1.0.0\", \"queue\": \"t\", \"effect\": \"read\"}",
     "family.function"},
    {"a name in upper case",
     "{\"name\": \"a.sendIt\", \"version\": \"1.0.0\", \"queue\": \"t\", \"effect\": \"read\"}",
     "family.function"},
    {"a users' own",
     "{\"name\": \"worker.x\", \"version\": \"1.0.0\", \"queue\": \"t\", \"effect\": \"read\"}",
     "own workers"},
    {"two numbers",
     "{\"name\": \"a.b\", \"version\": \"1.0\", \"queue\": \"t\", \"effect\": \"read\"}",
     "three numbers"},
    {"a pre-release",
     "{\"name\": \"a.b\", \"version\": \"1.0.0-rc.1\", \"queue\": \"t\", \"effect\": \"read\"}",
     "three numbers"},
    {"no queue", "{\"name\": \"a.b\", \"version\": \"1.0.0\", \"effect\": \"read\"}", "queue"},
    {"no effect", "{\"name\": \"a.b\", \"version\": \"1.0.0\", \"queue\": \"t\"}", "effect"},
    {"another effect",
     "{\"name\": \"a.b\", \"version\": \"1.0.0\", \"queue\": \"t\", \"effect\": \"write\"}",
     "effect"},
    {"a write without idempotency",
     "{\"name\": \"a.b\", \"version\": \"1.0.0\", \"queue\": \"t\", \"effect\": \"send\"}",
     "idempotency"},
    {"a bad schema",
     "{\"name\": \"a.b\", \"version\": \"1.0.0\", \"queue\": \"t\", \"effect\": \"read\","
     " \"input_schema\": {\"type\": \"text\"}}",
     "input_schema"},
    {"an unknown member",
     "{\"name\": \"a.b\", \"version\": \"1.0.0\", \"queue\": \"t\", \"effect\": \"read\","
     " \"outputs\": {}}",
     "`outputs`"},
    {"another catalog",
     "{\"name\": \"a.b\", \"version\": \"1.0.0\", \"queue\": \"t\", \"effect\": \"read\","
     " \"catalog\": \"mine\"}",
     "catalog"},
    {"a compensation that is a text",
     "{\"name\": \"a.b\", \"version\": \"1.0.0\", \"queue\": \"t\", \"effect\": \"read\","
     " \"compensation\": \"x\"}",
     "compensation"},
    {"an alias of what is no name",
     "{\"name\": \"a.b\", \"version\": \"1.0.0\", \"queue\": \"t\", \"effect\": \"read\","
     " \"alias_of\": \"c\"}",
     "alias_of"},
    {"streaming as a text",
     "{\"name\": \"a.b\", \"version\": \"1.0.0\", \"queue\": \"t\", \"effect\": \"read\","
     " \"streaming\": \"yes\"}",
     "streaming"},
};

static void check_refused(void **state)
{
    const struct refused_row *row           = *state;
    CLEANUP(json_unrefp) json source        = parsed(row->text);
    struct function_description description = {};
    struct error why                        = {};
    assert_int_equal(function_description_read(source, &description, &why),
                     STATUS_INVALID_ARGUMENT);
    if (!strstr(why.text, row->why)) fail_msg("%s", why.text);
    assert_null(description.name);
}

static void a_description_reads(void **)
{
    CLEANUP(json_unrefp) json source        = parsed(SEND("1.2.0"));
    struct function_description description = {};
    assert_int_equal(function_description_read(source, &description, NULL), STATUS_OK);
    assert_string_equal(description.name, "slack.send_message");
    assert_string_equal(description.queue, "tools");
    assert_string_equal(effect_name(description.effect), "send");
    assert_string_equal(idempotency_name(description.idempotency), "none");
    assert_true(json_is(description.compensation, JSON_OBJECT));
    assert_false(description.is_streaming);

    CLEANUP(json_unrefp) json other      = parsed(SEND("1.2.0"));
    struct function_description the_same = {};
    assert_int_equal(function_description_read(other, &the_same, NULL), STATUS_OK);
    assert_true(function_contract_equal(&description, &the_same));
    the_same.summary = "Other words";
    assert_true(function_contract_equal(&description, &the_same));
    the_same.output_schema = json_invalid();
    assert_false(function_contract_equal(&description, &the_same));
}

static void selectors(void **)
{
    static const struct {
        const char *text, *name, *version, *catalog;
    } good[] = {
        {"a.b", "a.b", "", ""},
        {"a.b:1", "a.b", "1", ""},
        {"a.b:1.2.0@default", "a.b", "1.2.0", "default"},
        {"a.b@mine", "a.b", "", "mine"},
    };
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        struct function_selector selector = {};
        assert_true(function_selector_read(str_from(good[i].text), &selector));
        assert_true(str_is(selector.name, good[i].name));
        assert_true(str_equal(selector.version, str_from(good[i].version)));
        assert_true(str_equal(selector.catalog, str_from(good[i].catalog)));
    }
    static const char *const bad[] = {"", ":1", "a.b:", "a.b@", "@x", "a.b:@x"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct function_selector selector = {};
        assert_false(function_selector_read(str_from(bad[i]), &selector));
    }
    assert_true(function_version_matches(str_from("1.12.0"), str_from("1")));
    assert_false(function_version_matches(str_from("12.0.0"), str_from("1")));
    assert_false(function_version_matches(str_from("1.12.0"), str_from("1.1")));
}

/* --- catalogs -----------------------------------------------------------------------------------
 */

static void the_newest_match_is_found(void **)
{
    CLEANUP(function_catalog_unrefp)
    const struct function_catalog *catalog =
        catalog_of("[" SEND("1.2.0") "," GET "," SEND("1.10.0") "," SEND("2.0.0") "]");
    static const struct {
        const char *version, *found;
    } rows[] = {{"", "2.0.0"},      {"1", "1.10.0"}, {"1.2", "1.2.0"},
                {"1.2.0", "1.2.0"}, {"3", NULL},     {"1.1", NULL}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct function_description *found = function_catalog_find(
            catalog, str_from("slack.send_message"), str_from(rows[i].version));
        if (!rows[i].found) {
            assert_null(found);
        } else {
            assert_string_equal(found->version, rows[i].found);
        }
    }
    assert_null(function_catalog_find(catalog, str_from("slack.send"), (str){}));
    assert_null(function_catalog_find(NULL, str_from("slack.send"), (str){}));
    assert_int_equal(function_catalog_count(catalog), 4);
    assert_string_equal(function_catalog_at(catalog, 0)->name, "slack.get");
    assert_null(function_catalog_at(catalog, 4));
}

static void a_catalog_grows_out_of_another(void **)
{
    CLEANUP(function_catalog_unrefp)
    const struct function_catalog *old = catalog_of("[" SEND("1.2.0") "," GET "]");
    CLEANUP(json_unrefp)
    json more = parsed("[{\"name\": \"slack.get\", \"version\": \"0.3.0\", \"queue\": \"tools\","
                       " \"effect\": \"read\", \"summary\": \"New\"}]");
    CLEANUP(function_catalog_unrefp) const struct function_catalog *both = NULL;
    assert_int_equal(function_catalog_new(old, more, &both, NULL), STATUS_OK);
    assert_int_equal(function_catalog_count(both), 2);
    assert_string_equal(function_catalog_at(both, 0)->summary, "New");
    assert_string_equal(function_catalog_at(old, 0)->summary, "");
}

static void a_catalog_says_which_entry_is_at_fault(void **)
{
    CLEANUP(json_unrefp) json list         = parsed("[" GET ", {}]");
    CLEANUP(json_unrefp) json twice        = parsed("[" GET "," GET "]");
    const struct function_catalog *catalog = NULL;
    struct error why                       = {};
    assert_int_equal(function_catalog_new(NULL, list, &catalog, &why), STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(why.text, "[1]"));
    assert_int_equal(function_catalog_new(NULL, twice, &catalog, &why), STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(why.text, "slack.get:0.3.0"));
    assert_int_equal(function_catalog_new(NULL, json_null(), &catalog, &why),
                     STATUS_INVALID_ARGUMENT);
    assert_null(catalog);
}

static void too_many_are_refused(void **)
{
    CLEANUP(json_unrefp) json list = json_array_new(FUNCTIONS_MAX + 1);
    for (size_t i = 0; i <= FUNCTIONS_MAX; i++) json_array_push(&list, json_null());
    const struct function_catalog *catalog = NULL;
    assert_int_equal(function_catalog_new(NULL, list, &catalog, NULL), STATUS_RESOURCE_EXHAUSTED);
}

static void what_is_built_in_is_described(void **)
{
    CLEANUP(json_unrefp) json list = function_builtin_new();
    CLEANUP(function_catalog_unrefp) const struct function_catalog *catalog = NULL;
    assert_int_equal(function_catalog_new(NULL, list, &catalog, NULL), STATUS_OK);
    const struct function_description *chat =
        function_catalog_find(catalog, str_from("llm.chat"), str_from("1"));
    assert_non_null(chat);
    assert_true(json_is(chat->input_schema, JSON_OBJECT));
    assert_true(function_is_builtin(str_from("llm.chat")));
    assert_false(function_is_builtin(str_from("http")));
    assert_false(function_is_builtin(str_from("slack.get")));
}

/* --- definitions --------------------------------------------------------------------------------
 */

static status read_with(const struct function_catalog *catalog, const char *text,
                        struct diagnostics *list, const struct workflow **ret_workflow)
{
    const struct workflow_sources sources = {.catalog = catalog};
    return workflow_read_with(str_from(text), &sources, list, ret_workflow, NULL);
}

static const struct finding_row findings[] = {
    {"unknown function", TASKS "- a: { call: slack.send_mesage, with: { channel: c } }\n", "V14", 3,
     14, "there is no function `slack.send_mesage`", "slack.send_message"},
    {"unknown version", TASKS "- a: { call: slack.send_message:3, with: { channel: c } }\n", "V14",
     3, 14, "no version `3` of `slack.send_message`", "`slack.send_message:2`"},
    {"unknown catalog", TASKS "- a: { call: slack.get@mine }\n", "V13", 3, 14, "catalog `mine`",
     "declare it"},
    {"no function at all", TASKS "- a: { call: 'slack.get:' }\n", "V14", 3, 14, "names no function",
     "name:version@catalog"},
    {"a missing argument", TASKS "- a: { call: slack.send_message, with: { count: 1 } }\n", "V14",
     3, 40, "channel", ""},
    {"a missing `with`", TASKS "- a: { call: slack.send_message }\n", "V14", 3, 6, "channel", ""},
    {"an unknown argument",
     TASKS "- a: { call: slack.send_message, with: { chanel: c, channel: d } }\n", "V14", 3, 42,
     "`chanel` is not an argument of `slack.send_message`", "channel"},
    {"an argument of the wrong type",
     TASKS "- a: { call: slack.send_message, with: { channel: c, count: x } }\n", "V14", 3, 61,
     "`count`", ""},
};

static void check_finding_with_catalog(void **state)
{
    const struct finding_row *row            = *state;
    CLEANUP(arena_freep) struct arena *arena = arena_new(8 << 20);
    struct diagnostics *list                 = diagnostics_new(arena);
    CLEANUP(function_catalog_unrefp)
    const struct function_catalog *catalog =
        catalog_of("[" SEND("1.2.0") "," SEND("2.0.0") "," GET "]");
    CLEANUP(workflow_unrefp) const struct workflow *workflow = NULL;
    assert_int_equal(read_with(catalog, row->text, list, &workflow), STATUS_INVALID_ARGUMENT);
    if (list->count != 1 || !finding_is(&list->items[0], row)) {
        print_findings(list);
        fail_msg("%s", row->name);
    }
}

static void a_function_is_pinned(void **)
{
    static const char text[] =
        TASKS "- a: { call: slack.send_message:1, with: { channel: '${ .c }', count: '${ 1 }' } }\n"
              "- b: { call: slack.get }\n"
              "- c: { call: slack.send_message:1, with: { channel: d } }\n";
    CLEANUP(arena_freep) struct arena *arena = arena_new(8 << 20);
    struct diagnostics *list                 = diagnostics_new(arena);
    CLEANUP(function_catalog_unrefp)
    const struct function_catalog *old = catalog_of("[" SEND("1.2.0") "," GET "]");
    CLEANUP(function_catalog_unrefp)
    const struct function_catalog *new                  = catalog_of("[" SEND("1.3.0") "," GET "]");
    CLEANUP(workflow_unrefp) const struct workflow *one = NULL;
    CLEANUP(workflow_unrefp) const struct workflow *other = NULL;
    assert_int_equal(read_with(old, text, list, &one), STATUS_OK);
    assert_int_equal(read_with(new, text, list, &other), STATUS_OK);
    assert_int_equal(list->count, 0);

    const struct call_body *call = &one->tasks[0].call;
    assert_string_equal(call->function, "slack.send_message");
    assert_string_equal(call->queue, "tools");
    assert_string_equal(call->description->version, "1.2.0");
    assert_true(call->has_default_retry);
    assert_non_null(call->input_schema);
    assert_non_null(call->output_schema);
    assert_null(one->tasks[1].call.input_schema);
    assert_ptr_equal(one->tasks[2].call.description, call->description);
    assert_memory_equal(one->source_digest, other->source_digest, SHA256_SIZE);
    assert_memory_not_equal(one->digest, other->digest, SHA256_SIZE);

    /* What is stored needs no catalog, and says the same again. */
    CLEANUP(json_unrefp) json stored                      = workflow_source_new(one);
    CLEANUP(workflow_unrefp) const struct workflow *again = NULL;
    assert_int_equal(workflow_read_stored(json_str(stored), list, &again, NULL), STATUS_OK);
    assert_string_equal(again->tasks[0].call.description->version, "1.2.0");
    assert_memory_equal(again->digest, one->digest, SHA256_SIZE);
    assert_memory_equal(again->source_digest, one->source_digest, SHA256_SIZE);
    CLEANUP(json_unrefp) json same = workflow_source_new(again);
    assert_true(json_equal(same, stored));

    CLEANUP(json_unrefp) json value = parsed(json_str(stored).ptr);
    assert_true(json_equal(workflow_definition_of(value), one->document));
}

static void another_name_is_called_and_said_to_be_one(void **)
{
    static const char text[] = TASKS "- a: { call: slack.fetch }\n- b: { call: slack.fetch }\n";
    CLEANUP(arena_freep) struct arena *arena = arena_new(8 << 20);
    struct diagnostics *list                 = diagnostics_new(arena);
    CLEANUP(function_catalog_unrefp)
    const struct function_catalog *catalog =
        catalog_of("[" GET ", {\"name\": \"slack.fetch\", \"version\": \"0.3.0\", \"queue\": "
                   "\"tools\", \"effect\": \"read\", \"alias_of\": \"slack.get\"}]");
    CLEANUP(workflow_unrefp) const struct workflow *workflow = NULL;
    assert_int_equal(read_with(catalog, text, list, &workflow), STATUS_OK);
    assert_string_equal(workflow->tasks[0].call.function, "slack.fetch");
    assert_int_equal(list->count, 1); /* once is enough */
    assert_int_equal(list->items[0].severity, SEVERITY_WARNING);
    assert_string_equal(list->items[0].detail, "`slack.fetch` is another name of `slack.get`");
    assert_string_equal(list->items[0].hint, "write `slack.get`");
}

static void pins_come_from_the_store_alone(void **)
{
    static const char text[] =
        "definition: { document: { dsl: '1.0.3', namespace: n, name: w, version: '1.0.0' },"
        " do: [ a: { call: slack.get } ] }\n"
        "pins: { slack.get: { name: slack.get, version: 1.0.0, queue: llm, effect: read } }\n";
    CLEANUP(arena_freep) struct arena *arena = arena_new(8 << 20);
    struct diagnostics *list                 = diagnostics_new(arena);
    const struct workflow *workflow          = NULL;
    assert_int_equal(workflow_read(str_from(text), list, &workflow, NULL), STATUS_INVALID_ARGUMENT);
}

static void a_plain_definition_is_stored_as_it_is(void **)
{
    CLEANUP(arena_freep) struct arena *arena                 = arena_new(8 << 20);
    struct diagnostics *list                                 = diagnostics_new(arena);
    CLEANUP(workflow_unrefp) const struct workflow *workflow = NULL;
    assert_int_equal(workflow_read(str_from(TASKS "- a: { wait: PT1S }\n"), list, &workflow, NULL),
                     STATUS_OK);
    assert_memory_equal(workflow->digest, workflow->source_digest, SHA256_SIZE);
    CLEANUP(json_unrefp) json stored                      = workflow_source_new(workflow);
    CLEANUP(workflow_unrefp) const struct workflow *again = NULL;
    assert_int_equal(workflow_read_stored(json_str(stored), list, &again, NULL), STATUS_OK);
    assert_memory_equal(again->digest, workflow->digest, SHA256_SIZE);
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(refused) + ARRAY_LEN(findings) + 16];
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        tests[count++] = row_test(refused[i].name, check_refused, &refused[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(findings); i++) {
        tests[count++] = row_test(findings[i].name, check_finding_with_catalog, &findings[i]);
    }
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(a_description_reads);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(selectors);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(the_newest_match_is_found);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(a_catalog_grows_out_of_another);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(a_catalog_says_which_entry_is_at_fault);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(too_many_are_refused);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(what_is_built_in_is_described);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(a_function_is_pinned);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(another_name_is_called_and_said_to_be_one);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(pins_come_from_the_store_alone);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(a_plain_definition_is_stored_as_it_is);
    return _cmocka_run_group_tests("function catalog", tests, count, NULL, NULL);
}
