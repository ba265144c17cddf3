/* What a partition makes of breakers: it holds jobs, says what they met, and sends probes. */
#include "base/log.h"
#include "scheduler/breaker/breaker_rules.h"
#include "scheduler/breaker/target_name.h"
#include "scheduler/engine/breakers/breakers.h"
#include "scheduler/engine/breakers/engine_breakers.h"
#include "scheduler/engine/limits/engine_limits.h"
#include "scheduler/engine/redrive/redrive.h"
#include "workflow/errors.h"

#include <stdio.h>

enum {
    ROUNDS_MAX       = 4, /* of news and answers in one turn; what is left comes in the next */
    REPORT_MAX       = 1'000,
    IMPATIENT_MAX    = 1'000, /* jobs that fail in one turn */
    HTTP_UNAVAILABLE = 503,
};

static struct targets *targets_of(const struct engine *engine)
{
    return job_queues_targets(engine->queues);
}

/* --- whom a job calls --------------------------------------------------------------------------
 */

/* `name` is valid. */
static struct target *target_at(struct engine *engine, str name)
{
    if (!breaker_rules_allow(engine->options.breakers, name)) return NULL;
    struct target *target = targets_at(targets_of(engine), name);
    if (!target) log_write(LOG_WARN, "breaker.too_many_targets", LOG_STR("target", name));
    engine_limit_known(engine, name);
    return target;
}

struct target *engine_target_named(struct engine *engine, str name)
{
    return target_name_is_valid(name) ? target_at(engine, name) : NULL;
}

struct target *engine_target_of(struct engine *engine, str queue, const char *function,
                                json arguments)
{
    CLEANUP(buf_done) struct buf name = buf_init(TARGET_NAME_MAX);
    if (!target_name_put(queue, str_from(function), arguments, &name)) return NULL;
    return target_at(engine, buf_str(&name));
}

/* --- what its calls met ------------------------------------------------------------------------
 */

static void note(struct engine *engine, struct open_job *job, enum outcome outcome)
{
    struct target *target = job->target;
    if (!target) return;
    static const enum probe_end ends[] = {[OUTCOME_NONE]    = PROBE_RETURNED,
                                          [OUTCOME_SUCCESS] = PROBE_SUCCEEDED,
                                          [OUTCOME_FAILURE] = PROBE_FAILED};
    if (outcome == OUTCOME_FAILURE) target_note_failure(targets_of(engine), target);
    if (target->probe == job) target_note_probe(targets_of(engine), target, ends[outcome]);
}

struct told {
    Pb__TargetOutcome **items;
    size_t count;
};

static struct told told_of(const Pb__JobReport *report)
{
    switch (report->result_case) {
    case PB__JOB_REPORT__RESULT_COMPLETED:
        return (struct told){report->completed->outcomes, report->completed->n_outcomes};
    case PB__JOB_REPORT__RESULT_FAILED:
        return (struct told){report->failed->outcomes, report->failed->n_outcomes};
    case PB__JOB_REPORT__RESULT_RELEASED:
        return (struct told){report->released->outcomes, report->released->n_outcomes};
    default: return (struct told){};
    }
}

/* The worker says it better than the error: it may have asked several. */
static enum outcome note_told(struct engine *engine, struct open_job *job, const struct told *told)
{
    enum outcome own = OUTCOME_NONE;
    for (size_t i = 0; i < told->count; i++) {
        const Pb__TargetOutcome *outcome = told->items[i];
        struct target *target =
            *outcome->target ? engine_target_named(engine, str_from(outcome->target)) : job->target;
        bool is_asked_to_rest = outcome->rest_until_us > engine->now_us;
        if (!target) continue;
        /* A route of models: only who has called knows whom. */
        bool is_found = !job->target && outcome->only;
        if (is_found) open_job_aim(engine->queues, job, target, engine->now_us);
        if (is_asked_to_rest) {
            target_note_rest(targets_of(engine), target, outcome->rest_until_us);
        }
        if (target == job->target) {
            bool says_nothing = is_asked_to_rest && !outcome->failed;
            if (!says_nothing) own = outcome->failed ? OUTCOME_FAILURE : OUTCOME_SUCCESS;
        } else if (outcome->failed) {
            target_note_failure(targets_of(engine), target);
        } else {
            targets_drop(targets_of(engine), target); /* one that is fine need not be known */
        }
    }
    return own;
}

void engine_note_report(struct engine *engine, struct open_job *job, const Pb__JobReport *report,
                        json error)
{
    const struct told told = told_of(report);
    if (told.count > 0) {
        note(engine, job, note_told(engine, job, &told));
    } else if (report->result_case == PB__JOB_REPORT__RESULT_COMPLETED) {
        note(engine, job, OUTCOME_SUCCESS);
    } else if (report->result_case == PB__JOB_REPORT__RESULT_FAILED) {
        note(engine, job,
             outcome_of_error(error, report->failed->transient, report->failed->unknown_outcome));
    } else {
        note(engine, job, OUTCOME_NONE);
    }
}

