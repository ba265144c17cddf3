/*
 * Runs.List. run_sources.h says which runs may be meant, in the order of their creation; the filter
 * is applied to each. A call reads at most so many rows and so long; then its page ends there, with
 * a token, even if it is not full.
 */
#include "base/clock.h"
#include "base/log.h"
#include "run.pb-c.h"
#include "scheduler/services/call.h"
#include "scheduler/services/page_token.h"
#include "scheduler/services/services.h"
#include "scheduler/tables/run_sources.h"
#include "scheduler/tables/run_wire.h"

enum {
    ROWS_PER_CALL = 200'000,
    ROWS_PER_TXN  = 5'000, /* then the snapshot is let go, and with it the pages it holds */
    TIME_MS_MAX   = 1'000,
    FILTERS_MAX   = 64 << 10, /* bytes in one text */
    ROW_ARENA_MAX = 1 << 20,
    STATUSES_MAX  = 16,
};

struct listing {
    const Pb__ListRuns *request;
    str namespace;
    struct shard *shard;
    struct arena *row_arena; /* cleared for each row */
    struct arena *arena;     /* of the call */
    Pb__RunList *answer;
    uint32_t size;   /* of the page */
    struct id place; /* the last run that was looked at; empty: none */
    struct run_sources *sources;
    bool has_more;
};

/* --- filters -----------------------------------------------------------------------------------
 */

/* All filters in one text that no two different lists share. */
static void filters_text(const struct listing *list, struct buf *out)
{
    const Pb__ListRuns *request = list->request;
    (void)buf_printf(out, STR_FMT "\x1f%s\x1f%s\x1f%s\x1f%lld\x1f%lld\x1f%d",
                     STR_ARG(list->namespace), request->workflow, request->version, request->parent,
                     (long long)request->created_after_us, (long long)request->created_before_us,
                     request->oldest_first);
    for (size_t i = 0; i < request->n_status; i++) {
        (void)buf_printf(out, "\x1fs%d", (int)request->status[i]);
    }
    for (size_t i = 0; i < request->n_labels; i++) {
        (void)buf_printf(out, "\x1fl%s\x1f%s", request->labels[i]->key, request->labels[i]->value);
    }
}

/* --- rows --------------------------------------------------------------------------------------
 */

static status take_run(struct listing *list, struct txn *txn, const struct id *id,
                       struct error *reterr)
{
    Pb__RunView *view = NULL;
    Pb__RunHead *head = NULL;
    str run           = str_from(id->text);
    arena_clear(list->row_arena);
    const struct run_question question = {.namespace = list->namespace, .filter = list->request};
    struct error why                   = {};
    status got = run_rows_get(txn, run, list->row_arena, &view, &head, &why);
    if (got == STATUS_NOT_FOUND) return STATUS_OK;
    if (got == STATUS_DATA_LOSS) { /* the others are to be seen all the same */
        log_write(LOG_ERROR, "run.unreadable", LOG_STR("run", run), LOG_TEXT_OF("error", why.text));
        return STATUS_OK;
    }
    if (got != STATUS_OK) return fail(reterr, got, "%s", why.text);
    run_wire_add_head(view, head);
    if (!run_question_means(&question, view)) return STATUS_OK;

    /* Once more, into the arena of the answer. */
    TRY(run_row_get(txn, run, list->arena, &view, reterr));
    run_wire_add_head(view, head);
    view->phase                              = text_in(list->arena, str_from(view->phase));
    view->head                               = (ProtobufCBinaryData){};
    list->answer->runs[list->answer->n_runs] = view;
    list->answer->n_runs++;
    return STATUS_OK;
}

/* Reads a piece; sets has_more if runs are left behind list->place. */
static status read_piece(struct listing *list, unsigned *rows_left, struct error *reterr)
{
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    TRY(txn_begin_read(list->shard->partition->store, &txn, reterr));
    const struct run_question question = {
        .namespace = list->namespace, .filter = list->request, .after = str_from(list->place.text)};
    CLEANUP(run_sources_done) struct run_sources *sources = list->sources;
    TRY(run_sources_open(txn, &question, sources, reterr));
    list->has_more = true;
    for (unsigned i = 0; i<ROWS_PER_TXN && * rows_left> 0; i++, (*rows_left)--) {
        if (list->answer->n_runs == list->size) return STATUS_OK;
        TRY(run_sources_next(sources, &list->place, &list->has_more, reterr));
        if (!list->has_more) return STATUS_OK;
        TRY(take_run(list, txn, &list->place, reterr));
    }
    return STATUS_OK;
}

static status read_page(struct listing *list, struct error *reterr)
{
    unsigned rows_left = ROWS_PER_CALL;
    int64_t until_ms   = clock_mono_ms() + TIME_MS_MAX;
    list->has_more     = true;
    while (list->has_more && rows_left > 0 && list->answer->n_runs < list->size &&
           clock_mono_ms() < until_ms) {
        TRY(read_piece(list, &rows_left, reterr));
    }
    return STATUS_OK;
}

/* --- the call ----------------------------------------------------------------------------------
 */

static status read_place(struct listing *list, bytes filters, struct error *reterr)
{
    const Pb__Page *page = list->request->page;
    if (!page || !*page->token) return STATUS_OK;
    bytes place = {};
    TRY(page_token_read(str_from(page->token), filters, list->arena, &place, reterr));
    if (place.len != ID_LEN || !id_is_valid((str){place.ptr, place.len})) {
        return fail_code(reterr, STATUS_INVALID_ARGUMENT, "invalid_page_token",
                         "page_token: not one of a list of runs");
    }
    memcpy(list->place.text, place.ptr, ID_LEN);
    return STATUS_OK;
}

status run_list_handle(struct rpc_call *call, struct error *reterr)
{
    const Pb__ListRuns *request              = call->request;
    CLEANUP(arena_freep) struct arena *arena = arena_new(ROW_ARENA_MAX);
    struct listing list                      = {
                             .request   = request,
                             .namespace = call_namespace(call, request->namespace_),
                             .shard     = scheduler_shard(call->context, call->partition),
                             .row_arena = arena,
                             .arena     = call->arena,
                             .answer    = call->response,
    };
    if (!list.shard) return call_moved(call, call->partition);
    TRY(page_size_read(request->page ? request->page->size : 0, &list.size, reterr));
    if (*request->parent && !id_is_valid(str_from(request->parent))) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "parent: the id of a run, 26 characters; a client_id is not looked up here");
    }
    if (request->n_status > STATUSES_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "status: at most %d", STATUSES_MAX);
    }
    CLEANUP(buf_done) struct buf filters = buf_init(FILTERS_MAX);
    filters_text(&list, &filters);
    TRY(read_place(&list, bytes_from(buf_str(&filters)), reterr));

    list.answer->runs = arena_alloc(call->arena, list.size * sizeof(Pb__RunView *));
    list.sources      = arena_alloc(call->arena, sizeof *list.sources);
    bool has_memory   = arena && list.answer->runs && list.sources;
    if (!has_memory) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    TRY(read_page(&list, reterr));
    if (list.has_more && list.place.text[0]) {
        list.answer->next_token = page_token_new(
            bytes_from(buf_str(&filters)), bytes_from(str_from(list.place.text)), call->arena);
    }
    rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}
