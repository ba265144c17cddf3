/*
 * The loop. A turn: take everything, one transaction, decide and write, one commit, answer.
 *
 * Why it is one thread: everything a decision needs is in its hands, nothing is locked, and the
 * order of commands is the order of the journal.
 */
#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "scheduler/breaker/breaker_rules.h"
#include "scheduler/engine/audit/engine_audit.h"
#include "scheduler/engine/breakers/engine_breakers.h"
#include "scheduler/engine/budgets/engine_budgets.h"
#include "scheduler/engine/commands/operations.h"
#include "scheduler/engine/engine_internal.h"
#include "scheduler/engine/events/events.h"
#include "scheduler/engine/events/webhooks.h"
#include "scheduler/engine/jobs/drain.h"
#include "scheduler/engine/jobs/job_rows.h"
#include "scheduler/engine/jobs/wish.h"
#include "scheduler/engine/limits/engine_limits.h"
#include "scheduler/engine/queues/engine_queues.h"
#include "scheduler/engine/redrive/redrive.h"
#include "scheduler/engine/removal/deletion.h"
#include "scheduler/engine/removal/erasure.h"
#include "scheduler/engine/rows.h"

#include <stdlib.h>
#include <unistd.h>

enum {
    ENTRY_BUF_MAX  = ENTRY_MAX,
    ENTRY_BUF_KEPT = 1 << 20, /* bytes; a larger one is freed after its turn */
    ARENA_KEPT     = 4 << 20, /* likewise */
    TURN_RETRY_US  = 200'000, /* after a turn that a full store undid */
};

/* --- small helpers -----------------------------------------------------------------------------
 */

struct decide_env engine_env(struct engine *engine)
{
    arena_clear(engine->scratch);
    event_list_clear(&engine->events);
    bool has_assistants = engine->options.system_store != NULL;
    /* The system partition's own engine has its store open for writing. */
    bool is_own                  = engine->options.system_store == engine->store;
    engine->assistant_tables.txn = is_own ? engine->txn : NULL;
    return (struct decide_env){
        .now_us          = engine->now_us,
        .ids             = &engine->ids,
        .random          = &engine->random,
        .scratch         = engine->scratch,
        .limits          = engine->options.limits,
        .assistants      = has_assistants ? &engine->assistants : NULL,
        .children        = &engine->children,
        .secrets         = engine->options.secrets,
        .holders         = &engine->holders,
        .has_call_cache  = engine->options.system_store != NULL,
        .notes_lifecycle = engine_has_subscribers(engine),
    };
}

void engine_answer(struct engine *engine, struct command *command)
{
    pointers_push(&engine->answered, command);
}

void engine_answer_chain(struct engine *engine, struct mail *mail)
{
    for (; mail; mail = mail->next) engine_answer(engine, command_of(mail));
}

void engine_touch(struct engine *engine, struct live_run *live)
{
    if (live->is_touched) return;
    live->is_touched = true;
    pointers_push(&engine->touched, live);
}

/* --- a turn ------------------------------------------------------------------------------------
 */

/* What the commands of the turn lead to. A run that ends makes room for another one, which may take
 * an event or schedule a job, and may end at once. */
static status settle_all(struct engine *engine, struct error *reterr)
{
    do {
        TRY(engine_slots_settle(engine, reterr));
        TRY(engine_events_settle(engine, reterr));
        TRY(engine_budgets_settle(engine, reterr));
        TRY(engine_dispatch(engine, reterr));
    } while (engine->freed.count > 0);
    return STATUS_OK;
}

static status decide_all(struct engine *engine, struct mail *mail, struct error *reterr)
{
    status swept = outbox_sweep(engine->outbox, engine->txn, reterr);
    if (swept != STATUS_OK) {
        engine_answer_chain(engine, mail);
        return swept;
    }
    TRY(engine_execute(engine, mail, reterr));
    TRY(engine_erasures_go_on(engine, reterr));
    /* A timer could be one of a run that is still to be erased. */
    if (!engine->has_erasures) TRY(engine_due(engine, reterr));
    TRY(engine_purges_go_on(engine, reterr));
    TRY(engine_retention_go_on(engine, reterr));
    TRY(engine_audit_go_on(engine, reterr));
    TRY(engine_drains_go_on(engine, reterr));
    TRY(engine_breakers_settle(engine, reterr));
    TRY(engine_redrives_go_on(engine, reterr));
    TRY(engine_operations_go_on(engine, reterr));
    TRY(engine_limits_share(engine, reterr));
    TRY(settle_all(engine, reterr));
    TRY(engine_limits_settle(engine, reterr));
    engine_end_polls(engine, false);
    TRY(engine_audit_settle(engine, reterr));
    TRY(engine_flush(engine, reterr));
    TRY(engine_deletions_go_on(engine, reterr));
    TRY(engine_sweep(engine, reterr));
    return engine_peek_timer(engine, reterr);
}

