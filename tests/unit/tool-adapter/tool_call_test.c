/* One call from its arguments to its output: what follows when a checkpoint cannot be kept, when a
 * change stops half-way, when nothing is found of an earlier attempt, and how long one waits for an
 * equal read. An engine of the test stands in for the other side, whose clock is the test's too. */
#include "tool-adapter/call/tool_call.h"

#include "ledger.h"

#include "base/clock.h"
#include "tool-adapter/call/call_cache.h"
#include "tool-adapter/files/file_arguments.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char desk_text[] =
    "manifest: tutti/adapter/v1\n"
    "name: desk\n"
    "version: \"1.0.0\"\n"
    "title: Desk\n"
    "docs: https://desk.test/docs\n"
    "http: {base_url: \"https://desk.test\"}\n"
    "actions:\n"
    "  post:\n"
    "    summary: Posts in two steps that nothing makes repeatable\n"
    "    effect: create\n"
    "    irreversible: it stays\n"
    "    params: {properties: {}}\n"
    "    steps:\n"
    "      - {id: slot, if: \"=.idempotency_key == \\\"slot\\\"\","
    " request: {method: GET, path: /slot}, output: {}}\n"
    "      - {id: first, request: {builtin: web.first, params: {}}, output: {}}\n"
    "      - {id: second, request: {builtin: web.second, params: {}}, output: {}}\n"
    "    output: {}\n"
    "    idempotency: none\n"
    "    example: {params: {}, steps: {slot: {}, first: {}, second: {}}}\n"
    "  put:\n"
    "    summary: Puts in two steps that may be done again\n"
    "    effect: update\n"
    "    params: {properties: {}}\n"
    "    steps:\n"
    "      - {id: first, request: {builtin: web.first, params: {}}, output: {}}\n"
    "      - {id: second, request: {builtin: web.second, params: {}}, output: {}}\n"
    "    output: {}\n"
    "    idempotency: natural\n"
    "    example: {params: {}, steps: {first: {}, second: {}}}\n"
    "  pair:\n"
    "    summary: Makes two things, each of which can be dropped\n"
    "    effect: create\n"
    "    params: {properties: {}}\n"
    "    steps:\n"
    "      - {id: first, request: {builtin: web.first, params: {}}, output: {id: "
    "\"=.response.body\"},"
    " compensate: [{action: drop, with: {id: \"=.steps.first.id\"}}]}\n"
    "      - {id: second, request: {builtin: web.second, params: {}}, output: {id: "
    "\"=.response.body\"},"
    " compensate: [{action: drop, with: {id: \"=.steps.second.id\"}}]}\n"
    "    output: {}\n"
    "    idempotency: none\n"
    "    example: {params: {}, steps: {first: {id: \"1\"}, second: {id: \"2\"}}}\n"
    "  fill:\n"
    "    summary: Makes a thing and fills it, which dropping it undoes too\n"
    "    effect: create\n"
    "    params: {properties: {}}\n"
    "    steps:\n"
    "      - {id: first, request: {builtin: web.first, params: {}}, output: {id: "
    "\"=.response.body\"},"
    " compensate: [{action: drop, with: {id: \"=.steps.first.id\"}}]}\n"
    "      - {id: second, request: {builtin: web.second, params: {}},"
    " compensate: [{action: drop, with: {id: \"=.steps.first.id\"}}]}\n"
    "    output: {id: \"=.steps.first.id\"}\n"
    "    idempotency: none\n"
    "    example: {params: {}, steps: {first: {id: \"1\"}, second: {}}}\n"
    "  many:\n"
    "    summary: Makes two things, and says only of both how they are dropped\n"
    "    effect: create\n"
    "    params: {properties: {}}\n"
    "    steps:\n"
    "      - {id: first, request: {builtin: web.first, params: {}}, output: {id: "
    "\"=.response.body\"}}\n"
    "      - {id: second, request: {builtin: web.second, params: {}}, output: {id: "
    "\"=.response.body\"}}\n"
    "    output: {ids: \"=[.steps.first.id, .steps.second.id]\"}\n"
    "    idempotency: none\n"
    "    compensate:\n"
    "      - {each: \"=.output.ids\", action: drop, with: {id: \"=.item\"}}\n"
    "    example: {params: {}, steps: {first: {id: \"1\"}, second: {id: \"2\"}}}\n"
    "  drop:\n"
    "    summary: Drops a thing\n"
    "    effect: delete\n"
    "    params: {properties: {id: {type: string}}, required: [id]}\n"
    "    request: {builtin: web.drop, params: {id: \"=.params.id\"}}\n"
    "    output: {}\n"
    "    idempotency: natural\n"
    "    example: {params: {id: \"1\"}}\n"
    "  find:\n"
    "    summary: Writes what can be found again, and over what was there\n"
    "    effect: update\n"
    "    params: {properties: {}}\n"
    "    before: {action: old, with: {}}\n"
    "    request: {builtin: web.write, params: {was: \"=.before.body\"}}\n"
    "    output: {}\n"
    "    idempotency: {lookup: [{action: seek, with: {}, found: \"=.output.body\"}]}\n"
    "    example: {params: {}, before: {body: old}}\n"
    "  old:\n"
    "    summary: Reads what is there\n"
    "    effect: read\n"
    "    params: {properties: {}}\n"
    "    request: {builtin: web.old, params: {}}\n"
    "    output: {body: \"=.response.body\"}\n"
    "    example: {params: {}}\n"
    "  seek:\n"
    "    summary: Looks for it\n"
    "    effect: read\n"
    "    params: {properties: {}}\n"
    "    request: {builtin: web.seek, params: {}}\n"
    "    output: {body: \"=.response.body\"}\n"
    "    example: {params: {}}\n"
    "  rate:\n"
    "    summary: Reads what is kept\n"
    "    effect: read\n"
    "    params: {properties: {}}\n"
    "    request: {builtin: web.rate, params: {}}\n"
    "    output: {body: \"=.response.body\"}\n"
    "    cache: {max_age: 1h}\n"
    "    example: {params: {}}\n"
    "  weigh:\n"
    "    summary: Says what its output is\n"
    "    effect: read\n"
    "    params: {properties: {}}\n"
    "    request: {builtin: web.weigh, params: {}}\n"
    "    output: {grams: \"=.response.body\"}\n"
    "    output_schema: {properties: {grams: {type: integer}}}\n"
    "    example: {params: {}}\n"
    "  stamp:\n"
    "    summary: Takes a small table or picture\n"
    "    effect: read\n"
    "    params: {properties: {body: {format: blob, max_size: 20B, mime: [text/csv, image/*]}}}\n"
    "    request: {builtin: web.stamp, params: {}}\n"
    "    output: {}\n"
    "    example: {params: {}}\n"
    "  load:\n"
    "    summary: Reads what is kept, or has it stored as a file\n"
    "    effect: read\n"
    "    params: {properties: {keep: {type: object, format: keep}}}\n"
    "    request: {builtin: web.load, params: {}}\n"
    "    output: {body: \"=.response.body\"}\n"
    "    cache: {max_age: 1h}\n"
    "    example: {params: {}}\n";

