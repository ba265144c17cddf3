#include "scheduler/decide/signal.h"

#include "base/assert.h"
#include "base/mem.h"
#include "scheduler/run/event_match.h"

#include <stdlib.h>

/* One event and one listener that takes it. */
struct match {
    uint32_t activation;
    uint64_t started_sequence; /* the slot may have another use by the time */
    uint32_t filter;
    json expects; /* after it; JSON_INVALID: unchanged. Owned */
};

bool signal_is_wanted(const struct workflow *workflow, json event)
{
    for (uint32_t i = 0; i < workflow->task_count; i++) {
        const struct task *task = &workflow->tasks[i];
        if (task->kind != TASK_LISTEN || task->listen.approval) continue;
        if (event_strategy_could_match(&task->listen.to, event)) return true;
        bool ends = task->listen.has_until_events &&
                    event_strategy_could_match(&task->listen.until_events, event);
        if (ends) return true;
    }
    return false;
}

/* --- listeners ---------------------------------------------------------------------------------
 */

/* A filter that fails takes nothing; it must not fault a task that only waits. */
static bool eval_in_scene(const struct expression *expression, json input, json *ret_value,
                          void *context)
{
    json error = json_invalid();
    if (scene_eval_expression(context, expression, input, ret_value, &error) == STATUS_OK) {
        return true;
    }
    json_unref(error);
    return false;
}

static struct listening listening_of(const struct activation *listener, struct scene *scene)
{
    const struct listen_body *listen = &scene->task->listen;
    return (struct listening){
        .to         = &listen->to,
        .until      = listen->has_until_events ? &listen->until_events : NULL,
        .is_endless = listen->until || listen->has_until_events,
        .expects    = listener->items,
        .matched    = listener->matched,
        .eval       = {.eval = eval_in_scene, .context = scene},
    };
}

static bool listener_matches(const struct decision *decision, const struct activation *listener,
                             json event, struct match *ret_match)
{
    struct scene scene               = scene_of(decision->run, decision->env, listener);
    const struct listening listening = listening_of(listener, &scene);
    *ret_match                       = (struct match){
                              .activation       = listener->slot,
                              .started_sequence = listener->started_sequence,
    };
    return listening_takes(&listening, event, &ret_match->filter, &ret_match->expects);
}

/* --- going on ----------------------------------------------------------------------------------
 */

/* `until` as an expression is asked after each event, and once more when all of them are worked on,
 * since what that has exported may be what it asks for. */
static status until_asks(struct decision *decision, const struct activation *listener,
                         bool *ret_over, json *ret_error)
{
    struct scene scene             = scene_of(decision->run, decision->env, listener);
    const struct listening waiting = listening_of(listener, &scene);
    const struct listen_body *body = &scene.task->listen;
    json heard                     = body->foreach ? listener->events : listener->result;
    *ret_over                      = listening_is_over(&waiting);
    if (*ret_over || !body->until || json_count(heard) == 0) return STATUS_OK;
    return scene_test(&scene, body->until, heard, ret_over, ret_error);
}

static bool has_work(const struct run *run, const struct activation *listener)
{
    return listener->first_scope != SLOT_NONE || activation_can_open(run, listener);
}

static void complete(struct decision *decision, struct activation *listener)
{
    CLEANUP(json_unrefp) json nothing = json_array_new(0);
    bool has_result                   = listener->result.kind != JSON_INVALID;
    task_complete(decision, listener, has_result ? listener->result : nothing, NULL);
}

void listener_go_on(struct decision *decision, struct activation *listener)
{
    const struct run *run = decision->run;
    bool is_over          = !listener_is_open(run, listener);
    json error            = json_invalid();
    if (json_count(listener->events) > RUN_ITEMS_MAX ||
        json_count(listener->result) > RUN_ITEMS_MAX) {
        task_fault_with(decision, listener, ERROR_RUNTIME, "listen: over 100,000 events");
        return;
    }
    if (!is_over && until_asks(decision, listener, &is_over, &error) != STATUS_OK) {
        task_fault(decision, listener, error);
        return;
    }
    if (has_work(run, listener)) {
        if (is_over && listener_is_open(run, listener)) {
            struct event event = {.kind = EVENT_LISTEN_CLOSED, .activation = listener->slot};
            (void)decide_emit(decision, &event);
        }
        if (activation_can_open(run, listener)) {
            decide_ready(decision, READY_OWNER, listener->slot);
        }
    } else if (is_over) {
        complete(decision, listener);
    }
}

