#include "scheduler/services/run_why.h"

#include "base/clock.h"
#include "base/utf8.h"
#include "dead_letter.pb-c.h"
#include "job.pb-c.h"
#include "scheduler/engine/breakers/job_wait.h"
#include "scheduler/engine/limits/limit_board.h"
#include "scheduler/engine/queues/board.h"
#include "scheduler/services/services.h"
#include "scheduler/tables/dead_letters.h"
#include "scheduler/tables/run_wire.h"

struct why {
    const struct shard *shard;
    struct arena *arena;
    struct txn *txn;
    Pb__RunView *view;
    Pb__Waiting *one; /* being explained */
};

/* Static text or one of the arena; "" past its limit. */
static const char *said(const char *text)
{
    return text ? text : "";
}

static const char *time_text(struct why *why, int64_t time_us)
{
    char text[TIME_TEXT_SIZE];
    if (time_us <= 0) return "its start";
    time_format(time_us, text);
    return text_in(why->arena, str_from(text));
}

/* Another entry, in front of the others. */
static status add(struct why *why, const char *kind, int64_t since_us, struct error *reterr)
{
    Pb__RunView *view  = why->view;
    Pb__Waiting **list = arena_alloc(why->arena, (view->n_waiting_for + 1) * sizeof *list);
    why->one           = arena_alloc(why->arena, sizeof *why->one);
    if (!list || !why->one) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    *why->one          = (Pb__Waiting)PB__WAITING__INIT;
    why->one->kind     = kind;
    why->one->since_us = since_us;
    list[0]            = why->one;
    for (size_t i = 0; i < view->n_waiting_for; i++) list[i + 1] = view->waiting_for[i];
    view->waiting_for = list;
    view->n_waiting_for++;
    return STATUS_OK;
}

/* --- jobs --------------------------------------------------------------------------------------
 */

/* The queue of a job; a zeroed one if nothing has been in it yet. */
static status find_queue(struct why *why, const Pb__JobRecord *record, Pb__QueueView *ret_queue,
                         struct error *reterr)
{
    struct board_queues queues = {};
    *ret_queue                 = (Pb__QueueView)PB__QUEUE_VIEW__INIT;
    TRY(board_queues(why->shard->board, record->queue_namespace, record->job->queue, why->arena,
                     &queues, reterr));
    if (queues.count > 0) *ret_queue = *queues.items[0];
    return STATUS_OK;
}

static const char *rate_text(struct why *why, uint32_t count, int64_t period_us, int64_t opens_us)
{
    char per[TIME_TEXT_SIZE];
    duration_format(period_us, per);
    return said(arena_printf(why->arena, "%u in %s; the next one at %s", count, per,
                             time_text(why, opens_us)));
}

/* False: the queue hands out what waits in it. */
static bool explain_shut_queue(struct why *why, const Pb__LeasedJob *job,
                               const Pb__QueueView *queue)
{
    Pb__Waiting *one  = why->one;
    const char *since = time_text(why, one->since_us);
    if (queue->paused) {
        one->reason =
            said(arena_printf(why->arena, "the call %s at %s waits since %s: queue %s is paused",
                              job->function, one->task, since, job->queue));
        one->advice = said(arena_printf(why->arena, "`tutti queue resume %s`", job->queue));
        return true;
    }
    bool is_full      = queue->share > 0 && queue->running >= queue->share;
    bool is_throttled = queue->opens_us > clock_unix_us();
    if (!is_full && !is_throttled) return false;
    const char *rule =
        is_full ? said(arena_printf(why->arena, "%llu of its jobs are at work, and %u may be",
                                    (unsigned long long)queue->running, queue->share))
                : rate_text(why, queue->rate_count, queue->rate_period_us, queue->opens_us);
    one->kind   = "limit";
    one->detail = said(arena_printf(why->arena, "queue:%s", job->queue));
    one->due_us = is_full ? 0 : queue->opens_us;
    one->reason =
        said(arena_printf(why->arena, "%s at %s is held by the limit of queue %s (%s) since %s",
                          job->function, one->task, job->queue, rule, since));
    one->advice = said(arena_printf(why->arena, "wait, or give more room: `tutti queue set %s %s`",
                                    job->queue, is_full ? "--concurrency" : "--rate"));
    return true;
}

