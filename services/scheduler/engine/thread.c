/* An engine's thread, or the hand that turns one without: when it turns, how it begins and ends. */
#include "base/assert.h"
#include "base/clock.h"
#include "scheduler/engine/audit/engine_audit.h"
#include "scheduler/engine/breakers/engine_breakers.h"
#include "scheduler/engine/budgets/engine_budgets.h"
#include "scheduler/engine/engine_internal.h"
#include "scheduler/engine/gather.h"
#include "scheduler/engine/redrive/redrive.h"

enum {
    SLEW = 8, /* how much slower time goes while the wall clock is behind: one in so many */
};

/* --- the thread --------------------------------------------------------------------------------
 */

static int64_t earliest(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t engine_unix_us(const struct engine *engine)
{
    const struct engine_clock *clock = engine->options.clock;
    return clock ? clock->unix_us(clock->context) : clock_unix_us();
}

int64_t engine_mono_us(const struct engine *engine)
{
    const struct engine_clock *clock = engine->options.clock;
    return clock ? clock->mono_us(clock->context) : clock_mono_us();
}

int64_t engine_time_us(const struct engine *engine)
{
    int64_t passed_us = engine_mono_us(engine) - engine->turned_mono_us;
    int64_t at_least  = engine->now_us + passed_us - passed_us / SLEW;
    int64_t wall_us   = engine_unix_us(engine);
    return wall_us > at_least ? wall_us : at_least;
}

int64_t engine_wait_us(struct engine *engine, bool with_care)
{
    bool has_work = engine->hub.has_work || engine->has_deletions || engine->has_operations;
    if (has_work || engine->has_erasures || engine->purge.count > 0) return 0;
    int64_t due_us = with_care ? engine->care_due_us : INT64_MAX;
    due_us         = earliest(due_us, engine->timer_due_us);
    due_us         = earliest(due_us, engine->schedule_due_us);
    due_us         = earliest(due_us, engine->call_cache_due_us);
    due_us         = earliest(due_us, engine->file_due_us);
    due_us         = earliest(due_us, job_queues_due_us(engine->queues));
    due_us         = earliest(due_us, polls_due_us(&engine->polls));
    due_us         = earliest(due_us, outbox_due_us(engine->outbox));
    if (engine->options.retention) due_us = earliest(due_us, engine->retention.due_us);
    due_us = earliest(due_us, engine_audit_due_us(engine));
    due_us = earliest(due_us, engine_breakers_due_us(engine));
    due_us = earliest(due_us, engine_redrives_due_us(engine));
    if (limits_have_changed(job_queues_limits(engine->queues))) due_us = 0;
    due_us = earliest(due_us, engine_budgets_due_us(engine));
    if (due_us == INT64_MAX) return INT64_MAX;
    int64_t now_us   = engine_time_us(engine);
    int64_t ahead_us = due_us - now_us;
    if (ahead_us <= 0) return 0;
    bool is_slow = now_us > engine_unix_us(engine);
    return is_slow ? ahead_us + ahead_us / (SLEW - 1) + 1 : ahead_us;
}

/* When the mailbox may stop waiting, on the monotonic clock. At most a second ahead, so that a step
 * of the wall clock delays no timer for longer. */
static int64_t wake_us(struct engine *engine)
{
    int64_t wait_us = engine_wait_us(engine, true);
    return wait_us > 0 ? engine_mono_us(engine) + earliest(wait_us, CARE_US) : 0;
}

/* What the next turn is to do. */
static struct mail *take_mail(struct engine *engine, struct gather *gather)
{
    int64_t until_us = wake_us(engine);
    size_t enough    = 0;
    if (until_us > 0) enough = gather_enough(gather, mailbox_parts(engine->mailbox));
    if (enough > 0) {
        int64_t patient_us = earliest(until_us, gather->until_us);
        gather_met(gather, mailbox_gather(engine->mailbox, enough, patient_us) >= enough);
    }
    return mailbox_take(engine->mailbox, until_us);
}

static void *engine_run_thread(void *context)
{
    struct engine *engine = context;
    struct gather gather  = {};
    while (!atomic_load(&engine->is_stopping)) {
        struct mail *mail = take_mail(engine, &gather);
        size_t parts      = mail_parts(mail);
        int64_t begun_us  = engine_mono_us(engine);
        atomic_store(&engine->turned_ms, clock_mono_ms());
        engine_turn(engine, mail);
        gather_turned(&gather, parts, begun_us, engine_mono_us(engine));
        if (!atomic_load(&engine->is_stopping)) engine_care(engine);
    }
    return NULL;
}

void engine_step(struct engine *engine)
{
    engine_turn(engine, mailbox_take(engine->mailbox, 0));
    if (!atomic_load(&engine->is_stopping)) engine_care(engine);
}

/* --- start and stop ----------------------------------------------------------------------------
 */

status engine_open(const struct engine_options *options, struct engine **ret_engine,
                   struct error *reterr)
{
    struct engine *engine = engine_new(options);
    status recovered      = engine_recover(engine, reterr);
    if (recovered == STATUS_OK) recovered = engine_read_fill(engine, reterr);
    if (recovered != STATUS_OK) {
        engine_free(engine);
        return recovered;
    }
    engine_show(engine);
    *ret_engine = engine;
    return STATUS_OK;
}

status engine_start(const struct engine_options *options, struct engine **ret_engine,
                    struct error *reterr)
{
    TRY(engine_open(options, ret_engine, reterr));
    struct engine *engine = *ret_engine;
    engine->has_thread    = pthread_create(&engine->thread, NULL, engine_run_thread, engine) == 0;
    if (engine->has_thread) return STATUS_OK;
    engine_free(TAKE(*ret_engine));
    return fail(reterr, STATUS_UNAVAILABLE, "no thread for partition %u",
                options->partition->index);
}

/* Nothing turns it any more; what waits is refused. */
static void refuse_waiting(struct engine *engine)
{
    engine_end_polls(engine, true);
    engine_refuse_all(engine, STATUS_UNAVAILABLE, "draining", "the scheduler stops");
    engine_answer_chain(engine, mailbox_take(engine->mailbox, 0));
    engine_refuse_all(engine, STATUS_UNAVAILABLE, "draining", "the scheduler stops");
}

static void end_thread(struct engine *engine)
{
    engine->is_halted = true;
    mailbox_close(engine->mailbox);
    atomic_store(&engine->is_stopping, true);
    mailbox_wake(engine->mailbox);
    if (!engine->has_thread) return;
    int joined = pthread_join(engine->thread, NULL);
    ASSERT(joined == 0);
}

void engine_halt(struct engine *engine)
{
    if (!engine || engine->is_halted) return;
    end_thread(engine);
    if (!engine->has_failed) engine_turn(engine, mailbox_take(engine->mailbox, 0));
    refuse_waiting(engine);
}

void engine_abandon(struct engine *engine)
{
    if (!engine || engine->is_halted) return;
    end_thread(engine);
    refuse_waiting(engine);
}

void engine_stop(struct engine *engine)
{
    if (!engine) return;
    engine_halt(engine);
    engine_free(engine);
}

void engine_stopp(struct engine **engine)
{
    engine_stop(*engine);
    *engine = NULL;
}

status engine_post(struct engine *engine, struct command *first, struct error *reterr)
{
    return mailbox_post(engine->mailbox, &first->mail, reterr);
}

size_t engine_depth(struct engine *engine)
{
    return mailbox_depth(engine->mailbox);
}

size_t engine_room(struct engine *engine)
{
    return mailbox_room(engine->mailbox);
}

int64_t engine_turned_ms(void *engine)
{
    return atomic_load(&((struct engine *)engine)->turned_ms);
}
