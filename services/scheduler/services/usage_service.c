/* What models have cost: the rows of all partitions of this process, added up. */
#include "base/clock.h"
#include "fleet/usage_sum.h"
#include "scheduler/engine/budgets/book.h"
#include "scheduler/services/call.h"
#include "scheduler/services/services.h"
#include "usage.pb-c.h"

#include <stdio.h>

enum {
    ROWS_PER_PAGE = 1'000,
    ROW_ARENA_MAX = 1 << 20,
    VALUE_MAX     = 1'024, /* bytes */
    SOURCE_SIZE   = 32,
    ROWS_MAX      = 10'000, /* and ends */
    NAMES_MAX     = 2'000,  /* bytes of all names of a row */
};
#define DAY_US INT64_C(86'400'000'000)

struct summing {
    const Pb__SumUsage *request;
    str namespace;
    struct arena *arena; /* of a row */
    struct usage_sum sum;
};

static void put_day(uint32_t day, struct buf *out)
{
    char text[TIME_TEXT_SIZE];
    time_format((int64_t)day * DAY_US, text);
    (void)buf_put_str(out, str_slice(str_from(text), 0, sizeof "2026-08-21" - 1));
}

/* The value by which a row is counted. False: it does not count. */
static bool value_of(const struct summing *summing, const Pb__UsageRecord *row, struct buf *out)
{
    const char *label = summing->request->label;
    bool by_label     = summing->request->group == PB__USAGE_GROUP__USAGE_GROUP_LABEL;
    size_t length     = strlen(label);
    if (by_label != (*row->label != '\0')) return false;
    switch (summing->request->group) {
    case PB__USAGE_GROUP__USAGE_GROUP_DAY: put_day(row->day, out); return true;
    case PB__USAGE_GROUP__USAGE_GROUP_KEY: return buf_put_text(out, row->key);
    case PB__USAGE_GROUP__USAGE_GROUP_WORKFLOW:
        if (!*row->workflow) return true; /* of no run */
        return buf_printf(out, "%s/%s", row->namespace_, row->workflow);
    case PB__USAGE_GROUP__USAGE_GROUP_PROVIDER: return buf_put_text(out, row->provider);
    case PB__USAGE_GROUP__USAGE_GROUP_MODEL:
        return buf_printf(out, "%s%s%s", row->provider, *row->provider ? "/" : "", row->model);
    case PB__USAGE_GROUP__USAGE_GROUP_LABEL:
        if (strncmp(row->label, label, length) != 0 || row->label[length] != '=') return false;
        return buf_put_text(out, row->label + length + 1);
    default: return true;
    }
}

static status add_row(bytes, bytes raw, struct error *reterr, void *context)
{
    struct summing *summing            = context;
    Pb__UsageRecord *row               = NULL;
    CLEANUP(buf_done) struct buf value = buf_init(VALUE_MAX);
    arena_clear(summing->arena);
    TRY(record_read(raw, &pb__usage_record__descriptor, summing->arena, &row, reterr));
    bool is_its = str_is(summing->namespace, "*") || str_is(summing->namespace, row->namespace_);
    if (!is_its || !row->counters || !value_of(summing, row, &value)) return STATUS_OK;
    usage_sum_add(&summing->sum, buf_str(&value), row->counters);
    return STATUS_OK;
}

static status sum_partition(struct summing *summing, struct store *store, struct error *reterr)
{
    struct key from;
    struct key until;
    struct page page = {.has_more = true};
    key_begin(&from);
    key_begin(&until);
    key_put_u32(&from, summing->request->from_day);
    key_put_u32(&until, summing->request->until_day + 1);
    const struct scan days = {.from = key_bytes(&from), .until = key_bytes(&until)};
    while (page.has_more) {
        CLEANUP(txn_abortp) struct txn *txn = NULL;
        TRY(txn_begin_read(store, &txn, reterr));
        TRY(txn_page(txn, TABLE_USAGE, &days, ROWS_PER_PAGE, &page, add_row, summing, reterr));
    }
    return STATUS_OK;
}

static status answer(struct rpc_call *call, const struct usage_sum *sum, struct error *reterr)
{
    Pb__UsageSum *response   = call->response;
    Pb__UsageOfGroup *groups = arena_alloc(call->arena, (sum->count + 1) * sizeof *groups);
    response->groups = arena_alloc(call->arena, (sum->count + 1) * sizeof *response->groups);
    if (!groups || !response->groups) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "too many groups: ask for fewer days");
    }
    for (size_t i = 0; i < sum->count; i++) {
        groups[i]                              = (Pb__UsageOfGroup)PB__USAGE_OF_GROUP__INIT;
        groups[i].value                        = sum->groups[i].value;
        groups[i].counters                     = &sum->groups[i].counters;
        response->groups[response->n_groups++] = &groups[i];
    }
    rpc_reply(call, STATUS_OK, NULL); /* written before it returns */
    return STATUS_OK;
}

