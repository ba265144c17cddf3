/* Calls that stop half-way: what their worker says undoes the part that is done. The run is rebuilt
 * after every step, from its journal and from a snapshot in turn. */
#include "run_row.h"

#include "workflow/function_catalog.h"
#include "json/json_text.h"

#define ROOM(more) "{a: {call: room.book, with: {nights: 2}" more "}}"
#define FAILS      "{b: {raise: {error: {type: 'urn:no', status: 418}}}}"
#define RETRY      ", metadata: {tutti: {retry: {limit: {attempt: {count: 1}}}}}"
#define LATER                                                                                      \
    ", timeout: {after: {seconds: 5}}, metadata: {tutti: {retry: {delay: {minutes: 1}, limit: "    \
    "{attempt: {count: 1}}}}}"
#define OWN                                                                                        \
    ", metadata: {tutti: {compensate: [{own: {call: http, with: {method: get, endpoint: "          \
    "'https://a.test'}}}]}}"
#define TOKEN   "tok-0123456789"
#define NEVER   ", metadata: {tutti: {compensate: false}}"
#define CAUGHT  "{t: {try: [" ROOM("") "], catch: {}}}"
#define TRIED   "{t: {try: [" ROOM("") "], catch: {retry: {limit: {attempt: {count: 1}}}}}}"
#define KEY     "#/do/0/a/-/1"
#define TRY_KEY "#/do/0/t/try/0/a/-/1"
#define AGAIN   "#/do/0/t/try/0/a/-/2"
#define BOOKED  " {\"nights\":2}\n"
#define REFUSED ", output: {schema: {document: {type: string}}}"

/* Each attempt calls under another key: one, two, one, and so on. */
#define TURN                                                                                       \
    "{n: {set: {x: 1}, export: {as: '{key: (if $context.key == \"one\" then \"two\" else \"one\" " \
    "end)}'}}}"
#define KEYED ", metadata: {tutti: {idempotencyKey: '${ $context.key }'}}"
#define GET   "{b: {call: http, with: {method: get, endpoint: 'https://a.test'}}}"
#define KEYS(count)                                                                                \
    "{t: {try: [" TURN                                                                             \
    ", " ROOM(KEYED) ", " GET "], catch: {retry: {limit: {attempt: {count: " count "}}}}}}"
#define ONE  "one/do/0/t/try/1/a"
#define TWO  "two/do/0/t/try/1/a"
#define NEXT "#/do/0/t/try/2/b/-/1 {\"method\":\"get\",\"endpoint\":\"https://a.test\"}\n"

static const char functions[] = "[{\"name\": \"room.book\", \"version\": \"1.0.0\", \"queue\": "
                                "\"tools\", \"effect\": \"send\", \"idempotency\": \"none\", "
                                "\"input_schema\": {\"type\": \"object\"}, "
                                "\"compensation\": {\"summary\": \"Cancels it\"}}]";

struct part_row {
    const char *name, *tasks;
    struct answer script[4];
    const char *calls;
    const char *ending; /* in the history */
    uint32_t done, failed;
};

