/*
 * listen: waits for events, or for a person. Its output is the array of what it took.
 *
 * With `foreach` each event is worked on by a list of tasks, one event after the other while
 * further ones queue; then the output is the array of what those lists made. A `listen` that has
 * all its events and still works on some of them runs; until then it waits, whatever it works on.
 */
#include "scheduler/decide/approval.h"
#include "scheduler/decide/signal.h"
#include "scheduler/decide/tasks/tasks.h"
#include "scheduler/run/event_match.h"

/* --- starting ----------------------------------------------------------------------------------
 */

static status row_push(struct scene *scene, const struct event_filter *filter, json *expects,
                       json *ret_error)
{
    CLEANUP(json_unrefp) json row = json_array_new(filter ? filter->correlation_count : 0);
    for (uint32_t i = 0; filter && i < filter->correlation_count; i++) {
        const struct template *expect = filter->correlations[i].expect;
        json value                    = json_null(); /* the first event says */
        if (expect) TRY(scene_eval(scene, expect, scene->input, &value, ret_error));
        json_array_push(&row, value);
    }
    json_array_push(expects, json_take(&row));
    return STATUS_OK;
}

static bool has_correlations(const struct event_strategy *strategy)
{
    for (uint32_t i = 0; i < strategy->filter_count; i++) {
        if (strategy->filters[i].correlation_count > 0) return true;
    }
    return false;
}

/* What correlations expect is evaluated once, when the task starts, and journalled: a row for each
 * filter, by their numbers (event_match.h). */
static status prepare(struct scene *scene, struct event *started, json *ret_error)
{
    const struct listen_body *listen   = &scene->task->listen;
    const struct event_strategy *to    = &listen->to;
    const struct event_strategy *until = &listen->until_events;
    if (listen->approval || (!has_correlations(to) && !has_correlations(until))) return STATUS_OK;

    CLEANUP(json_unrefp) json expects = json_array_new(to->filter_count + until->filter_count);
    for (uint32_t i = 0; i < listening_base(to); i++) {
        const struct event_filter *filter = to->filter_count > 0 ? &to->filters[i] : NULL;
        TRY(row_push(scene, filter, &expects, ret_error));
    }
    for (uint32_t i = 0; i < until->filter_count; i++) {
        TRY(row_push(scene, &until->filters[i], &expects, ret_error));
    }
    started->value = json_take(&expects);
    return STATUS_OK;
}

static void begin(struct decision *decision, struct activation *activation)
{
    if (activation_task(decision->run, activation)->listen.approval) {
        approval_request(decision, activation);
        return;
    }
    uint32_t slot     = activation->slot;
    uint64_t sequence = activation->started_sequence;
    listener_go_on(decision, activation); /* an `all` of nothing is over */
    activation = run_activation(decision->run, slot);
    if (!activation || activation->started_sequence != sequence) return;
    signal_drain(decision, activation);
}

/* --- foreach -----------------------------------------------------------------------------------
 */

/* output.as, output.schema, export.as, export.schema of `foreach`, for the event at `index`. Both
 * results are owned. */
static status transform(struct scene *scene, const struct foreach_body *foreach, json output,
                        json *ret_value, json *ret_context, json *ret_error)
{
    CLEANUP(json_unrefp) json value = json_invalid();
    scene->raw_output               = output;
    if (foreach->output_as) {
        TRY(scene_eval(scene, foreach->output_as, output, &value, ret_error));
    } else {
        value = json_ref(output);
    }
    TRY(scene_check(scene, foreach->output_schema, value, "foreach.output", ret_error));
    if (foreach->export_as) {
        scene->output                     = value;
        CLEANUP(json_unrefp) json context = json_invalid();
        TRY(scene_eval(scene, foreach->export_as, value, &context, ret_error));
        TRY(scene_check(scene, foreach->export_schema, context, "foreach.export", ret_error));
        *ret_context = json_take(&context);
    }
    *ret_value = json_take(&value);
    return STATUS_OK;
}

/* The list of one event is over, or there is none. */
static void item_complete(struct decision *decision, struct activation *activation)
{
    const struct run *run              = decision->run;
    const struct foreach_body *foreach = activation_task(run, activation)->listen.foreach;
    const struct scope *scope          = run_scope(run, activation->first_scope);
    uint32_t index                     = scope ? scope->index : activation->next_index;
    struct scene scene                 = scene_of(run, decision->env, activation);
    if (scope) scene.place = place_of(scope);
    scene.item  = json_at(activation->events, index);
    scene.index = index;

    json output        = scope ? scope->data : scene.item;
    json error         = json_invalid();
    struct event event = {
        .kind = EVENT_ITEM_COMPLETED, .activation = activation->slot, .index = index};
    if (transform(&scene, foreach, output, &event.value, &event.context, &error) != STATUS_OK) {
        task_fault(decision, activation, error);
        return;
    }
    if (event.value.kind >= JSON_TEXT && json_same(event.value, output)) {
        json_replace(&event.value, json_invalid());
        event.value_from = VALUE_RESULT;
    }
    (void)decide_emit(decision, &event);
    listener_go_on(decision, activation);
}

static void open(struct decision *decision, struct activation *activation)
{
    const struct foreach_body *foreach = activation_task(decision->run, activation)->listen.foreach;
    if (foreach->body.count == 0) {
        decision->steps++;
        item_complete(decision, activation);
        return;
    }
    uint32_t index           = activation->next_index;
    const struct place place = place_within(activation, SCOPE_ITERATION, index);
    task_start(decision, &place, foreach->body.tasks[0], json_at(activation->events, index));
}

static void settle(struct decision *decision, struct activation *activation, json error)
{
    if (error.kind != JSON_INVALID) {
        task_fault(decision, activation, json_ref(error));
    } else {
        item_complete(decision, activation);
    }
}

const struct task_behaviour listen_behaviour = {
    .prepare = prepare,
    .begin   = begin,
    .open    = open,
    .settle  = settle,
};