enum { CALL_MS = 60'000 };

/* A request at the other side. */
struct engine_call {
    struct desk *desk;
    const char *function;
    json settings;
    struct engine_handlers handlers;
    struct engine_call *next;
};

struct desk {
    struct arena *arena;
    struct manifest *manifest;
    struct connection connection;
    int64_t now_ms;
    struct loop *loop;
    struct call_cache *cache;
    struct engine engines[2];
    struct exchange_means means;
    struct engine_call *first; /* the newest */
};

/* One call and how it has ended. */
struct caller {
    struct tool_call *call;
    json kept;
    int keeps, ends;
    struct tool_call_result result;
    json value, undo;
};

static status desk_take(void *self, const struct engine_request *request,
                        const struct engine_handlers *handlers, struct engine_call **ret_call,
                        struct error *)
{
    struct desk *desk        = self;
    struct engine_call *call = calloc(1, sizeof *call);
    assert_non_null(call);
    *call       = (struct engine_call){.desk     = desk,
                                       .function = request->function,
                                       .settings = json_ref(request->settings),
                                       .handlers = *handlers,
                                       .next     = desk->first};
    desk->first = call;
    *ret_call   = call;
    return STATUS_OK;
}

static void desk_drop(struct engine_call *call)
{
    struct engine_call **at = &call->desk->first;
    while (*at != call) at = &(*at)->next;
    *at = call->next;
    json_unref(call->settings);
    free(call);
}

static int64_t clock_of(void *context)
{
    return *(int64_t *)context;
}

static void desk_open(struct desk *desk)
{
    struct error error = {};
    *desk              = (struct desk){.now_ms = clock_mono_ms(), .arena = arena_new(64 << 20)};
    const struct loop_options loop = {.clock = clock_of, .clock_context = &desk->now_ms};
    struct diagnostics *list       = diagnostics_new(desk->arena);
    if (manifest_read(str_from(desk_text), list, &desk->manifest, &error) != STATUS_OK) {
        fail_msg("%s: %s", error.text, list->count > 0 ? list->items[0].detail : "");
    }
    connection_default(desk->manifest, &desk->connection);
    assert_int_equal(loop_new(&loop, &desk->loop, NULL), STATUS_OK);
    loop_turn(desk->loop, 0);
    desk->cache      = call_cache_new(CALL_CACHE_SIZE_MAX);
    desk->engines[0] = (struct engine){
        .kind = REQUEST_BUILTIN, .start = desk_take, .cancel = desk_drop, .self = desk};
    desk->means =
        (struct exchange_means){.loop = desk->loop, .engines = desk->engines, .cache = desk->cache};
}

static void desk_close(struct desk *desk)
{
    assert_null(desk->first);
    call_cache_freep(&desk->cache);
    connection_done(&desk->connection);
    manifest_free(desk->manifest);
    loop_freep(&desk->loop);
    arena_free(desk->arena);
}

/* The other side answers the request that it has. */
static void answer(struct desk *desk, const char *function, int http_status, const char *body)
{
    struct engine_call *call = desk->first;
    assert_non_null(call);
    assert_null(call->next);
    assert_string_equal(call->function, function);
    const struct engine_handlers handlers = call->handlers;
    char text[256];
    (void)snprintf(text, sizeof text, "{\"status\":%d,\"headers\":{},\"body\":%s}", http_status,
                   body);
    CLEANUP(json_unrefp) json response = parsed(text);
    const struct engine_result result  = {.was_sent = true, .response = response};
    desk_drop(call);
    handlers.done(&result, handlers.context);
}

static void on_keep(json checkpoint, void *context)
{
    struct caller *caller = context;
    caller->keeps++;
    json_unref(caller->kept);
    caller->kept = json_ref(checkpoint);
}

static void on_done(const struct tool_call_result *result, void *context)
{
    struct caller *caller = context;
    caller->ends++;
    caller->call   = NULL;
    caller->result = *result;
    caller->value  = json_ref(result->value);
    caller->undo   = json_ref(result->undo);
}

static void caller_done(struct caller *caller)
{
    tool_call_cancel(caller->call);
    json_unref(caller->value);
    json_unref(caller->undo);
    json_unref(caller->kept);
}

struct beginning {
    const char *action, *checkpoint, *key, *params;
    enum previous_attempt previous;
    bool is_by_hand; /* there is no later attempt */
    bool settles;
    int64_t total_ms;
};

static void begin(struct desk *desk, struct caller *caller, const struct beginning *how)
{
    CLEANUP(json_unrefp) json checkpoint  = json_invalid();
    CLEANUP(json_unrefp) json params      = json_invalid();
    const struct manifest_action *action  = manifest_action(desk->manifest, str_from(how->action));
    const struct tool_call_handlers heard = {
        .keep = how->is_by_hand ? NULL : on_keep, .done = on_done, .context = caller};
    *caller =
        (struct caller){.value = json_invalid(), .undo = json_invalid(), .kept = json_invalid()};
    assert_non_null(action);
    if (how->checkpoint) checkpoint = parsed(how->checkpoint);
    if (how->params) params = parsed(how->params);
    const struct tool_call_request request = {
        .tool            = {.action = action, .connection = &desk->connection},
        .params          = params,
        .namespace       = str_from("default"),
        .idempotency_key = str_from(how->key ? how->key : "key"),
        .created_us      = clock_unix_us(),
        .until_ms        = clock_mono_ms() + (how->total_ms > 0 ? how->total_ms : CALL_MS),
        .previous        = how->previous,
        .settles         = how->settles,
        .checkpoint      = checkpoint};
    struct tool_call *call = tool_call_start(&desk->means, &request, &heard);
    if (call) caller->call = call;
}

static void kept(struct caller *caller, int keeps, const char *checkpoint, status code)
{
    assert_int_equal(caller->keeps, keeps);
    assert_json(caller->kept, checkpoint);
    tool_call_kept(caller->call, code);
}

static void assert_type(const struct caller *caller, const char *type)
{
    json given = json_get_text(caller->value, "type");
    assert_true(json_is(given, JSON_TEXT));
    if (!strstr(json_str(given).ptr, type)) fail_msg("%s, not %s", json_str(given).ptr, type);
}

static void assert_end(const struct caller *caller, bool is_unknown, bool is_transient)
{
    assert_int_equal(caller->ends, 1);
    assert_int_equal(caller->result.is_unknown, is_unknown);
    assert_int_equal(caller->result.is_transient, is_transient);
    assert_type(caller, is_unknown ? "/unknown-outcome" : "/errors/");
}

/* --- checkpoints that cannot be kept ---------------------------------------------------------- */

static void test_a_step_that_nobody_remembers(void **)
{
    static const struct {
        const char *action;
        status code;
        bool is_transient;
    } rows[] = {
        {"post", STATUS_UNAVAILABLE, false},
        {"post", STATUS_RESOURCE_EXHAUSTED, false},
        {"put", STATUS_UNAVAILABLE, true}, /* it does no harm */
        {"put", STATUS_RESOURCE_EXHAUSTED, false},
    };
    CLEANUP(desk_close) struct desk desk;
    desk_open(&desk);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(caller_done) struct caller caller;
        bool marks = strcmp(rows[i].action, "post") == 0;
        begin(&desk, &caller, &(struct beginning){.action = rows[i].action});
        if (marks) kept(&caller, 1, "{\"sending\":\"first\"}", STATUS_OK);
        answer(&desk, "web.first", 200, "{}");
        kept(&caller, marks ? 2 : 1,
             marks ? "{\"sending\":\"second\",\"steps\":{\"first\":{}}}"
                   : "{\"steps\":{\"first\":{}}}",
             rows[i].code);
        assert_end(&caller, true, rows[i].is_transient);
    }
}

