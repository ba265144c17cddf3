/* Runs: lists and history. */
#include "base/assert.h"
#include "base/clock.h"
#include "gateway/api/labels.h"
#include "gateway/api/paging.h"
#include "gateway/api/view.h"
#include "gateway/handlers/handlers.h"
#include "run.pb-c.h"

#include <inttypes.h>
#include <stdio.h>

enum { STATUS_FILTERS_MAX = 16, POSITION_MAX = 24 };

/* --- list --------------------------------------------------------------------------------------
 */

static status read_statuses(struct api_call *call, Pb__ListRuns *message, struct error *reterr)
{
    Pb__RunStatus *wanted = arena_alloc(call->arena, STATUS_FILTERS_MAX * sizeof *wanted);
    ASSERT(wanted);
    size_t cursor   = 0;
    str text        = {};
    message->status = wanted;
    while (api_query_next(call, "status", &cursor, &text)) {
        if (message->n_status == STATUS_FILTERS_MAX ||
            !run_status_parse(text, &wanted[message->n_status])) {
            return fail(reterr, STATUS_INVALID_ARGUMENT, "status: %.40s is no status of a run",
                        text.ptr);
        }
        message->n_status++;
    }
    return STATUS_OK;
}

static status read_time(struct api_call *call, const char *name, int64_t *ret_us,
                        struct error *reterr)
{
    str text = {};
    if (!api_query(call, name, &text) || time_parse(text, ret_us)) return STATUS_OK;
    return fail(reterr, STATUS_INVALID_ARGUMENT, "%s: a time such as 2026-11-22T10:00:00Z", name);
}

static status read_filters(struct api_call *call, Pb__ListRuns *message, struct error *reterr)
{
    TRY(read_statuses(call, message, reterr));
    struct labels labels = {};
    TRY(labels_of_query(call, &labels, reterr));
    message->labels   = labels.items;
    message->n_labels = labels.count;
    TRY(read_time(call, "created_after", &message->created_after_us, reterr));
    TRY(read_time(call, "created_before", &message->created_before_us, reterr));
    str text = {};
    if (api_query(call, "workflow", &text)) message->workflow = text.ptr;
    if (api_query(call, "version", &text)) message->version = text.ptr;
    if (api_query(call, "parent", &text)) message->parent = text.ptr;
    if (api_query(call, "order", &text)) {
        message->oldest_first = str_is(text, "oldest");
        if (!message->oldest_first && !str_is(text, "newest")) {
            return fail(reterr, STATUS_INVALID_ARGUMENT, "order: newest or oldest");
        }
    }
    return STATUS_OK;
}

static void ask_list(struct api_call *call);

static void on_listed(struct api_call *call, const struct rpc_answer *answer)
{
    const Pb__RunList *list   = answer->message;
    struct json_writer *items = paging_items(call);
    int64_t now_us            = clock_unix_us();
    for (size_t i = 0; i < list->n_runs; i++) view_run(items, list->runs[i], now_us);
    if (!paging_ended(call, list->n_runs, list->next_token)) ask_list(call);
}

static void ask_list(struct api_call *call)
{
    struct error error   = {};
    Pb__ListRuns message = PB__LIST_RUNS__INIT;
    Pb__Page page        = PB__PAGE__INIT;
    uint16_t partition   = paging_page(call, &page);
    message.namespace_   = api_namespace(call);
    message.page         = &page;
    status code          = read_filters(call, &message, &error);
    ASSERT(code == STATUS_OK); /* they were read before */
    const struct api_ask ask = {.service   = &pb__runs__descriptor,
                                .method    = "List",
                                .message   = &message,
                                .partition = partition,
                                .then      = on_listed,
                                .failed    = paging_failed};
    api_ask_scheduler(call, &ask);
}

void runs_list(struct api_call *call)
{
    struct error error   = {};
    Pb__ListRuns message = PB__LIST_RUNS__INIT;
    status code          = read_filters(call, &message, &error);
    if (code == STATUS_OK) code = paging_begin(call, &error);
    if (code != STATUS_OK) {
        api_fail(call, code, &error);
        return;
    }
    ask_list(call);
}

/* --- history -----------------------------------------------------------------------------------
 */

/*
 * The scheduler reads a journal forwards. A page of the newest events before `before` is therefore
 * the page of the oldest ones behind the right place, turned round.
 */
struct history_call {
    uint32_t page_size;
    bool newest_first;
    uint64_t after;  /* as asked for: older events are of no interest */
    uint64_t before; /* newest first: only older events; 0: all */
    uint32_t count;  /* events asked for now */
};

