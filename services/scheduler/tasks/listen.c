/* listen: waits for events, or for a person. Its output is the array of what it took. */
#include "scheduler/approval.h"
#include "scheduler/signal.h"
#include "scheduler/tasks/tasks.h"

static status expects_of(struct scene *scene, const struct event_filter *filter, json *row,
                         json *ret_error)
{
    for (uint32_t i = 0; i < filter->correlation_count; i++) {
        const struct template *expect = filter->correlations[i].expect;
        json value                    = json_null(); /* the first event says */
        if (expect) TRY(scene_eval(scene, expect, scene->input, &value, ret_error));
        json_array_push(row, value);
    }
    return STATUS_OK;
}

/* What correlations expect is evaluated once, when the task starts, and journalled. */
static status prepare(struct scene *scene, struct event *started, json *ret_error)
{
    const struct listen_body *listen = &scene->task->listen;
    uint32_t count                   = 0;
    for (uint32_t i = 0; i < listen->filter_count; i++) {
        count += listen->filters[i].correlation_count;
    }
    if (count == 0 || listen->approval) return STATUS_OK;

    CLEANUP(json_unrefp) json expects = json_array_new(listen->filter_count);
    for (uint32_t i = 0; i < listen->filter_count; i++) {
        CLEANUP(json_unrefp) json row = json_array_new(listen->filters[i].correlation_count);
        TRY(expects_of(scene, &listen->filters[i], &row, ret_error));
        json_array_push(&expects, json_take(&row));
    }
    started->value = json_take(&expects);
    return STATUS_OK;
}

static void begin(struct decision *decision, struct activation *activation)
{
    if (activation_task(decision->run, activation)->listen.approval) {
        approval_request(decision, activation);
    } else {
        signal_drain(decision, activation);
    }
}

const struct task_behaviour listen_behaviour = {.prepare = prepare, .begin = begin};