static void test_nothing_has_left_when_the_first_mark_is_not_kept(void **)
{
    static const struct {
        const char *checkpoint;
        enum previous_attempt previous;
        status code;
        bool is_transient;
    } rows[] = {
        {NULL, ATTEMPT_NONE, STATUS_UNAVAILABLE, true},
        {NULL, ATTEMPT_NONE, STATUS_RESOURCE_EXHAUSTED, false}, /* it will not be smaller */
        {"{\"steps\":{\"first\":{}}}", ATTEMPT_FAILED, STATUS_UNAVAILABLE, true},
    };
    CLEANUP(desk_close) struct desk desk;
    desk_open(&desk);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(caller_done) struct caller caller;
        begin(&desk, &caller,
              &(struct beginning){.action     = "post",
                                  .checkpoint = rows[i].checkpoint,
                                  .previous   = rows[i].previous});
        assert_int_equal(caller.keeps, 1);
        tool_call_kept(caller.call, rows[i].code);
        assert_end(&caller, false, rows[i].is_transient);
    }
}

/* --- half of a change ------------------------------------------------------------------------- */

static void test_a_change_that_stops_half_way(void **)
{
    static const struct {
        const char *action, *checkpoint, *key;
        int http_status;
        bool is_by_hand, is_unknown, is_transient, is_ill;
    } rows[] = {
        {"post", "{\"steps\":{\"first\":{}}}", NULL, 400, false, false, false, false},
        {"put", "{\"steps\":{\"first\":{}}}", NULL, 403, false, false, false, false},
        {"put", "{\"steps\":{\"first\":{}}}", NULL, 503, false, false, true, true},
        {"post", "{\"steps\":{\"first\":{}}}", NULL, 503, false, false, true, true},
        {"post", "{\"steps\":{\"first\":{}}}", NULL, 500, false, true, false, true},
        {"put", "{\"steps\":{\"first\":{}}}", NULL, 429, true, true, true, false},
        {"post", "{\"steps\":{\"first\":{}}}", NULL, 503, true, true, false, true},
        {"post", "{\"steps\":{\"slot\":{}}}", "slot", 400, false, false, false, false},
    };
    CLEANUP(desk_close) struct desk desk;
    desk_open(&desk);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(caller_done) struct caller caller;
        bool is_read_only = rows[i].key;
        begin(&desk, &caller,
              &(struct beginning){.action     = rows[i].action,
                                  .checkpoint = rows[i].checkpoint,
                                  .key        = rows[i].key,
                                  .previous   = ATTEMPT_FAILED,
                                  .is_by_hand = rows[i].is_by_hand});
        if (caller.keeps > 0) tool_call_kept(caller.call, STATUS_OK);
        answer(&desk, is_read_only ? "web.first" : "web.second", rows[i].http_status, "\"no\"");
        if (caller.ends != 1 || caller.result.is_unknown != rows[i].is_unknown ||
            caller.result.is_transient != rows[i].is_transient ||
            caller.result.is_ill != rows[i].is_ill) {
            fail_msg("row %zu ends otherwise", i);
        }
        /* What is done and known of is taken up by whoever wants another attempt. */
        bool is_half = caller.result.class == OUTCOME_UNKNOWN;
        assert_int_equal(caller.ends, 1);
        assert_true(is_half || !rows[i].is_unknown);
        assert_type(&caller, is_half ? "/unknown-outcome" : "/errors/");
        json detail = json_get_text(caller.value, "detail");
        bool names  = strstr(json_str(detail).ptr, "`first` is done");
        if (rows[i].http_status != 500) assert_int_equal(names, is_half);
        assert_int_equal(caller.undo.kind, JSON_INVALID); /* nothing undoes these */
    }
}

