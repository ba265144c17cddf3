#include "scheduler/signal.h"

#include "base/assert.h"
#include "base/mem.h"
#include "expr/regex.h"
#include "json/json_text.h"

#include <stdlib.h>

/* One event and one listener that takes it. */
struct match {
    uint32_t activation;
    uint32_t filter;
    json expects; /* after it; JSON_INVALID: unchanged. Owned */
};

/* --- does a filter take an event?
 * ----------------------------------------------------------------- */

static bool literal_matches(const struct event_attribute *attribute, json value)
{
    if (value.kind == JSON_INVALID) return false;
    if (json_equal(attribute->literal, value)) return true;
    bool matches = false;
    return attribute->pattern && json_is(value, JSON_TEXT) &&
           regex_matches(attribute->pattern, json_str(value), &matches, NULL) == STATUS_OK &&
           matches;
}

/* What its expressions and correlations say is known only when it listens. */
static bool filter_could_match(const struct event_filter *filter, json event)
{
    for (uint32_t i = 0; i < filter->attribute_count; i++) {
        const struct event_attribute *attribute = &filter->attributes[i];
        if (attribute->expr) continue;
        if (!literal_matches(attribute, json_get_text(event, attribute->name))) return false;
    }
    return true;
}

bool signal_is_wanted(const struct workflow *workflow, json event)
{
    for (uint32_t i = 0; i < workflow->task_count; i++) {
        const struct task *task = &workflow->tasks[i];
        if (task->kind != TASK_LISTEN || task->listen.approval) continue;
        if (task->listen.filter_count == 0) return true;
        for (uint32_t j = 0; j < task->listen.filter_count; j++) {
            if (filter_could_match(&task->listen.filters[j], event)) return true;
        }
    }
    return false;
}

/* A25. A filter that fails takes nothing; it must not fault a task that only waits. */
static bool attribute_matches(struct scene *scene, const struct event_attribute *attribute,
                              json event)
{
    json value = json_get_text(event, attribute->name);
    if (attribute->expr) {
        CLEANUP(json_unrefp) json result = json_invalid();
        json error                       = json_invalid();
        if (scene_eval_expression(scene, attribute->expr, value, &result, &error) != STATUS_OK) {
            json_unref(error);
            return false;
        }
        return json_is_bool(result) ? json_is_truthy(result) : json_equal(result, value);
    }
    return literal_matches(attribute, value);
}

/* The expectation of one correlation: null while the first event has not set it (A26). */
static json expectation(json expects, uint32_t filter, uint32_t correlation)
{
    return json_at(json_at(expects, filter), correlation);
}

static void expectation_set(json *expects, uint32_t filter, uint32_t correlation, json value)
{
    json row = json_ref(json_at(*expects, filter));
    json_array_set(&row, correlation, value);
    json_array_set(expects, filter, row);
}

static bool correlations_match(struct scene *scene, json event, uint32_t filter, json *expects)
{
    const struct event_filter *wanted = &scene->task->listen.filters[filter];
    for (uint32_t i = 0; i < wanted->correlation_count; i++) {
        CLEANUP(json_unrefp) json value = json_invalid();
        json error                      = json_invalid();
        if (scene_eval_expression(scene, wanted->correlations[i].from, event, &value, &error) !=
            STATUS_OK) {
            json_unref(error);
            return false;
        }
        json expected = expectation(*expects, filter, i);
        if (json_is(expected, JSON_NULL)) {
            expectation_set(expects, filter, i, json_take(&value));
        } else if (!json_equal(expected, value)) {
            return false;
        }
    }
    return true;
}

static bool filter_matches(struct scene *scene, json event, uint32_t filter, json *expects)
{
    const struct event_filter *wanted = &scene->task->listen.filters[filter];
    for (uint32_t i = 0; i < wanted->attribute_count; i++) {
        if (!attribute_matches(scene, &wanted->attributes[i], event)) return false;
    }
    return correlations_match(scene, event, filter, expects);
}

static bool has_matched(const struct activation *listener, uint32_t filter)
{
    for (size_t i = 0; i < json_count(listener->matched); i++) {
        if (json_equal(json_at(listener->matched, i), json_int(filter))) return true;
    }
    return false;
}

/* Which filter of the listener takes the event. `all` waits for one event per filter. */
static bool listener_matches(const struct decision *decision, const struct activation *listener,
                             json event, struct match *ret_match)
{
    const struct task *task = activation_task(decision->run, listener);
    struct scene scene      = scene_of(decision->run, decision->env, listener);
    *ret_match              = (struct match){.activation = listener->slot};
    if (task->listen.filter_count == 0) return true; /* an empty `any` takes every event */
    for (uint32_t i = 0; i < task->listen.filter_count; i++) {
        if (task->listen.mode == LISTEN_ALL && has_matched(listener, i)) continue;
        json expects = json_ref(listener->items);
        if (filter_matches(&scene, event, i, &expects)) {
            ret_match->filter  = i;
            bool is_changed    = !json_same(expects, listener->items);
            ret_match->expects = is_changed ? json_ref(expects) : json_invalid();
            json_unref(expects);
            return true;
        }
        json_unref(expects);
    }
    return false;
}

static bool is_listening(const struct run *run, const struct activation *activation)
{
    const struct task *task = activation_task(run, activation);
    return task->kind == TASK_LISTEN && !task->listen.approval && activation->state == TASK_WAITING;
}

static bool is_satisfied(const struct task *task, const struct activation *listener)
{
    size_t taken  = json_count(listener->matched);
    size_t wanted = task->listen.mode == LISTEN_ALL ? task->listen.filter_count : 1;
    return taken >= wanted && taken > 0;
}

/* --- delivering
 * ----------------------------------------------------------------------------------- */

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

    struct activation *listener = run_activation(decision->run, match->activation);
    if (is_satisfied(activation_task(decision->run, listener), listener)) {
        task_complete(decision, listener, listener->result, NULL);
    }
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
        if (!activation || !is_listening(run, activation)) continue;
        if (listener_matches(decision, activation, event, &matches[count])) count++;
    }
    *ret_count = count;
    return matches;
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
    struct event arrival = {
        .kind  = EVENT_SIGNAL_RECEIVED,
        .index = decision->run->event_number + 1,
        .value = json_take(&received),
    };
    uint32_t number = decide_emit(decision, &arrival)->index;
    for (size_t i = 0; i < count; i++) take(decision, &matches[i], number, i + 1 < count);
    free(matches);
    return STATUS_OK;
}

void signal_drain(struct decision *decision, struct activation *listener)
{
    const struct run *run = decision->run;
    uint32_t slot         = listener->slot;
    uint64_t sequence     = listener->started_sequence;
    for (uint32_t i = 0; i < run->buffer_count;) {
        struct match match = {};
        if (!listener_matches(decision, listener, run->buffer[i].event, &match)) {
            i++;
            continue;
        }
        take(decision, &match, run->buffer[i].number, false); /* which removes it */
        listener = run_activation(run, slot);
        if (!listener || listener->started_sequence != sequence) return;
    }
}
