/* Events that reach a run, and what a `listen` makes of them. */
#include "scheduler/run/apply.h"
#include "scheduler/run/event_match.h"

status apply_signal(struct run *run, struct event *event, struct error *reterr)
{
    if (event->value.kind != JSON_OBJECT) return damaged(reterr, event, "no event");
    if (event->index != run->event_number + 1) return damaged(reterr, event, "wrong number");
    /* One more than may wait: it may be taken at once. */
    if (run->buffer_count > RUN_BUFFERED_MAX) return damaged(reterr, event, "too many events");
    run->event_number++;
    const struct buffered buffered = {
        .number      = event->index,
        .received_us = event->time_us,
        .event       = json_ref(event->value),
    };
    buffer_add(run, &buffered);
    run->is_due_known = false;
    return STATUS_OK;
}

static struct buffered *buffered_find(const struct run *run, uint32_t number)
{
    for (uint32_t i = 0; i < run->buffer_count; i++) {
        if (run->buffer[i].number == number) return &run->buffer[i];
    }
    return NULL;
}

static void buffered_remove(struct run *run, struct buffered *buffered)
{
    json_unref(buffered->event);
    size_t after = run->buffer_count - (size_t)(buffered - run->buffer) - 1;
    memmove(buffered, buffered + 1, after * sizeof *buffered);
    run->buffer_count--;
    run->is_due_known = false;
}

/* What `read` makes of an event; a view. */
static json event_read(const struct listen_body *listen, json event)
{
    if (listen->read == LISTEN_ENVELOPE) return event;
    json data = json_get_text(event, "data");
    if (data.kind == JSON_INVALID) data = json_get_text(event, "data_base64");
    return data.kind == JSON_INVALID ? json_null() : data;
}

static void array_push(json *array, json value)
{
    if (array->kind == JSON_INVALID) *array = json_array_new(1);
    json_array_push(array, value);
}

status apply_taken(struct run *run, struct activation *activation, struct event *event,
                   struct error *reterr)
{
    struct buffered *buffered = buffered_find(run, event->index);
    if (!buffered) return damaged(reterr, event, "no such event waits");
    if (!listener_is_open(run, activation)) return damaged(reterr, event, "it does not listen");

    const struct listen_body *listen = &activation_task(run, activation)->listen;
    bool is_end     = listen->has_until_events && event->attempt >= listening_base(&listen->to);
    bool is_endless = listen->until || listen->has_until_events;
    if (!is_end) {
        json read = event_read(listen, buffered->event);
        array_push(listen->foreach ? &activation->events : &activation->result, json_ref(read));
    }
    /* An endless `any` may take any number of events; nobody asks for which filter. */
    if (is_end || !is_endless) array_push(&activation->matched, json_int(event->attempt));
    if (event->value.kind != JSON_INVALID) {
        json_replace(&activation->items, json_ref(event->value));
    }
    if (!event->is_kept) buffered_remove(run, buffered);
    return STATUS_OK;
}

status apply_closed(const struct run *run, struct activation *activation, struct event *event,
                    struct error *reterr)
{
    if (!listener_is_open(run, activation)) return damaged(reterr, event, "it does not listen");
    return apply_input(activation, INPUT_CLOSE, event, reterr);
}

status apply_item(struct run *run, struct activation *activation, struct event *event,
                  struct error *reterr)
{
    const struct task *task = activation_task(run, activation);
    struct scope *scope     = run_scope(run, activation->first_scope);
    bool is_next            = event->index == json_count(activation->result);
    if (task->kind != TASK_LISTEN || !task->listen.foreach || !is_next) {
        return damaged(reterr, event, "not the next event of a `foreach`");
    }
    bool has_list = task->listen.foreach->body.count > 0;
    if (has_list ? !scope || scope->state != SCOPE_OVER || scope->index != event->index
                 : !activation_can_open(run, activation)) {
        return damaged(reterr, event, "its list is not over");
    }
    if (event->value_from == VALUE_RESULT) {
        json made = has_list ? scope->data : json_at(activation->events, event->index);
        json_replace(&event->value, json_ref(made));
    }
    if (event->value.kind == JSON_INVALID) return damaged(reterr, event, "no output");

    array_push(&activation->result, json_ref(event->value));
    if (event->context.kind != JSON_INVALID) {
        scope_set_context(run, run_scope(run, activation->scope), json_ref(event->context));
    }
    if (has_list) {
        scope_close(run, scope);
    } else {
        activation->next_index++;
    }
    return STATUS_OK;
}

/* It is the raw output of its task. */
status apply_emitted(const struct run *run, struct activation *activation, struct event *event,
                     struct error *reterr)
{
    bool is_emit = activation_task(run, activation)->kind == TASK_EMIT;
    if (!is_emit || event->value.kind != JSON_OBJECT) return damaged(reterr, event, "no `emit`");
    json_replace(&activation->result, json_ref(event->value));
    return STATUS_OK;
}

status apply_expired(struct run *run, struct event *event, struct error *reterr)
{
    struct buffered *buffered = buffered_find(run, event->index);
    if (!buffered) return damaged(reterr, event, "no such event waits");
    buffered_remove(run, buffered);
    return STATUS_OK;
}
