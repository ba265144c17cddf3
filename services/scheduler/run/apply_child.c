/* Child runs: how a task begins and ends to wait for one. */
#include "scheduler/run/apply.h"

static status apply_scheduled(const struct run *run, struct activation *activation,
                              struct event *event, struct error *reterr)
{
    bool is_fit = activation_task(run, activation)->kind == TASK_RUN && !activation->id.text[0];
    if (!is_fit || !id_is_valid(str_from(event->id.text)) || event->value.kind == JSON_INVALID) {
        return damaged(reterr, event, "the task starts no child now");
    }
    TRY(apply_input(activation, INPUT_AWAIT, event, reterr));
    activation->id     = event->id;
    activation->due_us = 0; /* of the retry that began again */
    return STATUS_OK;
}

status apply_child(struct run *run, struct activation *activation, struct event *event,
                   struct error *reterr)
{
    if (event->kind == EVENT_CHILD_SCHEDULED) {
        run->is_due_known = false;
        return apply_scheduled(run, activation, event, reterr);
    }
    bool is_its = activation_task(run, activation)->kind == TASK_RUN && activation->id.text[0] &&
                  memcmp(activation->id.text, event->id.text, ID_LEN) == 0;
    if (!is_its) return damaged(reterr, event, "not the task's child");

    bool is_detached = activation_task(run, activation)->run.is_detached;
    if (event->kind == EVENT_CHILD_STARTED) {
        if (event->value.kind == JSON_TEXT) json_replace(&activation->key, json_ref(event->value));
        if (!is_detached) return STATUS_OK; /* it goes on waiting */
    }
    TRY(apply_input(activation, INPUT_ANSWER, event, reterr));
    apply_usage(run, activation, &event->usage);
    activation->id = (struct id){};
    json_replace(&activation->key, json_invalid());
    if (event->kind == EVENT_CHILD_COMPLETED) {
        if (event->value.kind == JSON_INVALID) return damaged(reterr, event, "no output");
        json_replace(&activation->result, json_ref(event->value));
    }
    return STATUS_OK;
}
