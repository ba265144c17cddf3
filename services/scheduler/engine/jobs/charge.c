#include "scheduler/engine/jobs/charge.h"

#include "scheduler/engine/budgets/engine_budgets.h"
#include "scheduler/engine/budgets/late_funds.h"
#include "scheduler/engine/events/webhooks.h"
#include "scheduler/engine/rows.h"
#include "scheduler/engine/usages/usage_rows.h"
#include "scheduler/tables/run_wire.h"

enum { TIDY_ROWS = 2 /* looked at with each new one, in turn: so they are bounded */ };

/* A worker repeats its reports for ten minutes (WORKER_REPORT_MS) after its call has ended, which
 * may take long where it cannot reach anybody. */
#define REPORTED_US INT64_C(86'400'000'000)

status engine_charge_run(struct engine *engine, const struct id *job, str run,
                         const struct usage *usage, struct error *reterr)
{
    struct live_run *live = NULL;
    TRY(engine_run(engine, run, NULL, &live, reterr));
    if (!live) return STATUS_OK;
    const struct decide_env env = engine_env(engine);
    engine_work_begin(engine, run);
    run_charge(live->run, &env, job, usage, &engine->events);
    status kept = engine_keep(engine, live, reterr);
    engine_work_end(engine);
    return kept;
}

/* The run's own sum, and those by day. */
static status charge_run(struct engine *engine, const struct id *job, str run,
                         const Pb__JobReport *report, struct error *reterr)
{
    struct live_run *live = NULL;
    struct usage usage    = {};
    TRY(engine_run(engine, run, NULL, &live, reterr));
    if (!live) return STATUS_OK; /* it was deleted, or cannot be read */
    usage_from_wire(engine_usage_of(report), &usage);
    TRY(engine_charge_run(engine, job, run, &usage, reterr));
    return engine_usage_report(engine, run, report, reterr);
}

static bool has_used(const Pb__JobReport *report)
{
    const Pb__Usage *used = engine_usage_of(report);
    return used && (used->calls > 0 || used->input_tokens > 0 || used->output_tokens > 0 ||
                    used->cost_usd_nanos > 0);
}

/* --- handed back -------------------------------------------------------------------------------
 */

status engine_charge_released(struct engine *engine, struct open_job *job,
                              const Pb__JobReport *report, struct error *reterr)
{
    const struct id id  = job->id;
    const struct id run = job->run;
    if (!has_used(report) || job_is_delivery(job)) return STATUS_OK;
    TRY(engine_fund_report(engine, job, report, reterr));
    return charge_run(engine, &id, str_from(run.text), report, reterr);
}

status engine_charge_untaken(struct engine *engine, const struct id *job, str run,
                             const Pb__JobReport *report, struct error *reterr)
{
    if (!report || !has_used(report)) return STATUS_OK;
    return charge_run(engine, job, run, report, reterr);
}

/* --- leases that ended without a report ---------------------------------------------------------
 */

/* Those whose holders have died. They lie by jobs, not by time: one that lapses again and again has
 * young rows before old ones of others. */
static status tidy(struct engine *engine, struct error *reterr)
{
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    struct page *place                           = &engine->unsaid_sweep;
    const struct scan scan                       = {.after = {place->key, place->key_len}};
    struct error why                             = {};
    TRY(cursor_open(engine->txn, TABLE_UNSAID_LEASES, &scan, &cursor, reterr));
    for (int i = 0; i < TIDY_ROWS; i++) {
        bytes key                  = {};
        bytes value                = {};
        Pb__UnsaidLeaseRecord *row = NULL;
        status code                = cursor_next(cursor, &key, &value, reterr);
        if (code == STATUS_NOT_FOUND) {
            place->key_len = 0; /* from the start, next time */
            return STATUS_OK;
        }
        TRY(code);
        memcpy(place->key, key.ptr, key.len);
        place->key_len = key.len;
        code = record_read(value, &pb__unsaid_lease_record__descriptor, engine->arena, &row, &why);
        if (code == STATUS_DATA_LOSS) {
            engine_row_unreadable(engine, TABLE_UNSAID_LEASES, key, &why);
        }
        if (code == STATUS_OK && row->until_us > engine->now_us) continue;
        TRY(cursor_delete(cursor, reterr)); /* what cannot be read is no use to anybody */
    }
    return STATUS_OK;
}

status engine_lease_unsaid(struct engine *engine, struct open_job *job, bool goes,
                           struct error *reterr)
{
    Pb__UnsaidLeaseRecord row = PB__UNSAID_LEASE_RECORD__INIT;
    struct key key;
    TRY(tidy(engine, reterr));
    row.job          = job->id.text;
    row.run          = job->run.text;
    row.lease_number = job->lease_number;
    row.until_us     = engine->now_us + REPORTED_US;
    if (goes) engine_late_funds_keep(engine, job, &row);
    lease_row_key(&key, str_from(job->id.text), job->lease_number);
    return record_put(engine->txn, TABLE_UNSAID_LEASES, key_bytes(&key), &row.base, reterr);
}

