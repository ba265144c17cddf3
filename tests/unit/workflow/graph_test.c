/* Graphs: what leads where, what a run's states change, and that foreign text stays text. */
#include "base/arena.h"
#include "cmocka.h"
#include "workflow/graph.h"

#include <string.h>

#define HEAD "document: { dsl: '1.0.3', namespace: n, name: w, version: '1.0.0' }\ndo:\n"

static const struct workflow *read_tasks(const char *text)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(8 << 20);
    struct diagnostics *list                 = diagnostics_new(arena);
    const struct workflow *workflow          = NULL;
    struct error why                         = {};
    if (workflow_read(str_from(text), list, &workflow, &why) != STATUS_OK) fail_msg("%s", why.text);
    return workflow;
}

static struct buf print(const char *text, enum graph_format format, const enum graph_state *states)
{
    struct buf out                                           = buf_init(GRAPH_SIZE_MAX);
    CLEANUP(workflow_unrefp) const struct workflow *workflow = read_tasks(text);
    assert_int_equal(graph_print(workflow, format, states, &out, NULL), STATUS_OK);
    return out;
}

struct row {
    const char *name, *text;
    const char *parts[4]; /* of the JSON */
};

static const struct row rows[] = {
    {"one after the other",
     HEAD "- a: { set: { x: 1 } }\n- b: { wait: PT1S }\n",
     {"{\"from\":\"start\",\"to\":\"/do/0/a\"}", "{\"from\":\"/do/0/a\",\"to\":\"/do/1/b\"}",
      "{\"from\":\"/do/1/b\",\"to\":\"end\"}"}},
    {"nothing to do", HEAD "  []\n", {"{\"from\":\"start\",\"to\":\"end\"}"}},
    {"then",
     HEAD "- a: { set: { x: 1 }, then: c }\n- b: { wait: PT1S, then: end }\n- c: { wait: PT2S, "
          "then: a }\n",
     {"{\"from\":\"/do/0/a\",\"to\":\"/do/2/c\"}", "{\"from\":\"/do/1/b\",\"to\":\"end\"}",
      "{\"from\":\"/do/2/c\",\"to\":\"/do/0/a\"}"}},
    {"cases",
     HEAD "- a: { switch: [ { big: { when: .x > 1, then: c } }, { rest: { then: continue } } ] }\n"
          "- b: { wait: PT1S }\n- c: { wait: PT2S }\n",
     {"{\"from\":\"/do/0/a\",\"to\":\"/do/2/c\",\"label\":\"big: .x > 1\"}",
      "{\"from\":\"/do/0/a\",\"to\":\"/do/1/b\",\"label\":\"rest\"}"}},
    {"cases without a default go on",
     HEAD "- a: { switch: [ { big: { when: .x, then: end } } ] }\n- b: { wait: PT1S }\n",
     {"{\"from\":\"/do/0/a\",\"to\":\"end\",\"label\":\"big: .x\"}",
      "{\"from\":\"/do/0/a\",\"to\":\"/do/1/b\"}"}},
    {"a raise goes nowhere",
     HEAD "- a: { raise: { error: { type: 'https://x', status: 400 } } }\n",
     {"\"detail\":\"raise https://x\"", "\"edges\":[{\"from\":\"start\",\"to\":\"/do/0/a\"}]"}},
    {"exit of a box",
     HEAD "- a: { do: [ { b: { wait: PT1S, then: exit } }, { c: { wait: PT1S } } ] }\n",
     {"{\"from\":\"/do/0/a/do/0/b\",\"to\":\"/do/0/a\"}", "\"parent\":\"/do/0/a\""}},
    {"what follows a caught error",
     HEAD "- a: { try: [ { b: { wait: PT1S } } ], catch: { then: end } }\n- c: { wait: PT1S }\n",
     {"{\"from\":\"/do/0/a\",\"to\":\"end\",\"label\":\"caught\",\"error\":true}",
      "{\"from\":\"/do/0/a\",\"to\":\"/do/1/c\"}"}},
    {"branches do not follow each other",
     HEAD "- a: { fork: { branches: [ { b: { wait: PT1S } }, { c: { wait: PT1S } } ] } }\n",
     {"\"edges\":[{\"from\":\"start\",\"to\":\"/do/0/a\"},{\"from\":\"/do/0/a\",\"to\":\"end\"}]"}},
    {"details",
     HEAD "- a: { call: http, with: { method: GET, endpoint: { uri: 'https://x/{y}' } } }\n"
          "- b: { for: { each: z, in: .l }, do: [], metadata: { tutti: { parallel: 3 } } }\n"
          "- c: { if: .go, wait: { minutes: 5, seconds: 1 } }\n",
     {"\"detail\":\"GET https://x/{y}\"", "\"detail\":\"for each $z, 3 at once in .l\"",
      "\"detail\":\"if .go · wait 5 minutes 1 second\""}},
};