static void explain_queued(struct why *why, const Pb__LeasedJob *job, const Pb__QueueView *queue)
{
    Pb__Waiting *one = why->one;
    one->reason =
        said(arena_printf(why->arena, "the call %s at %s waits for a worker of queue %s since %s",
                          job->function, one->task, job->queue, time_text(why, one->since_us)));
    if (queue->workers == 0 && queue->draining > 0) {
        one->advice = said(arena_printf(
            why->arena,
            "%llu worker(s) of queue %s are drained and take no jobs: start another one, or "
            "`tutti workers resume NAME` (`tutti workers` shows them)",
            (unsigned long long)queue->draining, job->queue));
    } else if (queue->workers == 0) {
        one->advice = said(arena_printf(
            why->arena, "no worker serves queue %s: start one (`tutti queue %s` shows it)",
            job->queue, job->queue));
    } else {
        one->advice =
            said(arena_printf(why->arena,
                              "%llu worker(s) serve queue %s and are busy: wait, or "
                              "start more (`tutti queue %s`)",
                              (unsigned long long)queue->workers, job->queue, job->queue));
    }
}

/* The limit of `name`, if jobs wait for it; else NULL. */
static status shut_limit(struct why *why, const char *name, const Pb__LimitView **ret_limit,
                         struct error *reterr)
{
    Pb__LimitList list = PB__LIMIT_LIST__INIT;
    *ret_limit         = NULL;
    if (!name || !*name) return STATUS_OK;
    TRY(limit_board_list(board_limits(why->shard->board), str_from(name), why->arena, &list,
                         reterr));
    if (list.n_limits > 0 && list.limits[0]->shut) *ret_limit = list.limits[0];
    return STATUS_OK;
}

static status find_limit(struct why *why, const Pb__JobRecord *record,
                         const Pb__LimitView **ret_limit, struct error *reterr)
{
    Pb__ReadyRecord *ready = NULL;
    *ret_limit             = NULL;
    TRY(ready_row_of(why->txn, record, why->arena, &ready, reterr));
    if (!ready) return STATUS_OK;
    const char *of_queue = arena_printf(why->arena, "queue:%s/%s:%s", record->job->namespace_,
                                        record->job->queue, ready->limit_key);
    const char *names[]  = {ready->limit_name, *ready->limit_key ? of_queue : "", ready->target};
    for (size_t i = 0; i < ARRAY_LEN(names) && !*ret_limit; i++) {
        TRY(shut_limit(why, names[i], ret_limit, reterr));
    }
    return STATUS_OK;
}

static const char *rule_text(struct why *why, const Pb__LimitView *limit)
{
    const Pb__LimitRule *rule = limit->rule;
    bool is_full              = rule->concurrency > 0 && limit->used >= rule->concurrency;
    if (is_full) {
        return said(arena_printf(why->arena, "%llu of %u are at work",
                                 (unsigned long long)limit->used, rule->concurrency));
    }
    if (limit->opens_us == 0) return "its permits are used by others";
    return rate_text(why, rule->rate_count, rule->rate_period_us, limit->opens_us);
}

static void explain_limit(struct why *why, const Pb__LeasedJob *job, const Pb__LimitView *limit)
{
    Pb__Waiting *one  = why->one;
    const char *rule  = rule_text(why, limit);
    const char *since = time_text(why, one->since_us);
    one->kind         = "limit";
    one->detail       = limit->name;
    one->due_us       = limit->opens_us;
    one->reason       = said(arena_printf(why->arena, "%s at %s is held by limit %s (%s) since %s",
                                          job->function, one->task, limit->name, rule, since));
    one->advice =
        said(arena_printf(why->arena, "wait, or give more room: `tutti limits %s`", limit->name));
}

/* Nobody has it, and it is due. */
static status explain_ready(struct why *why, const Pb__JobRecord *record, struct error *reterr)
{
    const Pb__LimitView *limit = NULL;
    Pb__QueueView queue        = PB__QUEUE_VIEW__INIT;
    TRY(find_queue(why, record, &queue, reterr));
    if (explain_shut_queue(why, record->job, &queue)) return STATUS_OK;
    TRY(find_limit(why, record, &limit, reterr));
    if (limit) {
        explain_limit(why, record->job, limit);
    } else {
        explain_queued(why, record->job, &queue);
    }
    return STATUS_OK;
}