static status sum(struct rpc_call *call, struct error *reterr)
{
    const Pb__SumUsage *request = call->request;
    struct summing summing      = {.request   = request,
                                   .namespace = call_namespace(call, request->namespace_)};
    if (request->until_day == UINT32_MAX || request->from_day > request->until_day) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "the first day is not after the last one");
    }
    CLEANUP(arena_freep) struct arena *arena = arena_new(ROW_ARENA_MAX);
    summing.arena                            = arena;
    usage_sum_init(&summing.sum);
    status code = STATUS_OK;
    for (uint16_t i = 0; code == STATUS_OK && i < scheduler_partition_count(call->context); i++) {
        const struct shard *shard = scheduler_shard(call->context, i);
        if (shard) code = sum_partition(&summing, shard->partition->store, reterr);
    }
    if (code == STATUS_OK) code = answer(call, &summing.sum, reterr);
    usage_sum_done(&summing.sum);
    return code;
}

/* --- of calls that are no jobs -----------------------------------------------------------------
 */

static bool is_fine_end(const Pb__CallEnd *end)
{
    bool is_fine = id_is_valid(str_from(end->call)) && strlen(end->namespace_) <= NAMES_MAX &&
                   end->n_budgets <= BUDGET_PAYERS_MAX + RUN_PURSES_MAX;
    for (size_t i = 0; is_fine && i < end->n_budgets; i++) {
        is_fine = strlen(end->budgets[i]) <= BUDGET_NAME_MAX;
    }
    return is_fine;
}

static bool is_fine(const Pb__UsageReport *report)
{
    str source   = str_from(report->source);
    bool is_fine = source.len == SOURCE_SIZE && report->number > 0 && report->n_rows <= ROWS_MAX &&
                   report->n_ends <= ROWS_MAX;
    for (size_t i = 0; is_fine && i < report->n_ends; i++) is_fine = is_fine_end(report->ends[i]);
    for (size_t i = 0; is_fine && i < report->n_rows; i++) {
        const Pb__UsageRecord *row = report->rows[i];
        size_t size = strlen(row->namespace_) + strlen(row->key) + strlen(row->workflow) +
                      strlen(row->provider) + strlen(row->model) + strlen(row->label) +
                      strlen(row->run) + strlen(row->call);
        is_fine = row->counters && size <= NAMES_MAX;
    }
    return is_fine;
}

/* The same rows, none of them of all namespaces: an admin's calls are the default one's. NULL: no
 * memory. */
static Pb__UsageReport *report_in(const struct rpc_call *call)
{
    const Pb__UsageReport *given = call->request;
    Pb__UsageReport *report      = arena_alloc(call->arena, sizeof *report);
    Pb__UsageRecord *rows        = arena_alloc(call->arena, (given->n_rows + 1) * sizeof *rows);
    Pb__UsageRecord **list       = arena_alloc(call->arena, (given->n_rows + 1) * sizeof *list);
    if (!report || !rows || !list) return NULL;
    *report      = *given;
    report->rows = list;
    for (size_t i = 0; i < given->n_rows; i++) {
        rows[i]            = *given->rows[i];
        str namespace      = namespace_of_keys(call_namespace(call, rows[i].namespace_));
        rows[i].namespace_ = text_in(call->arena, namespace);
        if (!rows[i].namespace_) return NULL;
        list[i] = &rows[i];
    }
    return report;
}

static status report(struct rpc_call *call, struct error *reterr)
{
    if (!scheduler_shard(call->context, 0)) return call_moved(call, 0);
    if (!is_fine(call->request)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "a report has a source of %d digits, a number, at most %d rows with counters, "
                    "and ends of calls that have an id, and names of at most %d bytes",
                    SOURCE_SIZE, ROWS_MAX, NAMES_MAX);
    }
    struct command *command = call_command(call, COMMAND_REPORT_USAGE, 0);
    Pb__UsageReport *rows   = report_in(call);
    if (!command || !rows) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the report is too large");
    }
    command->request = rows;
    call_post(call, scheduler_shard(call->context, 0), command);
    return STATUS_OK;
}

const struct rpc_method usage_service_methods[] = {
    {.name = "Sum", .handle = sum},
    {.name = "Report", .handle = report},
    {},
};
