#include "scheduler/engine/jobs/charge.h"

#include "scheduler/engine/budgets/engine_budgets.h"
#include "scheduler/engine/budgets/late_funds.h"
#include "scheduler/engine/events/webhooks.h"
#include "scheduler/engine/rows.h"
#include "scheduler/engine/usages/usage_rows.h"
#include "scheduler/tables/run_wire.h"

enum { TIDY_ROWS = 2 /* of the oldest, looked at with each new one: so they are bounded */ };

/* A worker repeats its reports for ten minutes (WORKER_REPORT_MS), after it has heard of it. */
#define REPORTED_US INT64_C(3'600'000'000)

/* The run's own sum, and those by day. */
static status charge_run(struct engine *engine, const struct id *job, str run,
                         const Pb__JobReport *report, struct error *reterr)
{
    struct live_run *live = NULL;
    struct usage usage    = {};
    TRY(engine_run(engine, run, NULL, &live, reterr));
    if (!live) return STATUS_OK; /* it was deleted, or cannot be read */
    usage_from_wire(engine_usage_of(report), &usage);
    const struct decide_env env = engine_env(engine);
    engine_work_begin(engine, run);
    run_charge(live->run, &env, job, &usage, &engine->events);
    status kept = engine_keep(engine, live, reterr);
    engine_work_end(engine);
    TRY(kept);
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

/* --- cancelled ---------------------------------------------------------------------------------
 */

/* Those whose holders have died. */
static status tidy(struct engine *engine, struct error *reterr)
{
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    const struct scan all                        = {};
    struct error why                             = {};
    TRY(cursor_open(engine->txn, TABLE_CANCELLED_JOBS, &all, &cursor, reterr));
    for (int i = 0; i < TIDY_ROWS; i++) {
        bytes key                   = {};
        bytes value                 = {};
        Pb__CancelledJobRecord *row = NULL;
        status code                 = cursor_next(cursor, &key, &value, reterr);
        if (code == STATUS_NOT_FOUND) return STATUS_OK;
        TRY(code);
        code = record_read(value, &pb__cancelled_job_record__descriptor, engine->arena, &row, &why);
        if (code == STATUS_DATA_LOSS) {
            engine_row_unreadable(engine, TABLE_CANCELLED_JOBS, key, &why);
        }
        if (code == STATUS_OK && row->until_us > engine->now_us) return STATUS_OK;
        TRY(cursor_delete(cursor, reterr)); /* what cannot be read is no use to anybody */
    }
    return STATUS_OK;
}

status engine_cancelled_note(struct engine *engine, struct open_job *job, struct error *reterr)
{
    Pb__CancelledJobRecord row = PB__CANCELLED_JOB_RECORD__INIT;
    struct key key;
    TRY(tidy(engine, reterr));
    row.job          = job->id.text;
    row.run          = job->run.text;
    row.lease_number = job->lease_number;
    row.until_us     = engine->now_us + REPORTED_US;
    engine_late_funds_keep(engine, job, &row);
    id_key(&key, str_from(job->id.text));
    return record_put(engine->txn, TABLE_CANCELLED_JOBS, key_bytes(&key), &row.base, reterr);
}

status engine_charge_cancelled(struct engine *engine, const Pb__JobReport *report,
                               bool *ret_is_taken, struct error *reterr)
{
    struct key key;
    struct lease lease          = {};
    Pb__CancelledJobRecord *row = NULL;
    const bytes token           = {report->lease_token.data, report->lease_token.len};
    *ret_is_taken               = false;
    if (!lease_verify(token, &engine->partition->lease_key, &lease) ||
        strcmp(lease.job.text, report->job) != 0) {
        return STATUS_OK;
    }
    id_key(&key, str_from(lease.job.text));
    status got = record_get(engine->txn, TABLE_CANCELLED_JOBS, key_bytes(&key),
                            &pb__cancelled_job_record__descriptor, engine->arena, &row, NULL);
    if (got == STATUS_NOT_FOUND || got == STATUS_DATA_LOSS) return STATUS_OK;
    if (got != STATUS_OK) return fail(reterr, got, "table cancelled_jobs: a row");
    if (row->lease_number != lease.number) return STATUS_OK;
    const struct attempt_end attempt = {
        .job = &lease.job, .run = str_from(row->run), .used = engine_usage_of(report)};
    bool is_kept  = false;
    *ret_is_taken = has_used(report);
    TRY(txn_delete(engine->txn, TABLE_CANCELLED_JOBS, key_bytes(&key), reterr));
    TRY(engine_late_funds_end(engine, str_from(lease.job.text), attempt.used, &is_kept, reterr));
    if (!*ret_is_taken) return STATUS_OK;
    if (!is_kept) TRY(engine_fund_tell(engine, &attempt, reterr));
    return charge_run(engine, &lease.job, str_from(row->run), report, reterr);
}
