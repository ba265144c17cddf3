/*
 * emit: makes a CloudEvent, gives it to the tasks of this run that listen, and has it as output.
 * The engine gives it to other runs of the namespace (engine_events.h).
 */
#include "base/clock.h"
#include "scheduler/decide/signal.h"
#include "scheduler/decide/tasks/tasks.h"

#include <stdio.h>

enum { HTTP_TOO_MANY_REQUESTS = 429 };

static void put_missing(json *event, const char *name, const char *text)
{
    if (json_get_text(*event, name).kind != JSON_INVALID) return;
    json_object_put_text(event, name, json_text_from(text));
}

static void put_defaults(struct decision *decision, json *event)
{
    const struct workflow *workflow = decision->run->workflow;
    char time[TIME_TEXT_SIZE];
    char source[3 * (WORKFLOW_NAME_MAX + 1) + 192];
    time_format(decision->env->now_us, time);
    (void)snprintf(source, sizeof source, "/%s/%s/%s", workflow->namespace_, workflow->name,
                   workflow->version);
    put_missing(event, "specversion", "1.0");
    put_missing(event, "source", source);
    put_missing(event, "time", time);
    if (json_get_text(*event, "id").kind == JSON_INVALID) {
        json_object_put_text(event, "id", json_text_from(decide_id(decision->env).text));
    }
}

static const char *const texts[] = {"type", "specversion",     "id",         "source",
                                    "time", "datacontenttype", "dataschema", "subject"};

/* What is computed to null is not there. What is there is a text, and one of them has to be. */
static status check(struct scene *scene, json *event, json *ret_error)
{
    char detail[128];
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        json value = json_get_text(*event, texts[i]);
        if (json_is(value, JSON_NULL)) json_object_remove(event, str_from(texts[i]));
        bool is_text = json_is(value, JSON_TEXT) && json_str(value).len > 0;
        if (is_text || json_is(value, JSON_NULL) || value.kind == JSON_INVALID) continue;
        (void)snprintf(detail, sizeof detail, "`%s` of an event is a text that is not empty",
                       texts[i]);
        return scene_fail(scene, ERROR_EXPRESSION, detail, ret_error);
    }
    if (json_get_text(*event, "type").kind != JSON_INVALID) return STATUS_OK;
    return scene_fail(scene, ERROR_EXPRESSION, "an event needs a `type`", ret_error);
}

static void begin(struct decision *decision, struct activation *activation)
{
    const struct task *task         = activation_task(decision->run, activation);
    struct scene scene              = scene_of(decision->run, decision->env, activation);
    CLEANUP(json_unrefp) json event = json_invalid();
    json error                      = json_invalid();
    status code = scene_eval(&scene, task->emit, activation->input, &event, &error);
    if (code == STATUS_OK && !json_is(event, JSON_OBJECT)) {
        code = scene_fail(&scene, ERROR_EXPRESSION, "emit.event.with must yield an object", &error);
    }
    if (code == STATUS_OK) code = check(&scene, &event, &error);
    if (code != STATUS_OK) {
        task_fault(decision, activation, error);
        return;
    }
    put_defaults(decision, &event);
    struct error why = {};
    /* What nobody ever listens to would only fill the buffer. */
    bool is_wanted = signal_is_wanted(decision->run->workflow, event);
    if (is_wanted && signal_receive(decision, json_ref(event), &why) != STATUS_OK) {
        task_fault(decision, activation,
                   error_new(ERROR_RUNTIME, HTTP_TOO_MANY_REQUESTS, str_from(why.text),
                             str_from(task->reference)));
        return;
    }
    struct event emitted = {
        .kind       = EVENT_EMITTED,
        .activation = activation->slot,
        .value      = json_ref(event),
        .is_kept    = is_wanted,
    };
    (void)decide_emit(decision, &emitted);
    /* Each attempt of a try makes another event: each is undone. */
    CLEANUP(json_unrefp) json key = json_invalid();
    if (task->is_undoable) key = json_text_from(decide_id(decision->env).text);
    task_complete_under(decision, activation, activation->result, key);
}

const struct task_behaviour emit_behaviour = {.begin = begin};
