/* A desk for calls of tools: a manifest with every kind of call, an engine that stands in for the
 * other side and says what the test says, a clock that is the test's, and callers that remember how
 * their calls have ended. */
#ifndef TEST_DESK_H
#define TEST_DESK_H

#include "tool-adapter/call/tool_call.h"

#include "ledger.h"

#include "base/clock.h"
#include "tool-adapter/call/call_cache.h"

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
    "    params:\n"
    "      properties:\n"
    "        body: {format: blob, max_size: 20B, mime: [text/csv, image/*]}\n"
    "        more:\n"
    "          type: array\n"
    "          items: {properties: {of: {format: file, max_size: 3B, mime: [text/*]}}}\n"
    "        deep: {properties: {in: {type: array, items: {type: array, items: {format: file, "
    "max_size: 3B}}}}}\n"
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

static inline status desk_take(void *self, const struct engine_request *request,
                               const struct engine_handlers *handlers,
                               struct engine_call **ret_call, struct error *)
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

static inline void desk_drop(struct engine_call *call)
{
    struct engine_call **at = &call->desk->first;
    while (*at != call) at = &(*at)->next;
    *at = call->next;
    json_unref(call->settings);
    free(call);
}

static inline int64_t clock_of(void *context)
{
    return *(int64_t *)context;
}

static inline void desk_open(struct desk *desk)
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

static inline void desk_close(struct desk *desk)
{
    assert_null(desk->first);
    call_cache_freep(&desk->cache);
    connection_done(&desk->connection);
    manifest_free(desk->manifest);
    loop_freep(&desk->loop);
    arena_free(desk->arena);
}

/* The other side answers the request that it has. */
static inline void answer(struct desk *desk, const char *function, int http_status,
                          const char *body)
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

static inline void on_keep(json checkpoint, void *context)
{
    struct caller *caller = context;
    caller->keeps++;
    json_unref(caller->kept);
    caller->kept = json_ref(checkpoint);
}

static inline void on_done(const struct tool_call_result *result, void *context)
{
    struct caller *caller = context;
    caller->ends++;
    caller->call   = NULL;
    caller->result = *result;
    caller->value  = json_ref(result->value);
    caller->undo   = json_ref(result->undo);
}

static inline void caller_done(struct caller *caller)
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

static inline void begin(struct desk *desk, struct caller *caller, const struct beginning *how)
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

static inline void kept(struct caller *caller, int keeps, const char *checkpoint, status code)
{
    assert_int_equal(caller->keeps, keeps);
    assert_json(caller->kept, checkpoint);
    tool_call_kept(caller->call, code);
}

static inline void assert_type(const struct caller *caller, const char *type)
{
    json given = json_get_text(caller->value, "type");
    assert_true(json_is(given, JSON_TEXT));
    if (!strstr(json_str(given).ptr, type)) fail_msg("%s, not %s", json_str(given).ptr, type);
}

static inline void assert_end(const struct caller *caller, bool is_unknown, bool is_transient)
{
    assert_int_equal(caller->ends, 1);
    assert_int_equal(caller->result.is_unknown, is_unknown);
    assert_int_equal(caller->result.is_transient, is_transient);
    assert_type(caller, is_unknown ? "/unknown-outcome" : "/errors/");
}

static inline void pass_by(struct desk *desk, int64_t ms)
{
    desk->now_ms += ms;
    loop_turn(desk->loop, 0);
    loop_turn(desk->loop, 0); /* what was set in a turn fires in the next */
}

#endif