/* A worker that falls silent says nothing of those whom it calls, but something of itself. */
void engine_note_silence(struct engine *engine, struct open_job *job, bool is_failure)
{
    bool is_worker = job->target && target_name_is_worker(job->target->name);
    note(engine, job, is_failure || is_worker ? OUTCOME_FAILURE : OUTCOME_NONE);
}

/* --- telling the system partition --------------------------------------------------------------
 */

static Pb__ProbeEnd probe_end_of(const struct target *target)
{
    if (!target->has_probe_ended) return PB__PROBE_END__PROBE_END_NONE;
    switch (target->probe_end) {
    case PROBE_RETURNED: return PB__PROBE_END__PROBE_END_RETURNED;
    case PROBE_SUCCEEDED: return PB__PROBE_END__PROBE_END_SUCCEEDED;
    case PROBE_FAILED: return PB__PROBE_END__PROBE_END_FAILED;
    }
    return PB__PROBE_END__PROBE_END_NONE;
}

/* Moves what a target has to say into `item`; the name is copied, since it may go. */
static void tell_of(struct engine *engine, struct target *target, Pb__TargetReport *item)
{
    bool wants_probe = target->state != BREAKER_CLOSED && target->held_count > 0 &&
                       !target->has_asked && !target->probe;
    *item               = (Pb__TargetReport)PB__TARGET_REPORT__INIT;
    item->target        = text_in(engine->arena, target->name);
    item->failures      = target->failures;
    item->rest_until_us = target->wants_rest_until_us;
    item->probe         = probe_end_of(target);
    item->wants_probe   = wants_probe;
    target->has_asked |= wants_probe;
    target_clear_news(target);
    count_breaker_held(engine->options.metrics, target->name, target->held_total);
    target->held_total = 0;
    targets_drop(targets_of(engine), target);
}

static status report(struct engine *engine, struct error *reterr)
{
    struct targets *targets  = targets_of(engine);
    Pb__BreakerReport told   = PB__BREAKER_REPORT__INIT;
    Pb__TargetReport *items  = arena_alloc(engine->arena, REPORT_MAX * sizeof *items);
    Pb__TargetReport **array = arena_alloc(engine->arena, REPORT_MAX * sizeof *array);
    if (!items || !array) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    struct target *target = NULL;
    while (told.n_targets < REPORT_MAX && (target = targets_take_news(targets))) {
        tell_of(engine, target, &items[told.n_targets]);
        array[told.n_targets] = &items[told.n_targets];
        told.n_targets++;
    }
    told.targets   = array;
    told.partition = engine->partition->index;
    if (engine->breakers) return engine_take_breaker_report(engine, &told, reterr);
    Pb__Message message    = PB__MESSAGE__INIT;
    message.content_case   = PB__MESSAGE__CONTENT_BREAKER_REPORT;
    message.breaker_report = &told;
    return engine_tell(engine, 0, &message, reterr);
}

/* --- hearing of it -----------------------------------------------------------------------------
 */

/* The system partition has rows of its own. */
static status keep_row(struct engine *engine, const Pb__BreakerNews *news, struct error *reterr)
{
    bool is_shut = news->state != PB__BREAKER_STATE__BREAKER_STATE_CLOSED ||
                   news->held_until_us > engine->now_us;
    struct key key;
    if (engine->breakers) return STATUS_OK;
    breaker_key(&key, str_from(news->target));
    if (!is_shut) {
        status deleted = txn_delete(engine->txn, TABLE_BREAKERS, key_bytes(&key), NULL);
        if (deleted == STATUS_OK || deleted == STATUS_NOT_FOUND) return STATUS_OK;
        return fail(reterr, deleted, "the row of a breaker cannot be deleted");
    }
    Pb__BreakerRecord record = PB__BREAKER_RECORD__INIT;
    record.state             = news->state;
    record.held_until_us     = news->held_until_us;
    return record_put(engine->txn, TABLE_BREAKERS, key_bytes(&key), &record.base, reterr);
}

/* One of those who wait may go. Its row says so, for a restart. */
static status send_probe(struct engine *engine, struct target *target, struct error *reterr)
{
    target->has_asked = false;
    if (target->probe) return STATUS_OK; /* still under way */
    struct open_job *job = target_peek(target);
    if (!job) {
        target_note_probe(targets_of(engine), target, PROBE_RETURNED);
        return STATUS_OK;
    }
    open_job_set_probe(engine->queues, job, true, engine->now_us);
    return engine_ready_put(engine, job, reterr);
}

status engine_take_breaker_news(struct engine *engine, const Pb__BreakerNews *news,
                                struct error *reterr)
{
    int64_t held_until_us = news->held_until_us > engine->now_us ? news->held_until_us : 0;
    struct target *target = targets_at(targets_of(engine), str_from(news->target));
    TRY(keep_row(engine, news, reterr));
    if (!target) return STATUS_OK; /* too many: its jobs go as if there were no breaker */
    bool closes = target->state != BREAKER_CLOSED && news->state == (int)BREAKER_CLOSED;
    targets_set(targets_of(engine), target, (enum breaker_state)news->state, held_until_us);
    if (closes) TRY(engine_redrive_closed(engine, target->name, reterr));
    if (news->probe) TRY(send_probe(engine, target, reterr));
    target_place_jobs(engine->queues, target, engine->now_us);
    targets_drop(targets_of(engine), target);
    return STATUS_OK;
}