#define DROP(id) "{\"function\":\"desk.drop\",\"with\":{\"id\":\"" id "\"}}"

static void test_what_is_done_of_it_can_be_undone(void **)
{
    static const struct {
        const char *action;
        int http_status;
        const char *undo; /* NULL: nothing */
        bool is_by_hand, is_whole;
        enum outcome_class class;
    } rows[] = {
        {"pair", 400, "[" DROP("1") "]", false, true, OUTCOME_UNKNOWN},
        {"pair", 400, "[" DROP("1") "]", true, true, OUTCOME_UNKNOWN},
        {"pair", 500, "[" DROP("1") "]", false, false, OUTCOME_UNKNOWN}, /* the second may be */
        {"pair", 503, "[" DROP("1") "]", false, true, OUTCOME_TRANSIENT},
        {"pair", 200, "[" DROP("2") "," DROP("1") "]", false, false, OUTCOME_OK},
        {"fill", 500, "[" DROP("1") "]", false, true, OUTCOME_UNKNOWN}, /* whatever came of it */
        {"fill", 200, "[" DROP("1") "]", false, false, OUTCOME_OK},
        {"many", 400, "[" DROP("1") "]", false, true, OUTCOME_UNKNOWN},
        {"many", 500, "[" DROP("1") "]", false, false, OUTCOME_UNKNOWN},
        {"many", 200, "[" DROP("2") "," DROP("1") "]", false, false, OUTCOME_OK},
        {"post", 400, NULL, false, false, OUTCOME_UNKNOWN},
    };
    CLEANUP(desk_close) struct desk desk;
    desk_open(&desk);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(caller_done) struct caller caller;
        begin(&desk, &caller,
              &(struct beginning){.action = rows[i].action, .is_by_hand = rows[i].is_by_hand});
        if (!rows[i].is_by_hand) tool_call_kept(caller.call, STATUS_OK);
        answer(&desk, "web.first", 200, "\"1\"");
        if (!rows[i].is_by_hand) tool_call_kept(caller.call, STATUS_OK);
        answer(&desk, "web.second", rows[i].http_status, "\"2\"");
        const struct tool_call_result *result = &caller.result;
        if (caller.ends != 1 || result->class != rows[i].class ||
            result->is_undo_whole != rows[i].is_whole ||
            (caller.undo.kind != JSON_INVALID) != (rows[i].undo != NULL)) {
            fail_msg("row %zu ends otherwise", i);
        }
        if (rows[i].undo) assert_json(caller.undo, rows[i].undo);
    }
}