static const struct part_row rows[] = {
    {.name   = "the part is undone",
     .tasks  = ROOM(""),
     .script = {{"a", 0, ANSWER_PART, NULL}},
     .calls  = KEY BOOKED KEY "/undo/1 {\"part\":1}\n" KEY "/undo/2 {\"part\":2}\n",
     .ending = "compensation.completed /do/0/a\nrun.faulted\n",
     .done   = 1},
    {.name  = "another attempt goes on where it stopped: what it completes is undone, not the part",
     .tasks = ROOM(RETRY) ", " FAILS,
     .script = {{"a", 0, ANSWER_PART, NULL}},
     .calls  = KEY BOOKED KEY "/undo/1 {\"whole\":1}\n",
     .ending = "compensation.completed /do/0/a\nrun.faulted\n",
     .done   = 1},
    {.name   = "an attempt of which nobody hears leaves what the one before has done",
     .tasks  = ROOM(RETRY),
     .script = {{"a", 1, ANSWER_PART, NULL}, {"a", 2, ANSWER_LOST, NULL}},
     .calls  = KEY BOOKED KEY "/undo/1 {\"part\":1}\n" KEY "/undo/2 {\"part\":2}\n",
     .ending = "compensation.failed /do/0/a\nrun.faulted\n",
     .failed = 1},
    {.name   = "so does one that says nothing of it",
     .tasks  = ROOM(RETRY),
     .script = {{"a", 1, ANSWER_PART, NULL}, {"a", 2, ANSWER_FAIL, NULL}},
     .calls  = KEY BOOKED KEY "/undo/1 {\"part\":1}\n" KEY "/undo/2 {\"part\":2}\n",
     .ending = "compensation.completed /do/0/a\nrun.faulted\n",
     .done   = 1},
    {.name   = "and one that does not come about, since the task is over",
     .tasks  = ROOM(LATER),
     .script = {{"a", 0, ANSWER_PART, NULL}},
     .calls  = KEY BOOKED KEY "/undo/1 {\"part\":1}\n" KEY "/undo/2 {\"part\":2}\n",
     .ending = "compensation.completed /do/0/a\nrun.faulted\n",
     .done   = 1},
    {.name   = "so does one of a `try`, under the same key",
     .tasks  = TRIED ", " FAILS,
     .script = {{"a", 0, ANSWER_PART, NULL}},
     .calls  = TRY_KEY BOOKED TRY_KEY BOOKED TRY_KEY "/undo/1 {\"whole\":1}\n",
     .ending = "compensation.completed /do/0/t/try/0/a\nrun.faulted\n",
     .done   = 1},
    {.name   = "an error that is caught keeps the part for later",
     .tasks  = CAUGHT ", " FAILS,
     .script = {{"a", 0, ANSWER_PART, NULL}},
     .calls  = TRY_KEY BOOKED TRY_KEY "/undo/1 {\"part\":1}\n" TRY_KEY "/undo/2 {\"part\":2}\n",
     .ending = "compensation.completed /do/0/t/try/0/a\nrun.faulted\n",
     .done   = 1},
    {.name   = "what the task says of its own is about all of it, and not about the part",
     .tasks  = ROOM(OWN),
     .script = {{"a", 0, ANSWER_PART, NULL}},
     .calls  = KEY BOOKED KEY "/undo/1 {\"part\":1}\n" KEY "/undo/2 {\"part\":2}\n",
     .ending = "compensation.completed /do/0/a\nrun.faulted\n",
     .done   = 1},
    {.name   = "nothing is undone that never is",
     .tasks  = ROOM(NEVER),
     .script = {{"a", 0, ANSWER_PART, NULL}},
     .calls  = KEY BOOKED,
     .ending = "task.faulted /do/0/a\nrun.faulted\n"},
    {.name   = "what a `try` did under another key is undone beside the part",
     .tasks  = KEYS("1"),
     .script = {{"a", 0, ANSWER_OK_ONCE, NULL},
                {"b", 0, ANSWER_FAIL, NULL},
                {"a", 0, ANSWER_PART, NULL}},
     .calls  = ONE BOOKED NEXT TWO BOOKED TWO "/undo/1 {\"part\":1}\n" TWO
                                             "/undo/2 {\"part\":2}\n" ONE "/undo/1 {\"whole\":1}\n",
     .ending = "compensation.completed /do/0/t/try/1/a\nrun.faulted\n",
     .done   = 2},
    {.name   = "so is a part beside what was done under another key",
     .tasks  = KEYS("1"),
     .script = {{"a", 0, ANSWER_PART, NULL}, {"b", 0, ANSWER_FAIL, NULL}},
     .calls  = ONE BOOKED TWO BOOKED NEXT TWO "/undo/1 {\"whole\":1}\n" ONE
                                             "/undo/1 {\"part\":1}\n" ONE "/undo/2 {\"part\":2}\n",
     .ending = "compensation.completed /do/0/t/try/1/a\nrun.faulted\n",
     .done   = 2},
    {.name   = "so is all that was done, once for each key",
     .tasks  = KEYS("3"),
     .script = {{"b", 0, ANSWER_FAIL, NULL}},
     .calls  = ONE BOOKED NEXT TWO BOOKED NEXT NEXT NEXT TWO "/undo/1 {\"whole\":1}\n" ONE
                                                            "/undo/1 {\"whole\":1}\n",
     .ending = "compensation.completed /do/0/t/try/1/a\nrun.faulted\n",
     .done   = 2},
    {.name   = "a call whose answer is refused has done all of it: what it says undoes it",
     .tasks  = ROOM(REFUSED),
     .calls  = KEY BOOKED KEY "/undo/1 {\"whole\":1}\n",
     .ending = "compensation.completed /do/0/a\nrun.faulted\n",
     .done   = 1},
    {.name  = "so has each attempt of a `try`, under a key of its own",
     .tasks = "{t: {try: [" ROOM(REFUSED) "], catch: {retry: {limit: {attempt: {count: 1}}}}}}",
     .calls = TRY_KEY BOOKED AGAIN BOOKED AGAIN "/undo/1 {\"whole\":1}\n" TRY_KEY
                                                "/undo/1 {\"whole\":1}\n",
     .ending = "compensation.completed /do/0/t/try/0/a\nrun.faulted\n",
     .done   = 2},
    {.name   = "one that is never undone is not undone then either",
     .tasks  = ROOM(NEVER ", output: {as: '${ error(1) }'}"),
     .calls  = KEY BOOKED,
     .ending = "task.faulted /do/0/a\nrun.faulted\n"},
    {.name   = "of a part nobody knows: what is known is undone, and then it is a dead letter",
     .tasks  = ROOM(""),
     .script = {{"a", 0, ANSWER_DOUBT, "{\"type\":\"urn:unknown\",\"status\":504}"}},
     .calls  = KEY BOOKED KEY "/undo/1 {\"part\":1}\n" KEY "/undo/2 {\"part\":2}\n",
     .ending = "compensation.failed /do/0/a\nrun.faulted\n",
     .failed = 1},
};