/* --- delivering --------------------------------------------------------------------------------
 */

static void take(struct decision *decision, const struct match *match, uint32_t number,
                 bool is_kept)
{
    struct event event = {
        .kind       = EVENT_TAKEN,
        .activation = match->activation,
        .index      = number,
        .attempt    = match->filter,
        .value      = match->expects,
        .is_kept    = is_kept,
    };
    (void)decide_emit(decision, &event);
}

/* The listener of a match, unless what others did has ended it. */
static struct activation *listener_at(const struct run *run, const struct match *match)
{
    struct activation *listener = run_activation(run, match->activation);
    bool is_it                  = listener && listener->started_sequence == match->started_sequence;
    return is_it ? listener : NULL;
}

static uint32_t buffered_max(const struct decide_env *env)
{
    uint32_t max = env->limits.buffered_max;
    return max > 0 && max < RUN_BUFFERED_MAX ? max : RUN_BUFFERED_MAX;
}

/* All who take the event, in the order of their slots. Owned, with their expectations. */
static struct match *matches_new(const struct decision *decision, json event, size_t *ret_count)
{
    const struct run *run = decision->run;
    struct match *matches = mem_new(run->activations.open + 1, sizeof *matches);
    size_t count          = 0;
    for (uint32_t i = 0; i < run->activations.count; i++) {
        const struct activation *activation = run_activation(run, i);
        if (!activation || !listener_is_open(run, activation)) continue;
        if (listener_matches(decision, activation, event, &matches[count])) count++;
    }
    *ret_count = count;
    return matches;
}

/* Receives `event` (taken) for those who take it. */
static void deliver(struct decision *decision, json event, const struct match *matches,
                    size_t count)
{
    struct event arrival = {
        .kind  = EVENT_SIGNAL_RECEIVED,
        .index = decision->run->event_number + 1,
        .value = event,
    };
    uint32_t number = decide_emit(decision, &arrival)->index;
    /* All take it before the first goes on: what one does then may end another. */
    for (size_t i = 0; i < count; i++) take(decision, &matches[i], number, i + 1 < count);
    for (size_t i = 0; i < count; i++) {
        struct activation *listener = listener_at(decision->run, &matches[i]);
        if (listener) listener_go_on(decision, listener);
    }
}

status signal_receive(struct decision *decision, json event, struct error *reterr)
{
    CLEANUP(json_unrefp) json received = event;
    size_t count                       = 0;
    struct match *matches              = matches_new(decision, event, &count);
    if (count == 0 && decision->run->buffer_count >= buffered_max(decision->env)) {
        free(matches);
        return fail_code(reterr, STATUS_RESOURCE_EXHAUSTED, "rate_limited",
                         "%u events wait in this run for a `listen`; no more fit",
                         decision->run->buffer_count);
    }
    deliver(decision, json_take(&received), matches, count);
    free(matches);
    return STATUS_OK;
}

bool signal_offer(struct decision *decision, json event)
{
    size_t count          = 0;
    struct match *matches = matches_new(decision, event, &count);
    if (count > 0) deliver(decision, json_ref(event), matches, count);
    free(matches);
    return count > 0;
}

void signal_drain(struct decision *decision, struct activation *listener)
{
    const struct run *run = decision->run;
    for (uint32_t i = 0; i < run->buffer_count;) {
        struct match match = {};
        if (!listener_matches(decision, listener, run->buffer[i].event, &match)) {
            i++;
            continue;
        }
        take(decision, &match, run->buffer[i].number, false); /* which removes it */
        listener_go_on(decision, listener);
        listener = listener_at(run, &match);
        if (!listener || !listener_is_open(run, listener)) return;
    }
}
