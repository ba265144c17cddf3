#include "scheduler/engine/breakers/job_wait.h"

#include "base/id.h"
#include "scheduler/engine/breakers/breakers.h"

#include <stdio.h>

enum { DETAIL_MAX = 600 /* bytes */ };

status ready_row_of(struct txn *txn, const Pb__JobRecord *record, struct arena *arena,
                    Pb__ReadyRecord **ret_ready, struct error *reterr)
{
    const struct ready_place place = {
        .namespace = str_from(record->queue_namespace),
        .queue     = str_from(record->job->queue),
        .priority  = (uint8_t)(record->job->priority & 0xF),
        .due_us    = record->due_us,
        .sequence  = record->sequence,
    };
    struct key key;
    *ret_ready = NULL;
    if (place.priority > JOB_PRIORITY_MAX || place.due_us < 0) return STATUS_OK;
    ready_key(&key, &place);
    status got = record_get(txn, TABLE_READY, key_bytes(&key), &pb__ready_record__descriptor, arena,
                            ret_ready, NULL);
    if (got == STATUS_OK || got == STATUS_NOT_FOUND) return STATUS_OK;
    return fail(reterr, got, "the queue cannot be read");
}

status target_breaker_get(struct txn *txn, str target, struct arena *arena,
                          struct breaker *ret_breaker, struct error *reterr)
{
    struct key key;
    Pb__BreakerRecord *record = NULL;
    *ret_breaker              = (struct breaker){};
    breaker_key(&key, target);
    status got = record_get(txn, TABLE_BREAKERS, key_bytes(&key), &pb__breaker_record__descriptor,
                            arena, &record, NULL);
    if (got == STATUS_NOT_FOUND) return STATUS_OK;
    if (got != STATUS_OK) return fail(reterr, got, "the breakers cannot be read");
    breaker_record_read(record, ret_breaker);
    return STATUS_OK;
}

status job_wait_target(struct txn *txn, const Pb__ReadyRecord *ready, int64_t due_us,
                       int64_t now_us, struct arena *arena, str *ret_target, struct error *reterr)
{
    struct breaker breaker = {};
    bool may_wait = *ready->target && !ready->is_leased && !ready->is_held && !ready->is_probe &&
                    due_us <= now_us;
    *ret_target = (str){};
    if (!may_wait) return STATUS_OK;
    TRY(target_breaker_get(txn, str_from(ready->target), arena, &breaker, reterr));
    if (!breaker_lets_pass(&breaker, now_us)) *ret_target = str_from(ready->target);
    return STATUS_OK;
}

const char *job_wait_budget(const Pb__ReadyRecord *ready, int64_t due_us, int64_t now_us)
{
    bool may_wait = ready->funding && !ready->is_leased && due_us <= now_us;
    if (!may_wait || ready->funding->state == PB__FUNDING_STATE__FUNDING_STATE_GRANTED) return NULL;
    return *ready->funding->told ? ready->funding->told : "its budgets are asked";
}

/* Sets what `wait` is for; the text stands before the job. */
static status put_wait(Pb__Waiting *wait, const char *kind, str text, str job, struct arena *arena,
                       struct error *reterr)
{
    char line[DETAIL_MAX];
    (void)snprintf(line, sizeof line, STR_FMT ": job " STR_FMT, STR_ARG(text), STR_ARG(job));
    char *detail = text_in(arena, str_from(line));
    if (!detail) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "an answer is too large");
    wait->kind   = kind;
    wait->detail = detail;
    return STATUS_OK;
}

/* `wait->detail` is the job's id. A job that is gone waits for nothing. */
static status explain(struct txn *txn, Pb__Waiting *wait, int64_t now_us, struct arena *arena,
                      struct error *reterr)
{
    struct key key;
    Pb__JobRecord *record  = NULL;
    Pb__ReadyRecord *ready = NULL;
    str target             = {};
    str job                = str_from(wait->detail);
    if (!id_is_valid(job)) return STATUS_OK;
    id_key(&key, job);
    status got = record_get(txn, TABLE_JOBS, key_bytes(&key), &pb__job_record__descriptor, arena,
                            &record, NULL);
    if (got != STATUS_OK || !record->job) return STATUS_OK;
    TRY(ready_row_of(txn, record, arena, &ready, reterr));
    if (!ready) return STATUS_OK;
    TRY(job_wait_target(txn, ready, record->due_us, now_us, arena, &target, reterr));
    if (target.len > 0) return put_wait(wait, "breaker", target, job, arena, reterr);
    const char *budget = job_wait_budget(ready, record->due_us, now_us);
    if (!budget) return STATUS_OK;
    return put_wait(wait, "budget", str_from(budget), job, arena, reterr);
}

static bool is_job_wait(const Pb__Waiting *wait)
{
    return strcmp(wait->kind, "job") == 0;
}

static bool waits_for_jobs(const Pb__RunView *view)
{
    for (size_t i = 0; i < view->n_waiting_for; i++) {
        if (is_job_wait(view->waiting_for[i])) return true;
    }
    return false;
}

/* No job is open, or nothing ever failed and nobody has a budget: the usual cases. */
static status may_be_held(struct txn *txn, const Pb__RunView *view, bool *ret_may,
                          struct error *reterr)
{
    static const enum table tables[] = {TABLE_BREAKERS, TABLE_BUDGETS};
    *ret_may                         = false;
    if (!waits_for_jobs(view)) return STATUS_OK;
    *ret_may = view->budget_tokens > 0 || view->budget_usd_nanos > 0;
    for (size_t i = 0; i < ARRAY_LEN(tables) && !*ret_may; i++) {
        bytes key  = {};
        bytes row  = {};
        status any = txn_last(txn, tables[i], &key, &row, NULL);
        if (any != STATUS_OK && any != STATUS_NOT_FOUND) {
            return fail(reterr, any, "table %s cannot be read", table_names[tables[i]]);
        }
        *ret_may = any == STATUS_OK;
    }
    return STATUS_OK;
}

status run_waits_explain(struct txn *txn, Pb__RunView *view, int64_t now_us, struct arena *arena,
                         struct error *reterr)
{
    bool may_be = false;
    TRY(may_be_held(txn, view, &may_be, reterr));
    for (size_t i = 0; may_be && i < view->n_waiting_for; i++) {
        Pb__Waiting *wait = view->waiting_for[i];
        if (is_job_wait(wait)) TRY(explain(txn, wait, now_us, arena, reterr));
    }
    return STATUS_OK;
}