/* Whoever looks afterwards knows of the steps by what was kept of them. */
static void test_what_an_attempt_left_half_done_can_be_undone(void **)
{
    static const char between[] = "{\"sending\":\"first\",\"steps\":{\"first\":{\"id\":\"1\"}}}";
    static const char within[]  = "{\"sending\":\"second\",\"steps\":{\"first\":{\"id\":\"1\"}}}";
    static const struct {
        const char *action, *checkpoint;
        bool is_whole;
    } rows[] = {{"pair", between, true}, {"pair", within, false}, {"fill", within, true}};
    CLEANUP(desk_close) struct desk desk;
    desk_open(&desk);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(caller_done) struct caller caller;
        begin(&desk, &caller,
              &(struct beginning){.action     = rows[i].action,
                                  .checkpoint = rows[i].checkpoint,
                                  .previous   = ATTEMPT_LOST,
                                  .settles    = true});
        assert_null(desk.first);
        assert_int_equal(caller.ends, 1);
        assert_false(caller.result.is_nothing_done);
        assert_json(caller.undo, "[" DROP("1") "]");
        if (caller.result.is_undo_whole != rows[i].is_whole) fail_msg("row %zu", i);
    }
}

/* --- what an earlier attempt may have done ---------------------------------------------------- */

static void test_what_was_there_is_read_though_an_attempt_was_lost(void **)
{
    CLEANUP(desk_close) struct desk desk;
    CLEANUP(caller_done) struct caller caller;
    desk_open(&desk);
    begin(&desk, &caller, &(struct beginning){.action = "find", .previous = ATTEMPT_LOST});
    answer(&desk, "web.seek", 200, "null"); /* it died before it sent anything */
    answer(&desk, "web.old", 200, "\"old\"");
    kept(&caller, 1, "{\"before\":{\"body\":\"old\"}}", STATUS_OK);
    assert_json(desk.first->settings, "{\"was\":\"old\"}");
    answer(&desk, "web.write", 200, "{}");
    assert_int_equal(caller.result.class, OUTCOME_OK);
}