static status commit(struct engine *engine, struct error *reterr)
{
    int64_t begun_us = engine_mono_us(engine);
    TRY(txn_commit(TAKE(engine->txn), reterr));
    if (engine->command_count > 0 || engine->touched.count > 0) {
        count_commit(engine->options.metrics, engine->partition->index,
                     engine_mono_us(engine) - begun_us, engine->command_count);
    }
    return STATUS_OK;
}

static struct run_move move_of(const struct live_run *live)
{
    bool is_final = run_status_is_final(run_status(live->run));
    return (struct run_move){
        .run        = live->id,
        .sequence   = live->head.last_sequence,
        .status     = (Pb__RunStatus)live->head.status,
        .is_new     = live->is_new,
        .has_ended  = is_final && !live->was_final,
        .workflow   = run_workflow(live->run),
        .started_us = live->created_us,
        .ended_us   = run_ended_us(live->run),
        .view       = live->ended,
    };
}

static void count_move(struct engine *engine, const struct run_move *move)
{
    str namespace = str_from(move->workflow->namespace_);
    str name      = str_from(move->workflow->name);
    if (move->is_new) count_run_started(engine->options.metrics, namespace, name);
    if (move->has_ended) {
        count_run_finished(engine->options.metrics, namespace, name, move->status,
                           move->ended_us - move->started_us);
    }
}

/* Tells the listener, and lets go of the runs that need no memory any more. */
static void tell_listener(struct engine *engine)
{
    const struct engine_listener *listener = &engine->options.listener;
    size_t count                           = engine->touched.count;
    struct run_move *moves = arena_alloc(engine->arena, (count + 1) * sizeof *moves);
    if (!moves) return; /* what listens must ask now and then anyway */
    for (size_t i = 0; i < count; i++) {
        moves[i] = move_of(engine->touched.items[i]);
        count_move(engine, &moves[i]);
    }
    if (listener->moved && count > 0) listener->moved(moves, count, listener->context);
}

/* A run that has ended, or has nothing to do for a while, costs no memory. */
static void drop_resting(struct engine *engine)
{
    for (size_t i = 0; i < engine->touched.count; i++) {
        struct live_run *live = engine->touched.items[i];
        live_run_end_turn(live);
        if (live->was_final || engine_run_sleeps(engine, live)) {
            run_cache_drop(&engine->cache, live);
        } else {
            run_cache_weigh(&engine->cache, live);
        }
    }
    engine->touched.count = 0;
    engine->freed.count   = 0;
    struct live_run *surplus;
    while ((surplus = run_cache_surplus(&engine->cache))) {
        run_cache_drop(&engine->cache, surplus);
    }
}

static void answer_all(struct engine *engine)
{
    for (size_t i = 0; i < engine->answered.count; i++) {
        struct command *command = engine->answered.items[i];
        command_release(command);
        command->done(command);
    }
    engine->answered.count = 0;
}

/* What became of the turn, after its commit. */
static void tell(struct engine *engine)
{
    const struct engine_listener *listener = &engine->options.listener;
    if (listener->telling) listener->telling(listener->context);
    tell_listener(engine);
    if (engine->touched.count > 0 || engine->command_count > 0) engine_show(engine);
    answer_all(engine); /* whoever is answered sees it on the board, too */
    if (listener->told) listener->told(listener->context);
}

/* The turn is undone: nobody is told anything but that. */
void engine_refuse_all(struct engine *engine, status code, const char *name, const char *text)
{
    for (size_t i = 0; i < engine->answered.count; i++) {
        (void)command_refuse(engine->answered.items[i], code, name, "%s", text);
    }
    answer_all(engine);
}

/* The commit failed for good: nothing may be acknowledged any more. */
static void fail_for_good(struct engine *engine, const struct error *error)
{
    count_sync_failure(engine->options.metrics, engine->partition->index);
    log_write(LOG_ERROR, "store.failed", LOG_INT("partition", engine->partition->index),
              LOG_TEXT_OF("error", error->text));
    engine->has_failed = true;
    mailbox_close(engine->mailbox);
    engine_end_polls(engine, true);
    engine_refuse_all(engine, STATUS_UNAVAILABLE, "unavailable", "the store has failed");
    atomic_store(&engine->is_stopping, true);
    if (!engine->options.failed) _exit(STORE_FAILED_EXIT);
    engine->options.failed(error, engine->options.listener.context);
}

/* A full store undoes the turn: the memory may be ahead of the tables now, so it is read anew. */
static void undo(struct engine *engine, status code, struct error *error)
{
    txn_abort(TAKE(engine->txn));
    if (code != STATUS_RESOURCE_EXHAUSTED || store_is_failed(engine->store)) {
        fail_for_good(engine, error);
        return;
    }
    log_write(LOG_ERROR, "store.full", LOG_INT("partition", engine->partition->index),
              LOG_TEXT_OF("error", error->text));
    engine_end_polls(engine, true);
    engine_refuse_all(engine, STATUS_RESOURCE_EXHAUSTED, "store_full", "the store is full");
    engine_forget(engine);
    status recovered = engine_recover(engine, error);
    if (recovered != STATUS_OK) {
        fail_for_good(engine, error);
        return;
    }
    engine->accepts_runs    = false;
    engine->is_fill_unknown = true;
    engine->care_due_us     = engine->now_us + TURN_RETRY_US;
    engine_put_off(engine, engine->care_due_us);
}

