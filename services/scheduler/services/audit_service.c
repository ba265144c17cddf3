/* The audit log, as gateways hand it records and admins read it. It belongs to the system
 * partition. */
#include "audit.pb-c.h"
#include "auth/namespace.h"
#include "scheduler/services/call.h"
#include "scheduler/services/row_page.h"
#include "scheduler/services/services.h"
#include "scheduler/tables/audit_chain.h"

#include <inttypes.h>

enum {
    NOTED_MAX   = 1'000,  /* records of one message */
    CHECKED_MAX = 20'000, /* records of one answer: some 20 ms */
    FILTERS_MAX = 4'096,  /* bytes */
};

static status note(struct rpc_call *call, struct error *reterr)
{
    const Pb__NoteAudit *request = call->request;
    if (!scheduler_shard(call->context, 0)) return call_moved(call, 0);
    if (request->n_records > NOTED_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "at most %d records at once", NOTED_MAX);
    }
    struct command *command = call_command(call, COMMAND_NOTE_AUDIT, 0);
    if (!command) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
    call_post(call, scheduler_shard(call->context, 0), command);
    return STATUS_OK;
}

/* --- lists -------------------------------------------------------------------------------------
 */

enum { LOOKED_MAX = ROW_PAGE_LOOKED_MAX, ROW_ARENA_MAX = 1 << 20 };

struct listing {
    const Pb__ListAudit *wanted;
    str namespace;
    bytes filters;
    uint32_t size;
    uint64_t from, until; /* numbers: [from, until) */
    uint64_t place;       /* of the last row that was looked at; 0: none */
    bool has_more;
    struct arena *arena, *row_arena;
    Pb__AuditList *answer;
};

static bool is_any_or(const char *wanted, const char *value)
{
    return !*wanted || strcmp(wanted, value) == 0;
}

/* It, or what is below it. */
static bool is_within(str resource, str wanted)
{
    if (!str_starts_with(resource, wanted)) return false;
    return wanted.len == 0 || resource.len == wanted.len || resource.ptr[wanted.len] == '/';
}

/* A new run is its own resource (engine_audit.c). */
static status set_resource(Pb__AuditRecord *record, struct arena *arena, struct error *reterr)
{
    if (*record->resource || !*record->run || record->write) return STATUS_OK;
    record->resource = arena_printf(arena, "/v1/runs/%s", record->run);
    if (record->resource) return STATUS_OK;
    return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the page is too large");
}

static bool is_wanted(const struct listing *list, const Pb__AuditRecord *record)
{
    const Pb__ListAudit *wanted = list->wanted;
    return namespace_reaches(list->namespace, str_from(record->namespace_)) &&
           is_any_or(wanted->key_id, record->key_id) && is_any_or(wanted->action, record->action) &&
           is_any_or(wanted->run, record->run) && is_any_or(wanted->result, record->result) &&
           is_within(str_from(record->resource), str_from(wanted->resource));
}

static status take_row(struct listing *list, const struct audit_row *row, struct error *reterr)
{
    const ProtobufCMessageDescriptor *type = &pb__audit_record__descriptor;
    Pb__AuditRecord *record                = NULL;
    arena_clear(list->row_arena);
    TRY(record_read(row->record, type, list->row_arena, &record, reterr));
    TRY(set_resource(record, list->row_arena, reterr));
    if (!is_wanted(list, record)) return STATUS_OK;
    Pb__AuditItem *item = arena_alloc(list->arena, sizeof *item);
    if (!item) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the page is too large");
    *item = (Pb__AuditItem)PB__AUDIT_ITEM__INIT;
    TRY(record_read(row->record, type, list->arena, &item->record, reterr));
    TRY(set_resource(item->record, list->arena, reterr));
    item->number = row->number;
    item->hash   = bytes_in(list->arena, (str){(const char *)row->hash, SHA256_SIZE});
    list->answer->records[list->answer->n_records++] = item;
    return STATUS_OK;
}

static status walk(struct listing *list, struct txn *txn, struct error *reterr)
{
    const struct key_u64 from  = key_of_u64(list->from);
    const struct key_u64 until = key_of_u64(list->until);
    const struct scan scan     = {
            .from = key_u64_bytes(&from), .until = key_u64_bytes(&until), .backward = true};
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    TRY(cursor_open(txn, TABLE_AUDIT, &scan, &cursor, reterr));
    for (unsigned i = 0;; i++) {
        bytes key            = {};
        bytes value          = {};
        struct audit_row row = {};
        status next          = cursor_next(cursor, &key, &value, NULL);
        if (next == STATUS_NOT_FOUND) return STATUS_OK;
        if (next != STATUS_OK) return fail(reterr, next, "the audit log cannot be read");
        TRY(audit_row_read(key, value, &row, reterr));
        if (row.record.len == 0) return STATUS_OK; /* the anchor: nothing is before it */
        list->has_more = list->answer->n_records == list->size || i == LOOKED_MAX;
        if (list->has_more) return STATUS_OK;
        TRY(take_row(list, &row, reterr));
        list->place = row.number;
    }
}