static void test_what_was_there_is_that_of_the_first_attempt(void **)
{
    CLEANUP(desk_close) struct desk desk;
    CLEANUP(caller_done) struct caller caller;
    desk_open(&desk);
    begin(&desk, &caller,
          &(struct beginning){.action     = "find",
                              .checkpoint = "{\"before\":{\"body\":\"oldest\"}}",
                              .previous   = ATTEMPT_UNKNOWN});
    answer(&desk, "web.seek", 200, "null");
    assert_json(desk.first->settings, "{\"was\":\"oldest\"}");
    answer(&desk, "web.write", 400, "{}");
    assert_end(&caller, false, false); /* it is not there, and this one did nothing */
}

/* Nothing is sent that changes anything: an engine of the test would keep it. */
static void test_whoever_wants_to_know_hears_whether_it_was_done(void **)
{
    static const char half[] = "{\"steps\":{\"first\":{}}}";
    static const struct {
        const char *action, *checkpoint, *found; /* NULL: nothing is looked up */
        enum previous_attempt previous;
        int http_status;
        enum { DONE, NOT_DONE, UNKNOWN } end;
    } rows[] = {
        {"find", NULL, "\"new\"", ATTEMPT_UNKNOWN, 200, DONE},
        {"find", NULL, "null", ATTEMPT_UNKNOWN, 200, NOT_DONE},
        {"find", "{\"before\":{\"body\":\"old\"}}", "null", ATTEMPT_LOST, 200, NOT_DONE},
        {"find", half, "null", ATTEMPT_LOST, 200, NOT_DONE}, /* no step of its own */
        {"find", NULL, "\"no\"", ATTEMPT_UNKNOWN, 403, UNKNOWN},
        {"find", NULL, NULL, ATTEMPT_FAILED, 0, NOT_DONE},
        {"post", NULL, NULL, ATTEMPT_UNKNOWN, 0, UNKNOWN},
        {"post", NULL, NULL, ATTEMPT_LOST, 0, NOT_DONE}, /* nothing has left */
        {"post", "{\"sending\":\"first\"}", NULL, ATTEMPT_LOST, 0, UNKNOWN},
        {"post", half, NULL, ATTEMPT_LOST, 0, UNKNOWN},
        {"put", NULL, NULL, ATTEMPT_LOST, 0, UNKNOWN},
    };
    CLEANUP(desk_close) struct desk desk;
    desk_open(&desk);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(caller_done) struct caller caller;
        begin(&desk, &caller,
              &(struct beginning){.action     = rows[i].action,
                                  .checkpoint = rows[i].checkpoint,
                                  .previous   = rows[i].previous,
                                  .settles    = true});
        if (rows[i].found) answer(&desk, "web.seek", rows[i].http_status, rows[i].found);
        assert_null(desk.first);
        assert_int_equal(caller.keeps, 0);
        const struct tool_call_result *result = &caller.result;
        if (caller.ends != 1 || (result->class == OUTCOME_OK) != (rows[i].end == DONE) ||
            result->is_nothing_done != (rows[i].end == NOT_DONE) ||
            (result->class == OUTCOME_UNKNOWN) != (rows[i].end == UNKNOWN)) {
            fail_msg("row %zu ends otherwise", i);
        }
        if (rows[i].end == DONE) assert_json(caller.value, rows[i].found);
    }
}

