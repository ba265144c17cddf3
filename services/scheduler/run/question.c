#include "scheduler/run/question.h"

#include "scheduler/run/apply.h"

bool task_is_asking(const struct run *run, const struct activation *activation)
{
    return activation->state == TASK_WAITING && activation->approval.text[0] &&
           activation_task(run, activation)->kind == TASK_CALL;
}

struct activation *asking_activation(const struct run *run, str job)
{
    for (uint32_t i = 0; i < run->activations.count; i++) {
        struct activation *activation = run_activation(run, i);
        if (!activation || !str_is(job, activation->id.text)) continue;
        return task_is_asking(run, activation) ? activation : NULL;
    }
    return NULL;
}

static status apply_asked(struct run *run, struct activation *activation, const struct event *event,
                          struct error *reterr)
{
    json payload = json_get_text(event->value, "payload");
    bool is_fit  = activation->state == TASK_QUEUED && !activation->approval.text[0];
    if (!is_fit || !id_is_valid(str_from(event->id.text)) || payload.kind == JSON_INVALID) {
        return damaged(reterr, event, "the task has no job that asks");
    }
    TRY(apply_input(activation, INPUT_AWAIT, event, reterr));
    job_index_remove(run, &activation->id);
    activation->approval = event->id;
    json_replace(&activation->payload, json_ref(payload));
    return STATUS_OK;
}

status apply_question(struct run *run, struct activation *activation, struct event *event,
                      struct error *reterr)
{
    if (event->kind == EVENT_APPROVAL_REQUESTED) {
        return apply_asked(run, activation, event, reterr);
    }
    bool is_its = task_is_asking(run, activation) &&
                  memcmp(activation->approval.text, event->id.text, ID_LEN) == 0;
    if (!is_its) return damaged(reterr, event, "not what the task's job asks");
    if (event->kind == EVENT_APPROVAL_EDITED) {
        activation->deadline_us = event->due_us;
        run->is_due_known       = false;
        return STATUS_OK;
    }
    TRY(apply_input(activation, INPUT_QUEUE, event, reterr));
    activation->approval = (struct id){};
    json_replace(&activation->payload, json_invalid());
    job_index_add(run, &activation->id, activation->slot);
    return STATUS_OK;
}
