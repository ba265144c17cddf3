/* The passes: which letters are looked at, what is said of each, and what is done to it. */
#include "base/log.h"
#include "scheduler/engine/queues/engine_queues.h"
#include "scheduler/engine/redrive/calls.h"
#include "scheduler/engine/redrive/redrive_state.h"
#include "scheduler/tables/dead_letters.h"

enum { LOOKED_AT_MAX = 200, REDRIVEN_MAX = 20 /* letters of a pass in one turn */ };
#define TURN_BUDGET_US INT64_C(5'000)

enum pass_kind { PASS_AGED, PASS_CLOSED, PASS_SWEEP };

struct found_letter {
    uint64_t sequence, before; /* the letter that was looked at before it */
    const char *run, *task, *job, *key;
    uint32_t redrives;
};

struct work {
    struct engine *engine;
    struct queue_redrive *redrive;
    enum pass_kind kind;
    struct letter_pass *pass;
    struct found_letter found[REDRIVEN_MAX];
    size_t count;
    uint64_t last; /* that was looked at */
    bool is_over;  /* no more letters */
    bool is_dirty; /* the row is to be written */
};

/* --- what is said of a letter ------------------------------------------------------------------
 */

enum verdict { VERDICT_NEVER, VERDICT_NOW, VERDICT_LATER };

static bool is_closed(const Pb__QueueRedrive *row, const Pb__DeadLetterRecord *letter)
{
    for (size_t i = 0; i < row->n_closed; i++) {
        const Pb__ClosedTarget *closed = row->closed[i];
        if (strcmp(closed->target, letter->target) == 0 && letter->time_us <= closed->time_us) {
            return true;
        }
    }
    return false;
}

static enum verdict judge_by_rule(const struct work *work, const Pb__DeadLetterRecord *letter,
                                  int64_t *ret_due_us)
{
    const Pb__QueueRedrive *row = work->redrive->row;
    const Pb__RedriveRule *rule = row->rule;
    bool is_call                = *letter->job->job->idempotency_key;
    if (!is_call || letter->job->is_unknown || letter->redrives >= rule->times) {
        return VERDICT_NEVER;
    }
    str type = str_from(letter_error_type(letter, work->engine->arena));
    if (!redrive_rule_means(rule, type)) return VERDICT_NEVER;
    if (work->kind == PASS_CLOSED) return is_closed(row, letter) ? VERDICT_NOW : VERDICT_NEVER;
    *ret_due_us = letter->time_us + rule->after_us;
    return *ret_due_us <= work->engine->now_us ? VERDICT_NOW : VERDICT_LATER;
}

static enum verdict judge_by_sweep(const struct work *work, const Pb__DeadLetterRecord *letter)
{
    const Pb__RedriveSweep *sweep     = work->redrive->row->sweep;
    const struct letter_filter filter = {
        .namespace  = str_from(sweep->namespace_),
        .error_type = str_from(sweep->filter ? sweep->filter->error_type : ""),
        .function   = str_from(sweep->filter ? sweep->filter->function : ""),
    };
    bool is_meant = letter_is_meant(&filter, letter, work->engine->arena);
    return is_meant ? VERDICT_NOW : VERDICT_NEVER;
}

/* --- looking -----------------------------------------------------------------------------------
 */

static void note(struct work *work, uint64_t sequence, const Pb__DeadLetterRecord *letter)
{
    const Pb__LeasedJob *job   = letter->job->job;
    work->found[work->count++] = (struct found_letter){.sequence = sequence,
                                                       .before   = work->last,
                                                       .run      = job->run,
                                                       .task     = job->task,
                                                       .job      = job->id,
                                                       .key      = job->idempotency_key,
                                                       .redrives = letter->redrives};
}

