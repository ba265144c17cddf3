/* Jobs and approvals. */
#include "scheduler/run/agent.h"
#include "scheduler/run/apply.h"
#include "scheduler/run/call_cache.h"
#include "scheduler/run/due.h"
#include "scheduler/run/job_key.h"
#include "scheduler/run/question.h"
#include "scheduler/run/undo.h"

#include "base/assert.h"

/* --- jobs --------------------------------------------------------------------------------------
 */

static bool is_same_id(const struct id *a, const struct id *b)
{
    return memcmp(a->text, b->text, ID_LEN) == 0;
}

static status apply_scheduled(struct run *run, struct activation *activation, struct event *event,
                              struct error *reterr)
{
    bool is_granted =
        call_cache_is_awaited(run, activation) && is_same_id(&activation->id, &event->id);
    bool is_call = activation_task(run, activation)->kind == TASK_CALL;
    if (!is_call || (activation->id.text[0] && !is_granted)) {
        return damaged(reterr, event, "the task makes no call now");
    }
    if (!id_is_valid(str_from(event->id.text)) || job_activation(run, str_from(event->id.text))) {
        return damaged(reterr, event, "its job has no id of its own");
    }
    TRY(apply_input(activation, INPUT_QUEUE, event, reterr));
    activation->id      = event->id;
    activation->attempt = event->attempt;
    json_replace(&activation->calls, json_invalid()); /* of a job before */
    /* The default key follows from the state; only one that the workflow names is kept. */
    bool has_own_key = activation_task(run, activation)->idempotency_key != NULL;
    if (has_own_key) json_replace(&activation->key, json_ref(event->key));
    job_index_add(run, &event->id, activation->slot);
    if (is_granted) {
        json_replace(&activation->payload, json_invalid());
        activation->due_us = 0; /* when it would have asked the cache again */
        run->is_due_known  = false;
    }
    return STATUS_OK;
}

/* Its job is over, one way or another. */
static void job_closed(struct run *run, struct activation *activation)
{
    job_index_remove(run, &activation->id);
    activation->id = (struct id){};
}

uint32_t event_attempt(const struct activation *activation, enum event_kind kind)
{
    switch (kind) {
    case EVENT_JOB_RETRIED: return activation->attempt + 1;
    case EVENT_JOB_COMPLETED:
    case EVENT_JOB_FAILED:
    case EVENT_JOB_DEAD: return activation->attempt;
    default: return 0;
    }
}

void apply_usage(struct run *run, const struct activation *activation, const struct usage *usage)
{
    usage_add(&run->usage, usage);
    for (const struct activation *a = activation_parent(run, activation); a;
         a                          = activation_parent(run, a)) {
        if (a->agent) usage_add(&a->agent->usage, usage);
    }
}

status apply_job(struct run *run, struct activation *activation, struct event *event,
                 struct error *reterr)
{
    if (event->kind == EVENT_JOB_SCHEDULED) return apply_scheduled(run, activation, event, reterr);
    if (activation->state != TASK_QUEUED || !is_same_id(&activation->id, &event->id)) {
        return damaged(reterr, event, "not the task's job");
    }
    event->is_of_state = event->attempt == event_attempt(activation, event->kind);
    bool is_again      = event->kind == EVENT_JOB_RETRIED;
    TRY(apply_input(activation, is_again ? INPUT_REQUEUE : INPUT_ANSWER, event, reterr));
    apply_usage(run, activation, &event->usage);

    switch (event->kind) {
    case EVENT_JOB_RETRIED:
        activation->attempt = event->attempt;
        if (event->undo.kind != JSON_INVALID) {
            json_replace(&activation->calls, json_ref(event->undo));
        }
        return STATUS_OK;
    case EVENT_JOB_COMPLETED:
        if (event->value.kind == JSON_INVALID) return damaged(reterr, event, "no output");
        remember_output(run, activation, event->value);
        json_replace(&activation->result, json_ref(event->value));
        json_replace(&activation->calls, json_ref(event->undo));
        if (activation->undo) activation->next_index++; /* the next call that undoes */
        break;
    case EVENT_JOB_CANCELLED:
    case EVENT_JOB_FAILED:
    case EVENT_JOB_DEAD:
        if (event->is_kept) {
            undo_await(run, activation, event->undo);
        } else if (event->undo.kind != JSON_INVALID) {
            undo_note_part(run, activation, event->undo);
        }
        break;
    default: break;
    }
    job_closed(run, activation);
    return STATUS_OK;
}

/* --- approvals ----------------------------------------------------------------------------------
 */

static status apply_requested(struct run *run, struct activation *activation, struct event *event,
                              struct error *reterr)
{
    const struct task *task = activation_task(run, activation);
    bool is_fit = task->kind == TASK_LISTEN && task->listen.approval && !activation->id.text[0];
    if (!is_fit || !id_is_valid(str_from(event->id.text))) {
        return damaged(reterr, event, "the task asks for no approval now");
    }
    activation->id = event->id;
    json payload   = json_get_text(event->value, "payload");
    json_replace(&activation->payload, json_ref(payload));
    return STATUS_OK;
}

static status apply_edited(struct run *run, struct activation *activation,
                           const struct event *event)
{
    json payload = json_get_text(json_get_text(event->value, "payload"), "new");
    if (payload.kind != JSON_INVALID) {
        bool is_first = activation->payload_asked.kind == JSON_INVALID;
        if (is_first) activation->payload_asked = json_ref(activation->payload);
        json_replace(&activation->payload, json_ref(payload));
    }
    activation->deadline_us = event->due_us;
    run->is_due_known       = false;
    return STATUS_OK;
}

status apply_approval(struct run *run, struct activation *activation, struct event *event,
                      struct error *reterr)
{
    bool is_of_call = activation_task(run, activation)->kind == TASK_CALL;
    if (is_of_call) return apply_question(run, activation, event, reterr);
    if (event->kind == EVENT_APPROVAL_REQUESTED) {
        return apply_requested(run, activation, event, reterr);
    }
    bool is_its = activation_task(run, activation)->kind == TASK_LISTEN &&
                  is_same_id(&activation->id, &event->id);
    if (!is_its) return damaged(reterr, event, "not the task's approval");
    if (event->kind == EVENT_APPROVAL_EDITED) return apply_edited(run, activation, event);
    event->is_of_state = true;
    activation->id     = (struct id){};
    if (event->kind == EVENT_APPROVAL_DECIDED) {
        json events = json_array_new(1);
        json_array_push(&events, json_ref(event->value));
        json_replace(&activation->result, events);
    }
    return STATUS_OK;
}