/* --- equal reads ------------------------------------------------------------------------------ */

static void pass_by(struct desk *desk, int64_t ms)
{
    desk->now_ms += ms;
    loop_turn(desk->loop, 0);
    loop_turn(desk->loop, 0); /* what was set in a turn fires in the next */
}

static void test_who_waits_for_an_equal_read_has_a_time_of_its_own(void **)
{
    CLEANUP(desk_close) struct desk desk;
    struct caller callers[4];
    desk_open(&desk);
    static const int64_t times_ms[] = {CALL_MS, 1'000, CALL_MS, 2'000};
    for (size_t i = 0; i < ARRAY_LEN(callers); i++) {
        begin(&desk, &callers[i], &(struct beginning){.action = "rate", .total_ms = times_ms[i]});
    }
    pass_by(&desk, 1'500);
    assert_end(&callers[1], false, true);
    assert_int_equal(callers[0].ends + callers[2].ends + callers[3].ends, 0);
    answer(&desk, "web.rate", 200, "7");
    for (size_t i = 0; i < ARRAY_LEN(callers); i++) {
        assert_int_equal(callers[i].ends, 1);
        if (i != 1) assert_json(callers[i].value, "{\"body\":7}");
    }
    pass_by(&desk, 5'000); /* no time runs on */
    for (size_t i = 0; i < ARRAY_LEN(callers); i++) caller_done(&callers[i]);
}

static void test_a_stored_file_is_not_given_to_others(void **)
{
    CLEANUP(desk_close) struct desk desk;
    desk_open(&desk);
    const struct beginning plain  = {.action = "load", .params = "{}", .is_by_hand = true};
    const struct beginning stored = {
        .action = "load", .params = "{\"keep\":{}}", .is_by_hand = true};
    const struct beginning *const all[] = {&plain, &plain, &stored, &stored};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        CLEANUP(caller_done) struct caller caller;
        begin(&desk, &caller, all[i]);
        if (i != 1) answer(&desk, "web.load", 200, "1");
        assert_int_equal(caller.ends, 1);
        assert_json(caller.value, "{\"body\":1}");
    }
}

static void test_an_output_is_as_promised_or_none(void **)
{
    struct desk desk;
    struct caller caller;
    desk_open(&desk);
    begin(&desk, &caller, &(struct beginning){.action = "weigh"});
    answer(&desk, "web.weigh", 200, "7");
    assert_int_equal(caller.result.class, OUTCOME_OK);
    caller_done(&caller);
    begin(&desk, &caller, &(struct beginning){.action = "weigh"});
    answer(&desk, "web.weigh", 200, "\"seven\"");
    assert_end(&caller, false, true);
    assert_non_null(strstr(json_str(json_get_text(caller.value, "detail")).ptr, "output/grams"));
    caller_done(&caller);
    desk_close(&desk);
}

static const struct {
    const char *params;
    const char *why; /* NULL: it is taken */
} blobs[] = {
    {"{}", NULL},
    {"{\"body\":{\"file\":\"x\"}}", NULL}, /* looked at when it is there */
    {"{\"body\":\"a;b\"}", NULL},
    {"{\"body\":\"\"}", NULL},
    {"{\"body\":\"12345678901234567890\"}", NULL},
    {"{\"body\":\"123456789012345678901\"}", "/body: has 21 bytes, at most 20 are taken"},
    {"{\"body\":\"%PDF-1.4\\n\"}", "/body: is application/pdf, which is not taken"},
    {"{\"body\":{\"base64\":\"R0lGODlhAQABAIAAAA==\"}}", NULL},
    {"{\"body\":{\"base64\":\"R0lGODlhAQABAIAAAA==\",\"mime\":\"image/gif\"}}", NULL},
    {"{\"body\":{\"base64\":\"R0lGODlhAQABAIAAAA==\",\"mime\":\"image/png\"}}",
     "/body: the file is said to be image/png and looks like image/gif"},
    {"{\"body\":{\"base64\":\"R0lGODlhAQABAIAAAA==\",\"mime\":\"text/csv\"}}",
     "looks like image/gif"},
    {"{\"body\":{\"base64\":\"YTti\"}}", NULL},
    {"{\"body\":{\"base64\":\"YTti\",\"mime\":\"text/html\"}}",
     "/body: is text/html, which is not taken"},
    {"{\"body\":{\"base64\":\"AAECAwQF\"}}",
     "/body: is application/octet-stream, which is not taken"},
    {"{\"body\":{\"base64\":\"YTtiYTtiYTtiYTtiYTtiYTtiYTs=\"}}", NULL},
    {"{\"body\":{\"base64\":\"YTtiYTtiYTtiYTtiYTtiYTtiYTti\"}}", "/body: has 21 bytes"},
    {"{\"body\":{\"base64\":\"YTtiYTtiYTtiYTtiYTtiYTs\"}}", "/body/base64: is no base64"},
};

static void test_what_comes_along_is_measured_and_looked_at(void **)
{
    struct desk desk;
    struct caller caller;
    CLEANUP(media_types_freep) struct media_types *types = NULL;
    desk_open(&desk);
    const struct manifest_action *action = manifest_action(desk.manifest, str_from("stamp"));
    assert_int_equal(media_types_new(NULL, 0, &types, NULL), STATUS_OK);
    for (size_t i = 0; i < ARRAY_LEN(blobs); i++) {
        CLEANUP(json_unrefp) json params = parsed(blobs[i].params);
        struct error error               = {};
        status code                      = file_arguments_look(action, params, types, &error);
        bool is_refused                  = code == STATUS_INVALID_ARGUMENT;
        if (is_refused != (blobs[i].why != NULL) ||
            (is_refused && !strstr(error.text, blobs[i].why))) {
            fail_msg("%s: %s", blobs[i].params, error.text);
        }
    }
    begin(&desk, &caller, &(struct beginning){.action = "stamp", .params = blobs[5].params});
    assert_end(&caller, false, false);
    assert_type(&caller, "validation");
    caller_done(&caller);
    desk_close(&desk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_step_that_nobody_remembers),
        cmocka_unit_test(test_nothing_has_left_when_the_first_mark_is_not_kept),
        cmocka_unit_test(test_a_change_that_stops_half_way),
        cmocka_unit_test(test_what_is_done_of_it_can_be_undone),
        cmocka_unit_test(test_what_an_attempt_left_half_done_can_be_undone),
        cmocka_unit_test(test_what_was_there_is_read_though_an_attempt_was_lost),
        cmocka_unit_test(test_what_was_there_is_that_of_the_first_attempt),
        cmocka_unit_test(test_whoever_wants_to_know_hears_whether_it_was_done),
        cmocka_unit_test(test_who_waits_for_an_equal_read_has_a_time_of_its_own),
        cmocka_unit_test(test_a_stored_file_is_not_given_to_others),
        cmocka_unit_test(test_an_output_is_as_promised_or_none),
        cmocka_unit_test(test_what_comes_along_is_measured_and_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