/* --- tasks that would rather fail --------------------------------------------------------------
 */

static size_t collect_impatient(struct engine *engine, struct id *ids)
{
    size_t count  = 0;
    size_t cursor = 0;
    const struct target *target;
    while ((target = targets_next(targets_of(engine), &cursor))) {
        const struct open_job *job = target->state != BREAKER_CLOSED ? target->first : NULL;
        for (; job && count < IMPATIENT_MAX; job = job->target_next) {
            if (job->is_shut_out && job->fails_on_open) ids[count++] = job->id;
        }
    }
    return count;
}

static json open_error_new(str target)
{
    char text[TARGET_NAME_MAX + 64];
    (void)snprintf(text, sizeof text, "the circuit breaker of " STR_FMT " is open",
                   STR_ARG(target));
    return error_new(ERROR_COMMUNICATION, HTTP_UNAVAILABLE, str_from(text), (str){});
}

static status refuse_impatient(struct engine *engine, struct error *reterr)
{
    if (!targets_take_impatient(targets_of(engine))) return STATUS_OK;
    struct id *ids = arena_alloc(engine->arena, IMPATIENT_MAX * sizeof *ids);
    if (!ids) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    size_t count = collect_impatient(engine, ids);
    for (size_t i = 0; i < count; i++) {
        struct open_job *job = open_job_find(engine->queues, str_from(ids[i].text));
        if (!job || !job->is_shut_out) continue; /* an earlier one's run has taken it back */
        CLEANUP(json_unrefp) json error = open_error_new(job->target->name);
        TRY(engine_refuse_job(engine, job, error, reterr));
    }
    if (count == IMPATIENT_MAX) targets_note_impatient(targets_of(engine));
    return STATUS_OK;
}

/* --- a turn ------------------------------------------------------------------------------------
 */

status engine_breakers_settle(struct engine *engine, struct error *reterr)
{
    struct targets *targets = targets_of(engine);
    for (int i = 0; i < ROUNDS_MAX; i++) {
        if (targets_have_news(targets)) TRY(report(engine, reterr));
        if (engine->breakers) TRY(engine_owner_settle(engine, reterr));
        TRY(refuse_impatient(engine, reterr));
        if (!targets_have_news(targets) && !targets_have_impatient(targets)) break;
    }
    return STATUS_OK;
}

int64_t engine_breakers_due_us(const struct engine *engine)
{
    const struct targets *targets = targets_of(engine);
    if (targets_have_news(targets) || targets_have_impatient(targets)) return 0;
    return engine->breakers ? breakers_due_us(engine->breakers) : INT64_MAX;
}

/* --- recovery ----------------------------------------------------------------------------------
 */

struct recovery {
    struct engine *engine;
    struct arena *arena;
};

static status recover_row(bytes key, bytes row, struct error *reterr, void *context)
{
    const struct recovery *recovery = context;
    struct engine *engine           = recovery->engine;
    struct key_text name            = {};
    struct breaker breaker          = {};
    Pb__BreakerRecord *record       = NULL;
    bytes rest                      = key;
    arena_clear(recovery->arena);
    if (!key_take_text(&rest, &name)) {
        return fail(reterr, STATUS_DATA_LOSS, "table breakers: a key");
    }
    TRY(record_read(row, &pb__breaker_record__descriptor, recovery->arena, &record, reterr));
    breaker_record_read(record, &breaker);

    str text = {name.data, name.len};
    if (engine->breakers) {
        struct known_breaker *known = breakers_at(engine->breakers, text);
        if (known) breakers_restore(engine->breakers, known, record);
    }
    struct target *target = targets_at(targets_of(engine), text);
    if (!target) return STATUS_OK;
    targets_set(targets_of(engine), target, breaker.state, breaker.held_until_us);
    targets_drop(targets_of(engine), target);
    return STATUS_OK;
}

status engine_breakers_recover(struct engine *engine, struct error *reterr)
{
    enum { ROWS_PER_PAGE = 1'000, ROW_ARENA_MAX = 1 << 20 };
    if (engine->partition->index == 0) engine->breakers = breakers_new();
    CLEANUP(arena_freep) struct arena *arena = arena_new(ROW_ARENA_MAX);
    struct recovery recovery                 = {.engine = engine, .arena = arena};
    struct page page                         = {.has_more = true};
    const struct scan scan                   = {};
    while (page.has_more) {
        TRY(txn_page(engine->txn, TABLE_BREAKERS, &scan, ROWS_PER_PAGE, &page, recover_row,
                     &recovery, reterr));
    }
    return STATUS_OK;
}