/* Memory of a turn that was unusually large is given back. */
static void forget_turn(struct engine *engine)
{
    engine_forget_wishes(engine);
    engine->placed.count = 0;
    if (arena_used(engine->arena) > ARENA_KEPT) {
        arena_free(engine->arena);
        engine->arena = arena_new(TURN_ARENA_MAX);
    }
    arena_clear(engine->arena);
    if (engine->entry.capacity > ENTRY_BUF_KEPT) buf_done(&engine->entry);
}

void engine_turn(struct engine *engine, struct mail *mail)
{
    int64_t begun_us      = engine_mono_us(engine);
    struct error error    = {};
    engine->command_count = 0;
    engine->turn++;
    engine->now_us         = engine_time_us(engine);
    engine->turned_mono_us = begun_us;

    status code = txn_begin_write(engine->store, &engine->txn, &error);
    if (code == STATUS_OK) {
        code = decide_all(engine, mail, &error);
    } else {
        engine_answer_chain(engine, mail);
    }
    if (code == STATUS_OK) code = commit(engine, &error);
    if (code != STATUS_OK) {
        undo(engine, code, &error);
    } else {
        engine_subscriptions_refresh(engine);
        tell(engine);
        drop_resting(engine);
        outbox_send(engine->outbox, engine->store, engine->now_us);
    }
    forget_turn(engine);
    count_turn(engine->options.metrics, engine->partition->index,
               engine_mono_us(engine) - begun_us);
}

/* --- making and freeing ------------------------------------------------------------------------
 */

static status post_message(uint16_t partition, struct command *command, struct error *reterr,
                           void *context)
{
    struct engine *engine                = context;
    const struct engine_options *options = &engine->options;
    if (partition == engine->partition->index) return engine_post(engine, command, reterr);
    if (options->post) return options->post(partition, command, reterr, options->neighbours);
    return fail(reterr, STATUS_UNAVAILABLE, "partition %u is not here", partition);
}

static void wake_engine(void *context)
{
    const struct engine *engine = context;
    mailbox_wake(engine->mailbox);
}

static void note_unreadable(enum table table, bytes key, const struct error *why, void *context)
{
    engine_row_unreadable(context, table, key, why);
}

static struct outbox *outbox_of(struct engine *engine)
{
    const struct outbox_options options = {
        .partition  = engine->partition->index,
        .count      = engine->partition->count,
        .post       = post_message,
        .wake       = wake_engine,
        .unreadable = note_unreadable,
        .context    = engine,
    };
    return outbox_new(&options);
}

struct engine *engine_new(const struct engine_options *options)
{
    struct engine *engine = mem_new(1, sizeof *engine);
    engine->options       = *options;
    engine->partition     = options->partition;
    engine->store         = options->partition->store;
    engine->mailbox       = mailbox_new(0, 0);
    engine->ids.partition = options->partition->index;
    engine->random.state  = options->random_seed ? options->random_seed : random_u64();
    engine->scratch       = arena_new(SCRATCH_ARENA_MAX);
    engine->arena         = arena_new(TURN_ARENA_MAX);
    engine->entry         = buf_init(ENTRY_BUF_MAX);
    engine->workers       = workers_new();
    engine->functions     = map_new(FUNCTION_NAMES_MAX);
    engine->outbox        = outbox_of(engine);
    engine->children      = engine_child_places(engine);
    engine->holders       = engine_job_holders(engine);
    ASSERT(engine->scratch && engine->arena);
    engine->assistant_tables.store = options->system_store;
    engine->assistants             = assistant_source_of(&engine->assistant_tables);
    if (engine->options.lease_ms == 0) engine->options.lease_ms = LEASE_MS_DEFAULT;
    if (!engine->options.breakers) engine->options.breakers = &breaker_rules_default;
    polls_init(&engine->polls);
    atomic_store(&engine->turned_ms, clock_mono_ms());
    return engine;
}

void engine_free(struct engine *engine)
{
    polls_done(&engine->polls);
    engine_forget(engine);
    workers_free(engine->workers);
    mailbox_free(engine->mailbox);
    outbox_free(engine->outbox);
    arena_free(engine->scratch);
    arena_free(engine->arena);
    buf_done(&engine->entry);
    event_list_done(&engine->events);
    pointers_done(&engine->answered);
    pointers_done(&engine->touched);
    pointers_done(&engine->freed);
    pointers_done(&engine->wishes);
    pointers_done(&engine->placed);
    pointers_done(&engine->audit.waiting);
    engine_functions_free(engine);
    free(engine);
}