static status explain_job(struct why *why, struct error *reterr)
{
    Pb__Waiting *one      = why->one;
    Pb__JobRecord *record = NULL;
    Pb__JobView state     = PB__JOB_VIEW__INIT;
    const char *since     = time_text(why, one->since_us);
    struct key key;
    if (!id_is_valid(str_from(one->detail))) return STATUS_OK;
    id_key(&key, str_from(one->detail));
    status got = record_get(why->txn, TABLE_JOBS, key_bytes(&key), &pb__job_record__descriptor,
                            why->arena, &record, reterr);
    if (got == STATUS_NOT_FOUND) return STATUS_OK; /* just over */
    TRY(got);
    TRY(job_state_fill(why->txn, record, why->arena, &state, reterr));
    const Pb__LeasedJob *job = record->job;
    bool is_held             = why->view->status == PB__RUN_STATUS__RUN_STATUS_SUSPENDED;
    one->state               = is_held && strcmp(state.state, "leased") != 0 ? "held" : state.state;
    if (strcmp(one->state, "leased") == 0) {
        one->reason = said(arena_printf(why->arena, "worker %s is at the call %s of %s, attempt %u",
                                        state.holder, job->function, one->task, job->attempt));
        one->advice = "wait; if the worker falls silent, another one gets the job";
    } else if (strcmp(one->state, "held") == 0) {
        one->reason = said(arena_printf(why->arena, "the call %s at %s is held since %s",
                                        job->function, one->task, since));
        one->advice = "let the run go on: `tutti resume`";
    } else if (strcmp(one->state, "delayed") == 0) {
        one->due_us = record->due_us;
        one->reason = said(arena_printf(why->arena,
                                        "the call %s at %s has failed and is tried "
                                        "again at %s, attempt %u",
                                        job->function, one->task, time_text(why, record->due_us),
                                        job->attempt));
        one->advice = "wait, or mend what it calls; `tutti logs` shows the error";
    } else {
        return explain_ready(why, record, reterr);
    }
    return STATUS_OK;
}

/* What the breaker of a target says about a call that waits for it. */
static void put_breaker(struct why *why, const char *target, const struct breaker *breaker)
{
    Pb__Waiting *one   = why->one;
    const char *state  = time_text(why, breaker->since_us);
    const char *reason = "it closes just now";
    one->advice        = "wait";
    one->due_us        = breaker_until_us(breaker);
    if (breaker->is_forced) {
        reason = said(arena_printf(why->arena, "it was opened by hand at %s", state));
        one->advice =
            said(arena_printf(why->arena, "let it go on: `tutti breakers %s reset`", target));
    } else if (breaker->state == BREAKER_OPEN) {
        reason =
            said(arena_printf(why->arena, "open since %s, as calls have failed; tried again at %s",
                              state, time_text(why, breaker->half_open_us)));
        one->advice = said(
            arena_printf(why->arena, "wait, or mend %s and let it go on: `tutti breakers %s reset`",
                         target, target));
    } else if (breaker->held_until_us > clock_unix_us()) {
        reason =
            said(arena_printf(why->arena, "who is called has asked for rest until %s (Retry-After)",
                              time_text(why, breaker->held_until_us)));
    } else if (breaker->state == BREAKER_HALF_OPEN) {
        reason = said(arena_printf(why->arena, "half-open since %s, one call tries it", state));
    }
    one->reason = said(
        arena_printf(why->arena, "the call at %s is held by the circuit breaker of %s since %s: %s",
                     one->task, target, time_text(why, one->since_us), reason));
}

/* The detail is `<target>: job <id>`, and no target has a space in it. */
static status explain_breaker(struct why *why, struct error *reterr)
{
    const char *detail     = why->one->detail;
    struct breaker breaker = {};
    str target             = {.ptr = detail, .len = strcspn(detail, " ")};
    if (target.len > 0) target.len--;
    TRY(target_breaker_get(why->txn, target, why->arena, &breaker, reterr));
    why->one->state = "held";
    put_breaker(why, said(text_in(why->arena, target)), &breaker);
    return STATUS_OK;
}

/* --- other tasks -------------------------------------------------------------------------------
 */