static status begin_page(struct listing *list, struct buf *filters, struct error *reterr)
{
    const Pb__ListAudit *wanted = list->wanted;
    const Pb__Page *page        = wanted->page;
    const char *const texts[]   = {wanted->key_id, wanted->action, wanted->resource,
                                   wanted->run,    wanted->result, wanted->namespace_};
    bytes place                 = {};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) (void)buf_printf(filters, "%s\x1f", texts[i]);
    (void)buf_printf(filters, "%" PRId64 "\x1f%" PRId64, wanted->from_us, wanted->to_us);
    if (filters->is_full) return fail(reterr, STATUS_INVALID_ARGUMENT, "the filters are too long");
    list->filters = bytes_from(buf_str(filters));
    TRY(page_size_read(page ? page->size : 0, &list->size, reterr));
    list->answer->records = arena_alloc(list->arena, list->size * sizeof(void *));
    if (!list->answer->records) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the page is too large");
    }
    if (!page || !*page->token) return STATUS_OK;
    TRY(page_token_read(str_from(page->token), list->filters, list->arena, &place, reterr));
    if (place.len != sizeof(uint64_t)) {
        return fail_code(reterr, STATUS_INVALID_ARGUMENT, "invalid_page_token",
                         "page_token: not of this list");
    }
    list->until = u64_from(place.ptr);
    return STATUS_OK;
}

/* Which numbers the times mean. */
static status set_bounds(struct listing *list, struct txn *txn, struct error *reterr)
{
    const Pb__ListAudit *wanted = list->wanted;
    uint64_t before             = UINT64_MAX;
    if (wanted->from_us > 0) {
        TRY(audit_number_at(txn, wanted->from_us, list->row_arena, &list->from, reterr));
    }
    if (wanted->to_us > 0) {
        TRY(audit_number_at(txn, wanted->to_us, list->row_arena, &before, reterr));
    }
    if (list->until == 0 || before < list->until) list->until = before;
    return STATUS_OK;
}

static status list(struct rpc_call *call, struct error *reterr)
{
    const Pb__ListAudit *request           = call->request;
    struct store *store                    = scheduler_system_store(call->context);
    CLEANUP(txn_abortp) struct txn *txn    = NULL;
    CLEANUP(arena_freep) struct arena *row = arena_new(ROW_ARENA_MAX);
    CLEANUP(buf_done) struct buf filters   = buf_init(FILTERS_MAX);
    str scope                              = call_namespace(call, request->namespace_);
    struct listing listing                 = {.wanted    = request,
                                              .namespace = scope,
                                              .arena     = call->arena,
                                              .row_arena = row,
                                              .answer    = call->response};
    if (!store) return call_moved(call, 0);
    TRY(begin_page(&listing, &filters, reterr));
    TRY(txn_begin_read(store, &txn, reterr));
    TRY(set_bounds(&listing, txn, reterr));
    TRY(walk(&listing, txn, reterr));
    const struct key_u64 place = key_of_u64(listing.place);
    const char *token          = NULL;
    if (listing.has_more) {
        token = page_token_new(listing.filters, key_u64_bytes(&place), call->arena);
    }
    listing.answer->next_token = token ? token : "";
    rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}

/* --- checking ----------------------------------------------------------------------------------
 */

static status verify(struct rpc_call *call, struct error *reterr)
{
    const Pb__VerifyAudit *request      = call->request;
    Pb__VerifiedAudit *answer           = call->response;
    struct store *store                 = scheduler_system_store(call->context);
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    struct audit_check check            = {};
    if (!store) return call_moved(call, 0);
    TRY(txn_begin_read(store, &txn, reterr));
    TRY(audit_verify(txn, request->after, request->until, CHECKED_MAX, &check, reterr));
    const str anchor = {(const char *)check.anchor, check.has_anchor ? SHA256_SIZE : 0};
    const str hash   = {(const char *)check.last.hash, SHA256_SIZE};
    answer->first    = check.first;
    answer->anchor   = bytes_in(call->arena, anchor);
    answer->last     = check.last.number;
    answer->hash     = bytes_in(call->arena, hash);
    answer->checked  = check.checked;
    answer->has_more = check.has_more;
    answer->bad      = check.bad;
    answer->why      = check.why ? check.why : "";
    rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}

const struct rpc_method audit_service_methods[] = {
    {.name = "Note", .handle = note},
    {.name = "List", .handle = list},
    {.name = "Verify", .handle = verify},
    {},
};