static void check_json(void **state)
{
    const struct row *row            = *state;
    CLEANUP(buf_done) struct buf out = print(row->text, GRAPH_JSON, NULL);
    for (size_t i = 0; i < ARRAY_LEN(row->parts) && row->parts[i]; i++) {
        if (!strstr(out.ptr, row->parts[i])) fail_msg("no %s in %s", row->parts[i], out.ptr);
    }
    assert_null(strstr(out.ptr, "\"state\""));
}

static void states_colour(void **)
{
    static const char text[] = HEAD "- a: { wait: PT1S }\n- b: { do: [ { c: { wait: PT1S } } ] }\n";
    static const enum graph_state states[] = {GRAPH_COMPLETED, GRAPH_RUNNING, GRAPH_NONE};
    CLEANUP(buf_done) struct buf text_of   = print(text, GRAPH_JSON, states);
    assert_non_null(strstr(text_of.ptr, "\"line\":3,\"state\":\"completed\""));
    assert_non_null(strstr(text_of.ptr, "\"state\":\"none\""));
    CLEANUP(buf_done) struct buf mermaid = print(text, GRAPH_MERMAID, states);
    assert_non_null(strstr(mermaid.ptr, "class t0 completed\n"));
    assert_non_null(strstr(mermaid.ptr, "class t1 running\n"));
    assert_null(strstr(mermaid.ptr, "class t2"));
    CLEANUP(buf_done) struct buf svg = print(text, GRAPH_SVG, states);
    assert_non_null(
        strstr(svg.ptr, "<g class=\"task completed\"><title>/do/0/a: completed</title>"));
    assert_non_null(strstr(svg.ptr, "<g class=\"box running\">"));
    assert_non_null(strstr(svg.ptr, "class=\"legend\""));
}

static void text_stays_text(void **)
{
    static const char text[]             = HEAD "- \"<b>\\\"]; click\": { set: { '&x': 1 } }\n";
    CLEANUP(buf_done) struct buf mermaid = print(text, GRAPH_MERMAID, NULL);
    assert_non_null(strstr(mermaid.ptr, "t0[\"#60;b#62;#34;#93;#59; click<br/>set #38;x\"]"));
    CLEANUP(buf_done) struct buf svg = print(text, GRAPH_SVG, NULL);
    assert_null(strstr(svg.ptr, "<b>"));
    assert_non_null(strstr(svg.ptr, "&lt;b&gt;&quot;]; click</text>"));
    assert_non_null(strstr(svg.ptr, "set &amp;x</text>"));
}

static void lines_are_short(void **)
{
    static const char text[] =
        HEAD "- a: { set: '${ \"äääääääääääääääääääääääääääääääääääääääääääääääääääääääää\" }' }\n";
    CLEANUP(buf_done) struct buf out = print(text, GRAPH_JSON, NULL);
    assert_non_null(strstr(out.ptr, "ä…\""));
    /* The cut may come behind a blank, and a text may end with one. */
    static const char blanks[] =
        HEAD "- a: { set: '${ \"1234567890123456789012345678901234 56789\" }' }\n"
             "- b: { set: { 'x ': 1 } }\n";
    CLEANUP(buf_done) struct buf cut = print(blanks, GRAPH_JSON, NULL);
    assert_non_null(strstr(cut.ptr, "\"set x\""));
    assert_non_null(strstr(cut.ptr, "34 …\""));
}

static void a_small_buffer_is_refused(void **)
{
    CLEANUP(workflow_unrefp)
    const struct workflow *workflow = read_tasks(HEAD "- a: { wait: PT1S }\n");
    for (enum graph_format format = 0; format < GRAPH_FORMAT_COUNT; format++) {
        CLEANUP(buf_done) struct buf out = buf_init(40);
        assert_int_equal(graph_print(workflow, format, NULL, &out, NULL),
                         STATUS_RESOURCE_EXHAUSTED);
    }
}

static void formats_have_names(void **)
{
    enum graph_format format;
    assert_true(graph_format_find(str_from("svg"), &format));
    assert_int_equal(format, GRAPH_SVG);
    assert_string_equal(graph_content_type(format), "image/svg+xml");
    assert_false(graph_format_find(str_from("png"), &format));
    for (format = 0; format < GRAPH_FORMAT_COUNT; format++) {
        enum graph_format found = GRAPH_FORMAT_COUNT;
        assert_true(graph_format_find(str_from(graph_format_name(format)), &found));
        assert_int_equal(found, format);
    }
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(rows) + 5] = {
        cmocka_unit_test(states_colour),      cmocka_unit_test(text_stays_text),
        cmocka_unit_test(lines_are_short),    cmocka_unit_test(a_small_buffer_is_refused),
        cmocka_unit_test(formats_have_names),
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        tests[5 + i] = row_test(rows[i].name, check_json, &rows[i]);
    }
    return cmocka_run_group_tests_name("graph", tests, NULL, NULL);
}