static status explain_task(struct why *why, struct error *reterr)
{
    Pb__Waiting *one  = why->one;
    const char *since = time_text(why, one->since_us);
    const char *run   = why->view->id;
    if (strcmp(one->kind, "job") == 0) return explain_job(why, reterr);
    if (strcmp(one->kind, "breaker") == 0) return explain_breaker(why, reterr);
    if (strcmp(one->kind, "budget") == 0) {
        one->reason = said(arena_printf(why->arena, "the call at %s is held since %s: %s",
                                        one->task, since, one->detail));
        one->advice = "wait, or raise the budget: `tutti budget` shows all of them";
        return STATUS_OK;
    }
    if (strcmp(one->kind, "timer") == 0) {
        one->reason = said(
            arena_printf(why->arena, "%s waits until %s", one->task, time_text(why, one->due_us)));
        one->advice = "wait";
    } else if (strcmp(one->kind, "approval") == 0) {
        one->reason = said(
            arena_printf(why->arena, "somebody has to decide at %s since %s", one->task, since));
        one->advice = said(arena_printf(why->arena, "`tutti approve %s` or `tutti reject %s`",
                                        one->detail, one->detail));
    } else if (strcmp(one->kind, "slot") == 0) {
        one->reason = said(arena_printf(
            why->arena,
            "%s waits since %s for the answer of an equal call, kept or under way (cache)",
            one->task, since));
        one->advice = "wait; if there is none, or it fails, this call is made";
    } else if (strcmp(one->kind, "dead_letter") == 0) {
        one->reason = said(arena_printf(
            why->arena, "%s was given up at %s, after its last attempt, and waits for an operator",
            one->task, since));
        one->advice = said(arena_printf(
            why->arena, "mend the cause, then `tutti retry %s`; or let it fail: `tutti fail %s`",
            run, run));
    } else if (strcmp(one->kind, "child") == 0) {
        one->reason = said(arena_printf(why->arena, "%s waits for its child run %s since %s",
                                        one->task, one->detail, since));
        one->advice = said(arena_printf(why->arena, "`tutti why %s`", one->detail));
    } else {
        bool has_type    = *one->detail != '\0';
        const char *type = has_type ? one->detail : "NAME";
        one->reason = said(arena_printf(why->arena, "%s waits for an event%s%s since %s", one->task,
                                        has_type ? " of type " : "", has_type ? type : "", since));
        one->advice = said(arena_printf(
            why->arena, "send it: `tutti signal %s %s`, or POST /v1/events", run, type));
    }
    return STATUS_OK;
}

/* --- the run as a whole ------------------------------------------------------------------------
 */

struct pause {
    int64_t since_us;
    bool is_of_budget;
    const char *reason;
    bool is_own; /* of the suite, not of somebody */
    struct arena *arena;
};

static void find_pause(const struct run *, const struct event *event, void *context)
{
    struct pause *pause = context;
    if (event->kind != EVENT_RUN_SUSPENDED) return;
    json reason         = json_get_text(event->value, "reason");
    json by             = json_get_text(event->value, "by");
    pause->is_own       = json_is(by, JSON_TEXT) && str_is(json_str(by), RUN_PAUSED_BY);
    pause->is_of_budget = json_is(by, JSON_TEXT) && str_is(json_str(by), "budget");
    pause->since_us     = event->time_us;
    pause->reason       = json_is(reason, JSON_TEXT) ? text_in(pause->arena, json_str(reason)) : "";
}

static status explain_pause(struct why *why, struct error *reterr)
{
    struct pause pause                 = {.arena = why->arena, .reason = ""};
    Pb__RunHead *head                  = NULL;
    Pb__RunView *row                   = NULL;
    const struct run_visit visit       = {.visit = find_pause, .context = &pause};
    CLEANUP(run_freep) struct run *run = NULL;
    str id                             = str_from(why->view->id);
    TRY(run_rows_get(why->txn, id, why->arena, &row, &head, reterr));
    TRY(run_load(why->txn, scheduler_definitions(why->shard->scheduler), id, head,
                 (bytes){row->digest.data, row->digest.len}, true, &visit, &run, reterr));
    TRY(add(why, "paused", pause.since_us, reterr));
    bool has_reason  = pause.reason && *pause.reason;
    why->one->detail = has_reason ? pause.reason : "";
    bool is_ours     = pause.is_own || pause.is_of_budget;
    why->one->reason = said(arena_printf(
        why->arena, "%s at %s%s%s", is_ours ? "it was suspended" : "somebody has suspended it",
        time_text(why, pause.since_us), has_reason ? ": " : "", has_reason ? pause.reason : ""));
    if (pause.is_of_budget) {
        why->one->advice = "raise the budget (`tutti budget` shows all of them) and it goes on";
        return STATUS_OK;
    }
    why->one->advice = said(arena_printf(
        why->arena, pause.is_own ? "`tutti retry %s` tries it again" : "`tutti resume %s`",
        why->view->id));
    return STATUS_OK;
}

struct letters {
    struct why *why;
    unsigned count;
};