/* `*ret_row` NULL: there is none. */
static status find_row(struct engine *engine, const struct lease *lease, struct key *ret_key,
                       Pb__UnsaidLeaseRecord **ret_row, struct error *reterr)
{
    *ret_row = NULL;
    lease_row_key(ret_key, str_from(lease->job.text), lease->number);
    status got = record_get(engine->txn, TABLE_UNSAID_LEASES, key_bytes(ret_key),
                            &pb__unsaid_lease_record__descriptor, engine->arena, ret_row, NULL);
    if (got == STATUS_OK) return STATUS_OK;
    *ret_row = NULL;
    if (got == STATUS_NOT_FOUND || got == STATUS_DATA_LOSS) return STATUS_OK;
    return fail(reterr, got, "table unsaid_leases: a row");
}

/* Under which lease it has bought what it says it has used. False: no lease of this job. */
static bool payer_of(struct engine *engine, const Pb__JobReport *report, struct lease *ret_lease)
{
    bool is_bought = report->result_case == PB__JOB_REPORT__RESULT_COMPLETED &&
                     report->completed->bought_by.len > 0;
    const bytes own = {report->lease_token.data, report->lease_token.len};
    const bytes paid =
        is_bought ? (bytes){report->completed->bought_by.data, report->completed->bought_by.len}
                  : own;
    return lease_verify(paid, &engine->partition->lease_key, ret_lease) &&
           strcmp(ret_lease->job.text, report->job) == 0;
}

/* It has been said. If something was bought, who has the job now may come with the same answer. */
static status note_said(struct engine *engine, const struct key *key, Pb__UnsaidLeaseRecord *row,
                        bool is_bought, struct error *reterr)
{
    if (!is_bought || !open_job_find(engine->queues, str_from(row->job))) {
        return txn_delete(engine->txn, TABLE_UNSAID_LEASES, key_bytes(key), reterr);
    }
    row->is_charged = true;
    row->funding    = NULL;
    return record_put(engine->txn, TABLE_UNSAID_LEASES, key_bytes(key), &row->base, reterr);
}

status engine_charge_late(struct engine *engine, const Pb__JobReport *report, bool *ret_is_taken,
                          struct error *reterr)
{
    struct key key;
    struct lease lease         = {};
    Pb__UnsaidLeaseRecord *row = NULL;
    *ret_is_taken              = false;
    if (!payer_of(engine, report, &lease)) return STATUS_OK;
    TRY(find_row(engine, &lease, &key, &row, reterr));
    if (!row || row->is_charged) return STATUS_OK;
    const struct attempt_end attempt = {
        .job = &lease.job, .run = str_from(row->run), .used = engine_usage_of(report)};
    bool is_kept  = false;
    *ret_is_taken = has_used(report);
    TRY(note_said(engine, &key, row, *ret_is_taken, reterr));
    TRY(engine_late_funds_end(engine, str_from(lease.job.text), attempt.used, &is_kept, reterr));
    if (!*ret_is_taken) return STATUS_OK;
    if (!is_kept) TRY(engine_fund_tell(engine, &attempt, reterr));
    return charge_run(engine, &lease.job, str_from(row->run), report, reterr);
}

/* The report with nothing used, and what it would have cost. NULL: no memory. */
static const Pb__JobReport *unpaid(struct engine *engine, const Pb__JobReport *report)
{
    Pb__JobReport *copy      = arena_alloc(engine->arena, sizeof *copy);
    Pb__JobCompleted *answer = arena_alloc(engine->arena, sizeof *answer);
    Pb__Usage *saved         = arena_alloc(engine->arena, sizeof *saved);
    if (!copy || !answer || !saved) return NULL;
    *copy              = *report;
    *answer            = *report->completed;
    *saved             = (Pb__Usage)PB__USAGE__INIT;
    saved->cost_source = PB__COST_SOURCE__COST_SOURCE_CACHED;
    answer->usage      = saved;
    copy->completed    = answer;
    return copy;
}

status engine_charge_once(struct engine *engine, const struct open_job *job,
                          const Pb__JobReport *report, const Pb__JobReport **ret_counted,
                          struct error *reterr)
{
    struct key key;
    struct lease lease         = {};
    Pb__UnsaidLeaseRecord *row = NULL;
    bool is_in_time            = job->state == OPEN_JOB_LEASED;
    *ret_counted               = report;
    if (is_in_time && report->completed->bought_by.len == 0) return STATUS_OK;
    if (!payer_of(engine, report, &lease)) return STATUS_OK;
    if (is_in_time && lease.number == job->lease_number) return STATUS_OK;
    TRY(find_row(engine, &lease, &key, &row, reterr));
    if (!row) return STATUS_OK;
    if (row->is_charged) *ret_counted = unpaid(engine, report);
    if (!*ret_counted) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    return txn_delete(engine->txn, TABLE_UNSAID_LEASES, key_bytes(&key), reterr);
}