/* False: no further. */
static bool look(struct work *work, uint64_t sequence, const Pb__DeadLetterRecord *letter)
{
    int64_t due_us       = 0;
    enum verdict verdict = VERDICT_NEVER;
    bool is_of_run       = letter->job && letter->job->job && *letter->job->job->run;
    if (is_of_run) {
        verdict = work->kind == PASS_SWEEP ? judge_by_sweep(work, letter)
                                           : judge_by_rule(work, letter, &due_us);
    }
    if (verdict == VERDICT_LATER) {
        work->pass->due_us = due_us;
        return false;
    }
    if (verdict == VERDICT_NOW) {
        if (work->count == REDRIVEN_MAX) return false;
        note(work, sequence, letter);
    }
    work->last = sequence;
    return true;
}

static bool sequence_of(bytes key, uint64_t *ret_sequence)
{
    struct key_text namespace = {};
    struct key_text queue     = {};
    return key_take_text(&key, &namespace) && key_take_text(&key, &queue) &&
           key_take_u64(&key, ret_sequence);
}

/* The letters that are due. Nothing is changed meanwhile. */
static status find(struct work *work, struct error *reterr)
{
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    struct engine *engine                        = work->engine;
    const struct queue *queue                    = work->redrive->queue;
    uint64_t until = work->kind == PASS_SWEEP ? work->redrive->row->sweep->until : UINT64_MAX;
    struct key prefix;
    struct key after;
    queue_key(&prefix, queue->namespace, queue->name);
    dead_letter_key(&after, queue->namespace, queue->name, work->pass->last);
    struct scan scan   = {.prefix = key_bytes(&prefix), .after = key_bytes(&after)};
    work->last         = work->pass->last;
    work->pass->due_us = engine->now_us; /* at once, if there are more than fit */
    TRY(cursor_open(engine->txn, TABLE_DEAD_LETTERS, &scan, &cursor, reterr));
    for (size_t i = 0; i < LOOKED_AT_MAX; i++) {
        bytes key                    = {};
        bytes raw                    = {};
        uint64_t sequence            = 0;
        Pb__DeadLetterRecord *letter = NULL;
        status next                  = cursor_next(cursor, &key, &raw, NULL);
        if (next == STATUS_OK && !sequence_of(key, &sequence)) next = STATUS_DATA_LOSS;
        work->is_over = next == STATUS_NOT_FOUND || sequence >= until;
        if (work->is_over) return STATUS_OK;
        if (next != STATUS_OK) return fail(reterr, next, "dead letters cannot be read");
        TRY(record_read(raw, &pb__dead_letter_record__descriptor, engine->arena, &letter, reterr));
        if (!look(work, sequence, letter)) return STATUS_OK;
    }
    return STATUS_OK;
}

/* --- doing -------------------------------------------------------------------------------------
 */

static status count_one(struct engine *engine, const struct found_letter *letter,
                        struct error *reterr)
{
    Pb__RedriveRecord *known = NULL;
    str run                  = str_from(letter->run);
    TRY(engine_call_find(engine, run, str_from(letter->key), &known, reterr));
    Pb__RedriveRecord record = PB__REDRIVE_RECORD__INIT;
    if (known) record = *known;
    record.count = letter->redrives + 1;
    return engine_call_put(engine, run, str_from(letter->key), &record, reterr);
}

/* `*ret_code`: as of a retry; NOT_FOUND: an earlier one of the same run took it along. */
static status redrive_one(struct work *work, const struct found_letter *letter, status *ret_code,
                          struct error *reterr)
{
    struct engine *engine     = work->engine;
    const struct queue *queue = work->redrive->queue;
    bytes row                 = {};
    struct key key;
    dead_letter_key(&key, queue->namespace, queue->name, letter->sequence);
    *ret_code = txn_get(engine->txn, TABLE_DEAD_LETTERS, key_bytes(&key), &row, NULL);
    if (*ret_code != STATUS_OK) return STATUS_OK;
    const Pb__RedriveSweep *sweep   = work->kind == PASS_SWEEP ? work->redrive->row->sweep : NULL;
    struct command *outcome         = arena_alloc(engine->arena, sizeof *outcome);
    const struct engine_retry retry = {.run  = letter->run,
                                       .task = letter->task,
                                       .job  = letter->job,
                                       .by   = sweep ? sweep->by : REDRIVE_BY};
    if (!outcome) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    TRY(engine_retry(engine, outcome, &retry, NULL, reterr));
    *ret_code = outcome->code;
    if (outcome->code == STATUS_OK && !sweep) TRY(count_one(engine, letter, reterr));
    if (outcome->code == STATUS_OK || outcome->code == STATUS_UNAVAILABLE) return STATUS_OK;
    log_write(LOG_INFO, "dead_letter.not_redriven", LOG_TEXT_OF("job", letter->job),
              LOG_TEXT_OF("run", letter->run), LOG_TEXT_OF("error", outcome->error.text));
    return STATUS_OK;
}

