#include "scheduler/run/reopen.h"

#include "scheduler/run/apply.h"
#include "scheduler/run/paused.h"

enum { BEFORE_MAX = 256 << 20 /* bytes */ };

/* --- keeping -----------------------------------------------------------------------------------
 */

status retry_keep(struct run *run, struct error *reterr)
{
    buf_done(&run->before);
    run->before = buf_init(BEFORE_MAX);
    return run_snapshot_pack_inline(run, &run->before, reterr);
}

/* --- applying ----------------------------------------------------------------------------------
 */

static status load_nothing(uint64_t, str *, void *, struct error *reterr)
{
    return fail(reterr, STATUS_DATA_LOSS, "a kept state names a payload");
}

status retry_kept_unpack(const struct run *run, struct run **ret_run, struct error *reterr)
{
    const struct payload_store payloads = {.load = load_nothing};
    return run_snapshot_unpack(str_from(run->id.text), run->workflow,
                               bytes_from(buf_str(&run->before)), &payloads, ret_run, reterr);
}

/* `fresh` becomes the run, which goes on counting where it was. */
static void adopt(struct run *run, struct run *fresh)
{
    struct run old = *run;
    *run           = *fresh;
    *fresh         = old;

    struct payload_index payloads = run->payloads;
    run->payloads                 = old.payloads;
    fresh->payloads               = payloads;
    run->sequence                 = old.sequence;
    run->usage                    = old.usage;
    run->before                   = (struct buf){};
}

/* One that was past begins anew; the others move on by the time that the run was over. */
static void deadline_move(int64_t *deadline_us, int64_t started_us, int64_t ended_us,
                          int64_t now_us)
{
    if (*deadline_us == 0) return;
    bool was_past = *deadline_us <= ended_us;
    *deadline_us =
        was_past ? now_us + (*deadline_us - started_us) : *deadline_us + (now_us - ended_us);
}

/* What it waited for outside is closed: it begins again. */
static void reopen(struct run *run, struct activation *activation, int64_t ended_us, int64_t now_us)
{
    int64_t started_us = activation->started_us;
    deadline_move(&activation->deadline_us, started_us, ended_us, now_us);
    deadline_move(&activation->retry_until_us, started_us, ended_us, now_us);
    deadline_move(&activation->attempt_deadline_us, started_us, ended_us, now_us);
    if (task_is_paused(run, activation)) paused_clear(activation);
    if (!activation->id.text[0]) return;
    enum task_kind kind = activation_task(run, activation)->kind;
    if (activation->state == TASK_QUEUED) job_index_remove(run, &activation->id);
    if (kind == TASK_CALL || kind == TASK_RUN) {
        activation->state   = TASK_RUNNING;
        activation->attempt = 1;
        json_replace(&activation->key, json_invalid());
    }
    if (kind == TASK_CALL) { /* of what it asked the cache for */
        json_replace(&activation->items, json_invalid());
        json_replace(&activation->payload, json_invalid());
        activation->due_us = 0;
    }
    activation->id       = (struct id){};
    activation->approval = (struct id){};
}

struct scope *retry_failed_scope(const struct run *run, const struct event *event)
{
    if (event->scope == 0) return NULL;
    struct scope *scope = run_scope(run, event->scope - 1);
    return scope && scope->kind != SCOPE_UNDO ? scope : NULL;
}

/* Everything that waits for somebody outside begins anew. */
static void reopen_all(struct run *run, int64_t ended_us, int64_t now_us)
{
    deadline_move(&run->deadline_us, run->started_us, ended_us, now_us);
    for (uint32_t i = 0; i < run->activations.count; i++) {
        struct activation *activation = run_activation(run, i);
        if (activation) reopen(run, activation, ended_us, now_us);
    }
    run->is_due_known = false;
    run->more         = MORE_UNKNOWN;
    run->now_us       = now_us;
}

static status go_back(struct run *run, const struct event *event, struct error *reterr)
{
    if (!run_status_is_final(run->status) || run->before.len == 0) {
        return damaged(reterr, event, "there is nothing to go back to");
    }
    struct run *fresh = NULL;
    TRY(retry_kept_unpack(run, &fresh, reterr));
    int64_t ended_us = run->ended_us;
    adopt(run, fresh);
    run_free(fresh);
    reopen_all(run, ended_us, event->time_us);
    return STATUS_OK;
}

status apply_run_retried(struct run *run, struct event *event, struct error *reterr)
{
    event->task = TASK_NONE;
    if (run->status != RUN_FAULTED) return damaged(reterr, event, "it has not faulted");
    TRY(go_back(run, event, reterr));
    struct scope *scope = retry_failed_scope(run, event);
    if (scope && event->is_kept) scope->pass++;
    if (scope && event->input.kind != JSON_INVALID) {
        json_replace(&scope->data, json_ref(event->input));
    }
    return STATUS_OK;
}

status apply_run_compensated(struct run *run, struct event *event, struct error *reterr)
{
    event->task = TASK_NONE;
    TRY(go_back(run, event, reterr));
    run->is_suspended = false;
    return STATUS_OK;
}

void apply_run_reset(struct run *run, struct event *event)
{
    event->task       = TASK_NONE;
    run->is_suspended = false;
    reopen_all(run, event->due_us, event->time_us);
}