static const struct workflow *workflow_of(const char *use, const char *tasks)
{
    CLEANUP(function_catalog_unrefp) const struct function_catalog *catalog = NULL;
    CLEANUP(json_unrefp) json described                                     = json_invalid();
    CLEANUP(arena_freep) struct arena *arena                                = arena_new(1 << 20);
    CLEANUP(buf_done) struct buf text                                       = buf_init(1 << 14);
    struct diagnostics list                                                 = {.arena = arena};
    const struct workflow *workflow                                         = NULL;
    struct error error                                                      = {};
    assert_true(buf_printf(&text,
                           "document: {dsl: '1.0.3', namespace: test, name: saga, version: 1.0.0, "
                           "metadata: {tutti: {saga: true}}}\n%sdo: [%s]",
                           use, tasks));
    assert_int_equal(json_parse(str_from(functions), NULL, &described, NULL, &error), STATUS_OK);
    status made = function_catalog_new(NULL, described, &catalog, &error);
    if (made != STATUS_OK) fail_msg("%s", error.text);
    const struct workflow_sources sources = {.catalog = catalog};
    if (workflow_read_with(buf_str(&text), &sources, &list, &workflow, &error) != STATUS_OK) {
        fail_msg("%s", error.text);
    }
    return workflow;
}

static void check(void **state)
{
    const struct part_row *row = *state;
    struct world world;
    world_init_with(&world, workflow_of("", row->tasks));
    world.script = row->script;
    world.undo   = "[{\"function\": \"room.cancel\", \"with\": {\"whole\": 1}}]";
    world.part   = "[{\"function\": \"room.cancel\", \"with\": {\"part\": 1}},"
                   " {\"function\": \"room.cancel\", \"with\": {\"part\": 2}}]";
    world_start(&world, NULL);
    bool is_from_snapshot = false;
    do {
        world_crash(&world, is_from_snapshot);
        is_from_snapshot = !is_from_snapshot;
    } while (world_step(&world));
    assert_string_equal(world.calls.ptr, row->calls);
    if (!strstr(world.history.ptr, row->ending)) {
        assert_string_equal(world.history.ptr, row->ending);
    }
    const struct run_compensation undone = run_compensation(world.run);
    assert_int_equal(undone.done, row->done);
    assert_int_equal(undone.failed, row->failed);
    world_done(&world);
}

/* --- secrets -----------------------------------------------------------------------------------
 */

static json get_secret(str, str, void *)
{
    return json_text_from(TOKEN);
}

/* Of a call that is sent a secret, nothing that its worker says is kept with it. */
static void no_secret_is_kept(const struct answer *script)
{
    const struct secret_source source = {.get = get_secret};
    struct world world;
    world_init_with(&world,
                    workflow_of("use: {secrets: [token]}\n",
                                "{a: {call: room.book, with: {by: '${ $secrets.token }'}" RETRY
                                "}}, " FAILS));
    world.env.secrets = &source;
    world.script      = script;
    world.undo        = "[{\"function\": \"room.cancel\", \"with\": {\"by\": \"" TOKEN "\"}}]";
    world.part        = world.undo;
    world_start(&world, NULL);
    world_play(&world);
    assert_non_null(strstr(world.calls.ptr, "/undo/1 {\"by\":\"***\"}"));
    for (size_t i = 0; i < world.entry_count; i++) {
        assert_null(memmem(world.entries[i].ptr, world.entries[i].len, TOKEN, strlen(TOKEN)));
    }
    world_done(&world);
}

static void no_secret_is_kept_of_what_undoes_a_call(void **)
{
    static const struct answer parts[] = {
        {"a", 0, ANSWER_PART, NULL}, {"a", 0, ANSWER_PART, NULL}, {}};
    no_secret_is_kept(NULL);
    no_secret_is_kept(parts);
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(rows)];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        tests[i] = row_test(rows[i].name, check, &rows[i]);
    }
    const struct CMUnitTest secrets[] = {
        cmocka_unit_test(no_secret_is_kept_of_what_undoes_a_call),
    };
    return cmocka_run_group_tests_name("part saga", tests, NULL, NULL) +
           cmocka_run_group_tests_name("secrets", secrets, NULL, NULL);
}