/* Stops in front of a letter: what was found behind it is found again. */
static void stop_at(struct work *work, const struct found_letter *letter, int64_t due_us)
{
    work->last         = letter->before;
    work->is_over      = false;
    work->pass->due_us = due_us;
}

static status redrive_all(struct work *work, struct error *reterr)
{
    struct engine *engine = work->engine;
    struct start_rate *rate =
        work->kind == PASS_SWEEP ? &work->redrive->sweep_rate : &work->redrive->rate;
    int64_t until_us = engine_mono_us(engine) + TURN_BUDGET_US;
    for (size_t i = 0; i < work->count; i++) {
        const struct found_letter *letter = &work->found[i];
        int64_t opens_us                  = start_rate_opens_us(rate);
        status code                       = STATUS_OK;
        bool is_late                      = i > 0 && engine_mono_us(engine) >= until_us;
        if (opens_us > engine->now_us || is_late) {
            stop_at(work, letter, is_late ? engine->now_us : opens_us);
            return STATUS_OK;
        }
        TRY(redrive_one(work, letter, &code, reterr));
        if (code == STATUS_UNAVAILABLE) { /* its run has ended in this very turn */
            stop_at(work, letter, engine->now_us);
            return STATUS_OK;
        }
        if (code != STATUS_OK) continue;
        if (rate->count > 0) start_rate_take(rate, 1, engine->now_us);
        work->is_dirty = true;
    }
    return STATUS_OK;
}

/* --- a turn ------------------------------------------------------------------------------------
 */

static status pass_end(struct work *work, struct error *reterr)
{
    struct queue_redrive *redrive = work->redrive;
    Pb__QueueRedrive row          = *redrive->row;
    work->pass->is_on             = false;
    if (work->kind == PASS_AGED) return STATUS_OK; /* goes on with the next letter */
    if (work->kind == PASS_SWEEP) row.sweep = NULL;
    if (work->kind == PASS_CLOSED) row.n_closed = 0;
    work->is_dirty = true;
    return redrive_replace(redrive, &row, reterr);
}

static status pass_go_on(struct engine *engine, struct queue_redrive *redrive, enum pass_kind kind,
                         struct error *reterr)
{
    struct letter_pass *passes[] = {&redrive->aged, &redrive->closed, &redrive->sweep};
    struct letter_pass *pass     = passes[kind];
    if (!pass->is_on || pass->due_us > engine->now_us) return STATUS_OK;
    bool has_reason = redrive->row && (kind == PASS_SWEEP ? redrive->row->sweep != NULL
                                                          : redrive->row->rule != NULL);
    if (!has_reason) {
        pass->is_on = false;
        return STATUS_OK;
    }
    struct work *work = arena_alloc(engine->arena, sizeof *work);
    if (!work) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    *work = (struct work){.engine = engine, .redrive = redrive, .kind = kind, .pass = pass};
    TRY(find(work, reterr));
    TRY(redrive_all(work, reterr));
    pass->last = work->last;
    if (work->is_over) TRY(pass_end(work, reterr));
    return work->is_dirty ? engine_queue_put(engine, redrive->queue, reterr) : STATUS_OK;
}

status engine_redrives_go_on(struct engine *engine, struct error *reterr)
{
    for (struct queue_redrive *r = engine->redrives; r; r = r->next) {
        for (enum pass_kind kind = PASS_AGED; kind <= PASS_SWEEP; kind++) {
            TRY(pass_go_on(engine, r, kind, reterr));
        }
    }
    return STATUS_OK;
}
