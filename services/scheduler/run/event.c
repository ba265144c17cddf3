#include "scheduler/run/event.h"

#include "base/assert.h"
#include "base/mem.h"

#include <stdlib.h>

enum { LIST_CAPACITY_MIN = 32 };

const char *event_type(enum event_kind kind)
{
    switch (kind) {
    case EVENT_RUN_STARTED: return "run.started";
    case EVENT_RUN_COMPLETED: return "run.completed";
    case EVENT_RUN_FAULTED: return "run.faulted";
    case EVENT_RUN_CANCELLED: return "run.cancelled";
    case EVENT_TASK_STARTED: return "task.started";
    case EVENT_TASK_SKIPPED: return "task.skipped";
    case EVENT_TASK_COMPLETED: return "task.completed";
    case EVENT_TASK_FAULTED: return "task.faulted";
    case EVENT_TASK_CANCELLED: return "task.cancelled";
    case EVENT_TASK_RETRIED:
    case EVENT_JOB_RETRIED: return "task.retried";
    case EVENT_JOB_SCHEDULED: return "job.scheduled";
    case EVENT_JOB_COMPLETED: return "job.completed";
    case EVENT_JOB_FAILED: return "job.failed";
    case EVENT_JOB_DEAD: return "job.dead";
    case EVENT_JOB_CANCELLED: return "job.cancelled";
    case EVENT_JOB_SETTLED: return "job.settled";
    case EVENT_APPROVAL_REQUESTED: return "approval.requested";
    case EVENT_APPROVAL_DECIDED: return "approval.decided";
    case EVENT_APPROVAL_EXPIRED: return "approval.expired";
    case EVENT_APPROVAL_CANCELLED: return "approval.cancelled";
    case EVENT_SIGNAL_RECEIVED: return "signal.received";
    case EVENT_TAKEN: return "event.taken";
    case EVENT_EXPIRED: return "event.expired";
    case EVENT_LISTEN_CLOSED: return "listen.closed";
    case EVENT_APPROVAL_EDITED: return "approval.edited";
    case EVENT_EMITTED: return "event.emitted";
    case EVENT_ITEM_COMPLETED: return "event.processed";
    case EVENT_CHILD_SCHEDULED: return "child.scheduled";
    case EVENT_CHILD_STARTED: return "child.started";
    case EVENT_CHILD_COMPLETED: return "child.completed";
    case EVENT_CHILD_FAULTED: return "child.faulted";
    case EVENT_CHILD_CANCELLED: return "child.cancelled";
    case EVENT_CHILD_TERMINATED: return "child.terminated";
    case EVENT_RUN_SUSPENDED: return "run.suspended";
    case EVENT_RUN_RESUMED: return "run.resumed";
    case EVENT_RUN_TERMINATED: return "run.terminated";
    case EVENT_UNDO_BEGUN: return "compensation.begun";
    case EVENT_COMPENSATION_STARTED: return "compensation.started";
    case EVENT_COMPENSATION_COMPLETED: return "compensation.completed";
    case EVENT_COMPENSATION_FAILED: return "compensation.failed";
    case EVENT_RUN_RETRIED: return "run.retried";
    case EVENT_RUN_LABELLED: return "run.labelled";
    case EVENT_RUN_DRAFTED: return "run.drafted";
    case EVENT_RUN_EDITED: return "run.edited";
    case EVENT_RUN_APPROVED: return "run.approved";
    case EVENT_RUN_VARIABLE: return "run.variable";
    case EVENT_RUN_CHARGED: return "run.charged";
    case EVENT_RUN_RESET: return "run.reset";
    case EVENT_RUN_COMPENSATED: return "run.compensated";
    case EVENT_CACHE_ASKED: return "cache.asked";
    case EVENT_CACHE_HIT: return "cache.hit";
    case EVENT_CACHE_LEFT: return "cache.left";
    case EVENT_TASK_PAUSED: return "task.paused";
    case EVENT_TASK_RESUMED: return "task.resumed";
    case EVENT_AGENT_TURN: return "agent.turn";
    case EVENT_AGENT_CALLS: return "agent.calls";
    case EVENT_NONE: break;
    }
    return "";
}

void event_done(struct event *event)
{
    json_unref(event->value);
    json_unref(event->input);
    json_unref(event->context);
    json_unref(event->error);
    json_unref(event->undo);
    json_unref(event->key);
    json_unref(event->cache);
    json_unref(event->iteration);
    json_unref(event->reference);
    json_unref(event->limit_key);
    event->value = event->input = event->context = event->error = json_invalid();
    event->undo = event->key = event->cache = event->iteration = event->reference = json_invalid();
    event->limit_key                                                              = json_invalid();
}

bool event_says_cancelled(const struct event *event)
{
    json type = json_get_text(event->error, "type");
    return json_is(type, JSON_TEXT) && str_is(json_str(type), "https://tutti.dev/errors/cancelled");
}

struct event *event_list_push(struct event_list *list, const struct event *event)
{
    ASSERT(list->count < EVENTS_MAX);
    if (list->count == list->capacity) {
        list->capacity = list->capacity ? list->capacity * 2 : LIST_CAPACITY_MIN;
        list->items    = mem_resize(list->items, list->capacity, sizeof *list->items);
    }
    struct event *place = &list->items[list->count++];
    *place              = *event;
    return place;
}

void event_list_clear(struct event_list *list)
{
    for (size_t i = 0; i < list->count; i++) event_done(&list->items[i]);
    list->count = 0;
}

void event_list_done(struct event_list *list)
{
    event_list_clear(list);
    free(list->items);
    *list = (struct event_list){};
}