static void ask_history(struct api_call *call);

/* An answer has a limit of bytes too, and what it cuts off are its last events: then fewer are
 * asked for. */
static bool is_cut(const struct history_call *state, const Pb__RunHistory *history)
{
    if (!state->newest_first || history->n_events == 0 || state->count <= 1) return false;
    uint64_t newest = state->before > 0 ? state->before - 1 : history->last_sequence;
    uint64_t first  = history->events[0]->sequence;
    uint64_t last   = history->events[history->n_events - 1]->sequence;
    return (first > last ? first : last) < newest;
}

static void print_events(struct json_writer *w, const Pb__RunHistory *history, bool turn_round)
{
    json_member(w, "items");
    json_begin_array(w);
    for (size_t i = 0; i < history->n_events; i++) {
        view_event(w, history->events[turn_round ? history->n_events - 1 - i : i]);
    }
    json_end_array(w);
}

static void on_history(struct api_call *call, const struct rpc_answer *answer)
{
    struct history_call *state    = call->state;
    const Pb__RunHistory *history = answer->message;
    if (is_cut(state, history)) {
        state->count /= 2;
        ask_history(call);
        return;
    }
    struct api_answer response;
    api_answer_begin(&response, call);
    json_begin_object(&response.json);
    bool turn_round = state->newest_first && state->before > 0;
    print_events(&response.json, history, turn_round);
    size_t count  = history->n_events;
    uint64_t last = count > 0 ? history->events[turn_round ? 0 : count - 1]->sequence : 0;
    bool has_more =
        state->newest_first ? last > state->after + 1 : last > 0 && last < history->last_sequence;
    if (has_more) {
        char token[POSITION_MAX];
        (void)snprintf(token, sizeof token, "%" PRIu64, last);
        json_put_text(&response.json, "next_page_token", str_from(token));
    }
    json_end_object(&response.json);
    api_answer_send(&response, 200, NULL);
}

static status read_position(str text, const char *name, uint64_t *ret_position,
                            struct error *reterr)
{
    uint64_t value = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9' || i > 18) {
            return fail_code(reterr, STATUS_INVALID_ARGUMENT,
                             str_is(str_from(name), "after") ? "invalid_request"
                                                             : "invalid_page_token",
                             "%s: the sequence number of an event", name);
        }
        value = value * 10 + (uint64_t)(text.ptr[i] - '0');
    }
    *ret_position = value;
    return STATUS_OK;
}

static status read_history(struct api_call *call, struct history_call *state, struct error *reterr)
{
    str text          = {};
    const char *token = "";
    uint64_t position = 0;
    TRY(api_page(call, &state->page_size, &token, reterr));
    if (api_query(call, "after", &text)) TRY(read_position(text, "after", &state->after, reterr));
    TRY(read_position(str_from(token), "page_token", &position, reterr));
    if (api_query(call, "order", &text)) {
        state->newest_first = str_is(text, "newest");
        if (!state->newest_first && !str_is(text, "oldest")) {
            return fail(reterr, STATUS_INVALID_ARGUMENT, "order: oldest or newest");
        }
    }
    if (state->newest_first) {
        state->before = position;
    } else if (position > 0) {
        state->after = position;
    }
    state->count = state->page_size;
    return STATUS_OK;
}

static void ask_history(struct api_call *call)
{
    const struct history_call *state = call->state;
    Pb__ReadHistory message          = PB__READ_HISTORY__INIT;
    message.id                       = api_text(call, call->params[0]);
    message.namespace_               = api_namespace(call);
    message.after                    = state->after;
    message.count_max                = state->count;
    if (state->before > 0) {
        uint64_t end = state->before - 1;
        if (end > state->after + state->count) message.after = end - state->count;
        message.count_max = end > message.after ? (uint32_t)(end - message.after) : 0;
    } else {
        message.newest_first = state->newest_first;
    }
    api_ask_owner(call, &pb__runs__descriptor, "History", &message, on_history);
}

void runs_history(struct api_call *call)
{
    struct history_call *state = arena_alloc(call->arena, sizeof *state);
    struct error error         = {};
    ASSERT(state);
    *state      = (struct history_call){};
    call->state = state;
    status code = read_history(call, state, &error);
    if (code == STATUS_OK && state->before > 0 && state->before - 1 <= state->after) {
        code = fail_code(&error, STATUS_INVALID_ARGUMENT, "invalid_page_token",
                         "page_token: it does not belong to this `after`");
    }
    if (code != STATUS_OK) {
        api_fail(call, code, &error);
    } else {
        ask_history(call);
    }
}
