/* Assistants: what a definition may be, how it is rendered, and how calls use it. */
#include "base/arena.h"
#include "scheduler/run/assistant_body.h"
#include "support/scheduler/world.h"
#include "json/json_text.h"

#include "cmocka.h"

enum { ARENA_MAX = 4 << 20 };

static json parse(const char *text)
{
    json value         = json_invalid();
    struct error error = {};
    if (json_parse(str_from(text), NULL, &value, NULL, &error) != STATUS_OK) fail_msg("%s", text);
    return value;
}

/* --- names ------------------------------------------------------------------------------------ */

static void names_are_read(void **)
{
    static const struct {
        const char *text, *name;
        uint32_t version;
        bool is_fine;
    } rows[] = {
        {"seo-writer", "seo-writer", 0, true},
        {"seo-writer:3", "seo-writer", 3, true},
        {"seo-writer:latest", "seo-writer", 0, true},
        {"a:4294967295", "a", UINT32_MAX, true},
        {"a:4294967296", NULL, 0, false},
        {"a:0", NULL, 0, false},
        {"a:", NULL, 0, false},
        {"a:1x", NULL, 0, false},
        {"", NULL, 0, false},
        {"-a", NULL, 0, false},
        {"A", NULL, 0, false},
        {"a_b", NULL, 0, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct assistant_name name = {};
        assert_int_equal(assistant_name_read(str_from(rows[i].text), &name), rows[i].is_fine);
        if (!rows[i].is_fine) continue;
        assert_true(str_is(name.name, rows[i].name));
        assert_int_equal(name.version, rows[i].version);
    }
}

/* --- definitions ------------------------------------------------------------------------------ */

struct definition_row {
    const char *name;
    const char *definition;
    const char *pointer; /* of the first finding; NULL: there is none */
    const char *detail;  /* a part of it */
};

static const struct definition_row definitions[] = {
    {"a model is enough", "{\"model\": \"smart\"}", NULL, NULL},
    {"all members",
     "{\"model\": \"m\", \"description\": \"d\", \"labels\": {\"a\": \"b\"}, \"fallbacks\": "
     "[\"n\"],"
     " \"system\": \"{{ a }} {{b.c}}\", \"variables\": {\"properties\": {\"a\": {}, \"b\": {}}},"
     " \"parameters\": {\"temperature\": 0}, \"tools\": [\"web.scrape_page\"],"
     " \"output_schema\": {\"type\": \"object\"}}",
     NULL, NULL},
    {"no model", "{\"system\": \"x\"}", "/model", "needs the name of a model"},
    {"no object", "[]", "", "is an object"},
    {"a member that is none", "{\"model\": \"m\", \"sytem\": \"x\"}", "", "`sytem` is not"},
    {"a system that is no text", "{\"model\": \"m\", \"system\": 1}", "/system", "must be a text"},
    {"a broken placeholder", "{\"model\": \"m\", \"system\": \"{{a b}}\"}", "/system", "byte 0"},
    {"an open placeholder", "{\"model\": \"m\", \"system\": \"x {{a\"}", "/system", "byte 2"},
    {"two levels", "{\"model\": \"m\", \"system\": \"{{a.b.c}}\"}", "/system", "byte 0"},
    {"an undeclared variable",
     "{\"model\": \"m\", \"system\": \"{{b}}\", \"variables\": {\"properties\": {\"a\": {}}}}",
     "/system", "uses {{b}}"},
    {"variables that are no schema", "{\"model\": \"m\", \"variables\": {\"type\": 1}}",
     "/variables", "no usable JSON Schema"},
    {"an output schema that is none", "{\"model\": \"m\", \"output_schema\": {\"type\": 1}}",
     "/output_schema", "no usable JSON Schema"},
    {"tools that are no list", "{\"model\": \"m\", \"tools\": 1}", "/tools", "list of tools"},
    {"labels that are no texts", "{\"model\": \"m\", \"labels\": {\"a\": 1}}", "/labels", "texts"},
};

static void a_definition_is_checked(void **state)
{
    const struct definition_row *row         = *state;
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    CLEANUP(json_unrefp) json definition     = parse(row->definition);
    struct diagnostics *list                 = diagnostics_new(arena);
    assistant_check(definition, list);
    if (!row->pointer) {
        assert_int_equal(list->count, 0);
        return;
    }
    assert_true(list->count >= 1);
    assert_string_equal(list->items[0].pointer, row->pointer);
    assert_non_null(strstr(list->items[0].detail, row->detail));
}

/* --- rendering -------------------------------------------------------------------------------- */

struct render_row {
    const char *name;
    const char *system, *schema, *variables;
    const char *result; /* NULL: refused */
    const char *error;
};

static const struct render_row renders[] = {
    {"nothing to insert", "plain", NULL, NULL, "plain", NULL},
    {"a text", "for {{audience}}.", NULL, "{\"audience\": \"all\"}", "for all.", NULL},
    {"blanks and fields", "{{ b.voice }}!", NULL, "{\"b\": {\"voice\": \"warm\"}}", "warm!", NULL},
    {"anything else is JSON", "{{a}}{{b}}{{c}}", NULL,
     "{\"a\": [1, 2], \"b\": null, \"c\": {\"x\": true}}", "[1,2]null{\"x\":true}", NULL},
    {"what was inserted is not expanded again", "{{a}}", NULL,
     "{\"a\": \"{{b}} ${ .x }\", \"b\": \"no\"}", "{{b}} ${ .x }", NULL},
    {"a variable that is missing", "{{a}}", NULL, "{}", NULL, "/variables/a"},
    {"a field that is missing", "{{a.b}}", NULL, "{\"a\": 1}", NULL, "/variables/a/b"},
    {"one that the schema requires", "x", "{\"required\": [\"a\"]}", NULL, NULL, "/variables"},
    {"one of the wrong kind", "x", "{\"properties\": {\"a\": {\"type\": \"string\"}}}",
     "{\"a\": 1}", NULL, "/variables/a"},
};

static void a_prompt_is_rendered(void **state)
{
    const struct render_row *row             = *state;
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    CLEANUP(json_unrefp) json definition     = json_object_new(2);
    CLEANUP(json_unrefp) json variables = row->variables ? parse(row->variables) : json_invalid();
    CLEANUP(json_unrefp) json system    = json_invalid();
    struct diagnostics *list            = diagnostics_new(arena);
    struct error error                  = {};
    json_object_put_text(&definition, "system", json_text_from(row->system));
    if (row->schema) json_object_put_text(&definition, "variables", parse(row->schema));
    status code = assistant_render(definition, variables, arena, list, &system, &error);
    if (row->result) {
        assert_int_equal(code, STATUS_OK);
        assert_string_equal(json_str(system).ptr, row->result);
        return;
    }
    assert_int_equal(code, STATUS_INVALID_ARGUMENT);
    assert_string_equal(error.code, "input_invalid");
    assert_true(list->count >= 1);
    assert_string_equal(list->items[0].pointer, row->error);
}

/* --- bodies ----------------------------------------------------------------------------------- */

#define MODEL "\"model\": \"smart\""

#define FULL                                                                                       \
    "{" MODEL                                                                                      \
    ", \"system\": \"For {{a}}.\", \"parameters\": {\"temperature\": 0.5, \"max_tokens\": 9, "     \
    "\"stop\": \"x\", \"seed\": 3, \"cache\": \"1h\"}, \"output_schema\": {\"type\": \"object\"}}"

static const struct body_row {
    const char *name, *definition, *body, *result;
    enum assistant_protocol protocol;
} bodies[] = {
    {"a model alone", "{" MODEL "}", "{\"model\": \"assistant/a\", \"messages\": []}",
     "{\"messages\":[],\"model\":\"smart\"}", ASSISTANT_OPENAI},
    {"a prompt", "{" MODEL ", \"system\": \"for {{a}}\"}",
     "{\"variables\": {\"a\": \"all\"}, \"messages\": [{\"role\": \"user\", \"content\": \"x\"}]}",
     "{\"messages\":[{\"role\":\"system\",\"content\":\"for "
     "all\"},{\"role\":\"user\",\"content\":\"x\"}],"
     "\"model\":\"smart\"}",
     ASSISTANT_OPENAI},
    {"a schema", "{" MODEL ", \"output_schema\": {\"type\": \"object\"}}", "{\"messages\": []}",
     "{\"messages\":[],\"model\":\"smart\",\"response_format\":{\"type\":\"json_schema\",\"json_"
     "schema\":{"
     "\"name\":\"answer\",\"schema\":{\"type\":\"object\"}}}}",
     ASSISTANT_OPENAI},
    {"a shape of its own", "{" MODEL ", \"output_schema\": {\"type\": \"object\"}}",
     "{\"messages\": [], \"response_format\": {\"type\": \"text\"}}",
     "{\"messages\":[],\"response_format\":{\"type\":\"text\"},\"model\":\"smart\"}",
     ASSISTANT_OPENAI},
    {"any JSON, and what is for workflows",
     "{" MODEL ", \"fallbacks\": [\"x\"], \"parameters\": {\"json\": true, \"cache\": \"1h\", "
     "\"repair_attempts\": 1, \"seed\": 1}}",
     "{\"messages\": []}",
     "{\"messages\":[],\"model\":\"smart\",\"seed\":1,\"response_format\":{\"type\":\"json_"
     "object\"}}",
     ASSISTANT_OPENAI},
    {"no messages", "{" MODEL "}", "{\"messages\": {}}", NULL, ASSISTANT_OPENAI},
    {"no variable", "{" MODEL ", \"system\": \"{{a}}\"}", "{\"messages\": []}", NULL,
     ASSISTANT_OPENAI},
    {"Anthropic", FULL,
     "{\"model\": \"assistant/a\", \"messages\": [], \"variables\": {\"a\": \"b\"}}",
     "{\"model\":\"smart\",\"messages\":[],\"system\":\"For "
     "b.\",\"temperature\":0.5,\"max_tokens\":9,"
     "\"stop_sequences\":[\"x\"],\"output_config\":{\"format\":{\"type\":\"json_schema\","
     "\"schema\":{"
     "\"type\":\"object\"}}}}",
     ASSISTANT_ANTHROPIC},
    {"Anthropic, with words of its own", FULL,
     "{\"messages\": [], \"system\": \"Own.\", \"max_tokens\": 1, \"temperature\": 1, "
     "\"stop_sequences\": [], \"output_config\": {\"effort\": \"low\", \"format\": {}}, "
     "\"variables\": {\"a\": \"b\"}}",
     "{\"messages\":[],\"system\":[{\"type\":\"text\",\"text\":\"For "
     "b.\"},{\"type\":\"text\",\"text\":\"Own.\"}],\"max_tokens\":1,\"temperature\":1,"
     "\"stop_sequences\":[],\"output_config\":{\"effort\":\"low\",\"format\":{}},\"model\":"
     "\"smart\"}",
     ASSISTANT_ANTHROPIC},
    {"Anthropic, system blocks", "{" MODEL ", \"system\": \"A\"}",
     "{\"messages\": [], \"system\": [{\"type\": \"text\", \"text\": \"B\"}]}",
     "{\"messages\":[],\"system\":[{\"type\":\"text\",\"text\":\"A\"},{\"type\":\"text\",\"text\":"
     "\"B\"}],"
     "\"model\":\"smart\"}",
     ASSISTANT_ANTHROPIC},
    {"Anthropic, a count", FULL, "{\"messages\": [], \"variables\": {\"a\": \"b\"}}",
     "{\"messages\":[],\"model\":\"smart\",\"system\":\"For b.\"}", ASSISTANT_COUNT},
    {"Gemini", FULL, "{\"contents\": [], \"variables\": {\"a\": \"b\"}}",
     "{\"contents\":[],\"generationConfig\":{\"temperature\":0.5,\"maxOutputTokens\":9,\"seed\":3,"
     "\"stopSequences\":[\"x\"],\"responseMimeType\":\"application/json\",\"responseJsonSchema\":{"
     "\"type\":\"object\"}},\"systemInstruction\":{\"parts\":[{\"text\":\"For b.\"}]}}",
     ASSISTANT_GEMINI},
    {"Gemini, with words of its own", FULL,
     "{\"contents\": [], \"generation_config\": {\"temperature\": 1, \"maxOutputTokens\": 1, "
     "\"seed\": "
     "1, \"stopSequences\": [], \"responseMimeType\": \"text/plain\"}, \"system_instruction\": "
     "{\"parts\": [{\"text\": \"Own.\"}]}, \"variables\": {\"a\": \"b\"}}",
     "{\"contents\":[],\"generationConfig\":{\"temperature\":1,\"maxOutputTokens\":1,\"seed\":1,"
     "\"stopSequences\":[],\"responseMimeType\":\"text/plain\"},\"systemInstruction\":{\"parts\":[{"
     "\"text\":\"For b.\"},{\"text\":\"Own.\"}]}}",
     ASSISTANT_GEMINI},
    {"Gemini, a part that is in no list", FULL,
     "{\"contents\": [], \"generationConfig\": {\"temperature\": 1, \"maxOutputTokens\": 1, "
     "\"stopSequences\": [], \"responseMimeType\": \"text/plain\"}, \"systemInstruction\": "
     "{\"parts\": {\"text\": \"Own.\"}}, \"variables\": {\"a\": \"b\"}}",
     "{\"contents\":[],\"generationConfig\":{\"temperature\":1,\"maxOutputTokens\":1,"
     "\"stopSequences\":[],\"responseMimeType\":\"text/plain\",\"seed\":3},\"systemInstruction\":"
     "{\"parts\":[{\"text\":\"For b.\"},{\"text\":\"Own.\"}]}}",
     ASSISTANT_GEMINI},
    {"Gemini, no contents", "{" MODEL "}", "{\"messages\": []}", NULL, ASSISTANT_GEMINI},
    {"Anthropic, no variable", FULL, "{\"messages\": []}", NULL, ASSISTANT_ANTHROPIC},
    {"variables of another kind", "{" MODEL ", \"system\": \"{{a}}\"}",
     "{\"messages\": [], \"variables\": 7}", NULL, ASSISTANT_OPENAI},
};

static void a_body_needs_no_assistant(void **state)
{
    const struct body_row *row               = *state;
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    CLEANUP(json_unrefp) json definition     = parse(row->definition);
    CLEANUP(json_unrefp) json body           = parse(row->body);
    CLEANUP(json_unrefp) json before         = parse(row->body);
    CLEANUP(json_unrefp) json result         = json_invalid();
    struct error error                       = {};
    status code = assistant_apply_body(definition, row->protocol, body, arena, &result, &error);
    assert_true(json_equal(body, before));
    assert_int_equal(code, row->result ? STATUS_OK : STATUS_INVALID_ARGUMENT);
    if (!row->result) return;
    CLEANUP(json_unrefp) json text = json_to_text_new(result);
    assert_string_equal(json_str(text).ptr, row->result);
}

/* --- calls ------------------------------------------------------------------------------------ */

static const char writer[] =
    "{\"model\": \"smart\", \"system\": \"For {{who}}.\", \"parameters\": {\"temperature\": 0.5,"
    " \"max_tokens\": 10}, \"output_schema\": {\"type\": \"object\"}}";

/* The newest version is 3 at first; a call after that finds 4. */
struct shelf {
    uint32_t newest;
};

static status find(str namespace, const struct assistant_name *name, json *ret_definition,
                   uint32_t *ret_version, struct error *reterr, void *context)
{
    struct shelf *shelf = context;
    assert_true(str_is(namespace, "test"));
    if (!str_is(name->name, "writer")) return fail(reterr, STATUS_NOT_FOUND, "there is none");
    *ret_version    = name->version ? name->version : shelf->newest++;
    *ret_definition = parse(writer);
    return STATUS_OK;
}

static status list(str, str label, json *ret_assistants, struct error *, void *)
{
    assert_true(str_is(label, "project:acme"));
    *ret_assistants = parse("[{\"name\": \"writer\", \"version\": 3}]");
    return STATUS_OK;
}

struct call_row {
    const char *name, *body;
    const char *input;  /* of the job; NULL: there is none */
    const char *result; /* a part of it */
};

static const struct call_row calls[] = {
    {"an assistant gives what the call leaves out, and its version is pinned",
     "do: [{a: {call: llm.chat, with: {assistant: writer, variables: {who: all}, prompt: x}}}]",
     "{\"assistant\":\"writer:3\",\"prompt\":\"x\",\"model\":\"smart\",\"system\":\"For all.\","
     "\"temperature\":0.5,\"max_tokens\":10,\"schema\":{\"type\":\"object\"}}",
     "null"},
    {"values of the call win, and its version",
     "do: [{a: {call: llm.chat, with: {assistant: 'writer:1', model: m, system: s, prompt: x,"
     " temperature: 1, json: true}}}]",
     "{\"assistant\":\"writer:1\",\"model\":\"m\",\"system\":\"s\",\"prompt\":\"x\","
     "\"temperature\":1,\"json\":true,\"max_tokens\":10}",
     "null"},
    {"an assistant that is not there",
     "do: [{a: {call: llm.chat, with: {assistant: other, prompt: x}}}]", NULL, "configuration"},
    {"a variable that is missing",
     "do: [{a: {call: llm.chat, with: {assistant: writer, prompt: x}}}]", NULL,
     "/variables/who: the prompt needs it"},
    {"a name that is none", "do: [{a: {call: llm.chat, with: {assistant: 'W:x', prompt: x}}}]",
     NULL, "write `name` or `name:version`"},
    {"assistant.list is no job",
     "do: [{a: {call: assistant.list, with: {label: 'project:acme'}, output: {as: .assistants}}},"
     " {b: {set: '${ .[0].version }'}}]",
     NULL, "3"},
};

static void a_call_uses_an_assistant(void **state)
{
    const struct call_row *row           = *state;
    struct shelf shelf                   = {.newest = 3};
    const struct assistant_source source = {find, list, &shelf};
    struct world world;
    world_init(&world, row->body);
    world.env.assistants = &source;
    world_start(&world, NULL);
    assert_int_equal(world.job_count, row->input ? 1 : 0);
    if (row->input) {
        CLEANUP(json_unrefp) json text = json_to_text_new(world.jobs[0].input);
        assert_string_equal(json_str(text).ptr, row->input);
    }
    world_crash(&world, false); /* what was found is in the journal */
    world_play(&world);
    assert_non_null(strstr(world_result(&world), row->result));
    world_done(&world);
}

int main(void)
{
    enum { ROWS = 64 };
    struct CMUnitTest tests[ROWS] = {cmocka_unit_test(names_are_read)};
    size_t count                  = 1;
    for (size_t i = 0; i < sizeof definitions / sizeof *definitions; i++) {
        tests[count++] = row_test(definitions[i].name, a_definition_is_checked, &definitions[i]);
    }
    for (size_t i = 0; i < sizeof renders / sizeof *renders; i++) {
        tests[count++] = row_test(renders[i].name, a_prompt_is_rendered, &renders[i]);
    }
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        tests[count++] = row_test(bodies[i].name, a_body_needs_no_assistant, &bodies[i]);
    }
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        tests[count++] = row_test(calls[i].name, a_call_uses_an_assistant, &calls[i]);
    }
    return _cmocka_run_group_tests("assistant", tests, count, NULL, NULL);
}