static status on_letter(bytes, const Pb__DeadLetterRecord *row, struct error *reterr, void *context)
{
    enum { LETTERS_SHOWN_MAX = 8 };
    struct letters *letters  = context;
    struct why *why          = letters->why;
    const Pb__LeasedJob *job = row->job->job;
    if (letters->count++ >= LETTERS_SHOWN_MAX) return STATUS_OK;
    TRY(add(why, "dead_letter", row->time_us, reterr));
    why->one->task   = text_in(why->arena, str_from(job->task));
    why->one->detail = text_in(why->arena, str_from(job->id));
    why->one->reason = said(arena_printf(why->arena, "%s was given up at %s after %u attempt(s)",
                                         job->task, time_text(why, row->time_us), job->attempt));
    why->one->advice =
        said(arena_printf(why->arena, "mend the cause, then `tutti retry %s`", why->view->id));
    return STATUS_OK;
}

/* Of a text of the error its first line, short enough for a sentence. */
static str brief(json error, const char *member)
{
    enum { BRIEF_MAX = 300 /* bytes */ };
    json text  = json_get_text(error, member);
    str all    = json_is(text, JSON_TEXT) ? json_str(text) : (str){};
    size_t len = 0;
    while (len < all.len && len < BRIEF_MAX && (unsigned char)all.ptr[len] >= ' ') len++;
    return str_slice(all, 0, utf8_valid_prefix(str_slice(all, 0, len)));
}

static status put_fault(struct why *why, struct error *reterr)
{
    CLEANUP(json_unrefp) json error = json_invalid();
    TRY(json_out(why->view->error_json, "error", &error, reterr));
    str type  = brief(error, "type");
    str place = brief(error, "instance");
    str text  = brief(error, "detail");
    if (text.len == 0) text = brief(error, "title");
    why->one->reason = said(
        arena_printf(why->arena, "it has faulted at %s with " STR_FMT "%s" STR_FMT "%s" STR_FMT,
                     time_text(why, why->view->ended_us), STR_ARG(type), text.len > 0 ? ": " : "",
                     STR_ARG(text), place.len > 0 ? " at " : "", STR_ARG(place)));
    return STATUS_OK;
}

static status explain_fault(struct why *why, struct error *reterr)
{
    const struct letter_filter filter = {.namespace = str_from("*"),
                                         .run       = str_from(why->view->id)};
    struct letters letters            = {.why = why};
    TRY(letters_visit(why->txn, &filter, on_letter, &letters, reterr));
    if (letters.count > 0) return STATUS_OK;
    TRY(add(why, "fault", why->view->ended_us, reterr));
    TRY(put_fault(why, reterr));
    why->one->advice = said(arena_printf(why->arena,
                                         "`tutti retry %s` goes on where it failed, `tutti restart "
                                         "%s` begins anew",
                                         why->view->id, why->view->id));
    return STATUS_OK;
}

static status explain_run(struct why *why, struct error *reterr)
{
    const Pb__RunView *view = why->view;
    const char *since       = time_text(why, view->created_us);
    switch (view->status) {
    case PB__RUN_STATUS__RUN_STATUS_DRAFT:
        TRY(add(why, "draft", view->created_us, reterr));
        why->one->reason = said(arena_printf(why->arena, "it is a draft since %s", since));
        why->one->advice =
            said(arena_printf(why->arena, "start it: `tutti draft %s --approve`", view->id));
        return STATUS_OK;
    case PB__RUN_STATUS__RUN_STATUS_PENDING:
        TRY(add(why, "slot", view->created_us, reterr));
        why->one->reason = said(arena_printf(
            why->arena, "as many runs of its batch as may be are at work since %s", since));
        why->one->advice = "wait until one of them ends";
        return STATUS_OK;
    case PB__RUN_STATUS__RUN_STATUS_SUSPENDED: return explain_pause(why, reterr);
    case PB__RUN_STATUS__RUN_STATUS_FAULTED: return explain_fault(why, reterr);
    default: return STATUS_OK;
    }
}

status run_explain(const struct shard *shard, Pb__RunView *view, struct arena *arena,
                   struct error *reterr)
{
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    struct why why                      = {.shard = shard, .arena = arena, .view = view};
    TRY(txn_begin_read(shard->partition->store, &txn, reterr));
    why.txn = txn;
    for (size_t i = 0; i < view->n_waiting_for; i++) {
        why.one = view->waiting_for[i];
        TRY(explain_task(&why, reterr));
    }
    return explain_run(&why, reterr);
}
