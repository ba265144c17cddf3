/* What was erased after a backup, in the data that a restore has made of it. */
#include "base/log.h"
#include "scheduler/engine/redrive/redrive.h"
#include "scheduler/engine/removal/deletion.h"
#include "scheduler/engine/removal/erasure.h"

enum {
    AGAIN_PER_TURN = 200,
    AGAIN_TURN_US  = 3'000,
};

static status delete_again(struct engine *engine, str run, struct error *reterr)
{
    const struct deletion_wish wish = {.run = run, .by = str_from("erasure"), .is_forced = true};
    status code                     = STATUS_OK;
    return engine_delete(engine, &wish, &code, NULL, reterr);
}

static void note_kept(str run, const char *why)
{
    log_write(LOG_ERROR, "erasures.kept", LOG_STR("run", run), LOG_TEXT_OF("error", why));
}

/* It had not ended when the backup was made, or goes on by a command of this turn. Its end is
 * written with the turn. */
static status end_run(struct engine *engine, str run, bool *ret_done, struct error *reterr)
{
    struct live_run *live = NULL;
    *ret_done             = false;
    TRY(engine_run(engine, run, NULL, &live, reterr));
    if (live && !run_status_is_final(run_status(live->run))) {
        TRY(engine_terminate(engine, live, str_from("erased"), str_from("erasure"), reterr));
    }
    *ret_done = !live || !run_status_is_final(run_status(live->run));
    if (*ret_done) note_kept(run, "the run cannot be ended");
    return STATUS_OK;
}

/* `*ret_done`: not in another turn again. */
static status erase_again(struct engine *engine, str run, bool *ret_done, struct error *reterr)
{
    struct command *outcome = arena_alloc(engine->arena, sizeof *outcome);
    if (!outcome) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    TRY(engine_erase(engine, run, outcome, NULL, reterr));
    *ret_done = true;
    switch (outcome->code) {
    case STATUS_OK: return STATUS_OK;
    case STATUS_NOT_FOUND: return engine_shed_letters(engine, run, reterr);
    case STATUS_UNAVAILABLE:
    case STATUS_FAILED_PRECONDITION: return end_run(engine, run, ret_done, reterr);
    default: note_kept(run, outcome->error.text); return STATUS_OK;
    }
}

status engine_erasures_go_on(struct engine *engine, struct error *reterr)
{
    struct erasure_place place = {.is_due = true};
    int64_t until_us           = engine_mono_us(engine) + AGAIN_TURN_US;
    bool is_found              = engine->has_erasures;
    bool is_all_done           = true;
    for (size_t i = 0; is_found && i < AGAIN_PER_TURN && engine_mono_us(engine) < until_us; i++) {
        struct erasure erasure = {};
        bool is_done           = true;
        TRY(erasures_next(engine->txn, &place, &erasure, &is_found, reterr));
        if (!is_found) break;
        str run = str_from(erasure.run.text);
        if (erasure.kind == ERASURE_OF_RUN) {
            TRY(delete_again(engine, run, reterr));
        } else {
            TRY(erase_again(engine, run, &is_done, reterr));
        }
        if (is_done) TRY(erasures_end_due(engine->txn, place.sequence, reterr));
        is_all_done = is_all_done && is_done;
    }
    engine->has_erasures = is_found || !is_all_done;
    return STATUS_OK;
}

status engine_erasures_recover(struct engine *engine, struct error *reterr)
{
    struct erasure_place place = {.is_due = true};
    struct erasure erasure     = {};
    TRY(erasures_next(engine->txn, &place, &erasure, &engine->has_erasures, reterr));
    if (engine->has_erasures) {
        log_write(LOG_INFO, "erasures.again", LOG_INT("partition", engine->partition->index));
    }
    return STATUS_OK;
}
