/* The command of run.h by which child runs answer. */
#include "scheduler/decide/child.h"

#include "base/buf.h"
#include "scheduler/decide/decide.h"
#include "scheduler/run/job_key.h"

enum { DETAIL_MAX = 16 << 10 /* bytes */ };

/* What the child died of, as the task raises it: type, status and title are the child's, its
 * instance and the run are in the detail. Owned. */
static json fault_new(const struct run *run, const struct activation *activation,
                      const struct child_answer *answer)
{
    CLEANUP(buf_done) struct buf place_of_task = buf_init(REFERENCE_MAX);
    reference_put(run, activation, &place_of_task);
    str instance = buf_str(&place_of_task);
    if (answer->outcome == CHILD_REFUSED) {
        json full = json_ref(answer->value);
        json_object_put_text(&full, "instance", json_text_new(instance));
        return full;
    }
    CLEANUP(buf_done) struct buf detail = buf_init(DETAIL_MAX);
    (void)buf_printf(&detail, "child run " STR_FMT, STR_ARG(answer->run));
    if (answer->outcome != CHILD_FAULTED) {
        bool is_hard = answer->outcome == CHILD_TERMINATED;
        (void)buf_printf(&detail, " was %s", is_hard ? "terminated" : "cancelled");
        return error_new(ERROR_RUNTIME, 0, buf_str(&detail), instance);
    }
    json place = json_get_text(answer->value, "instance");
    json text  = json_get_text(answer->value, "detail");
    if (json_is(place, JSON_TEXT)) {
        (void)buf_printf(&detail, " at " STR_FMT, STR_ARG(json_str(place)));
    }
    if (json_is(text, JSON_TEXT)) {
        str shown = str_slice(json_str(text), 0, DETAIL_MAX / 2);
        (void)buf_printf(&detail, ": " STR_FMT, STR_ARG(shown));
    }
    bool is_complete = json_is(json_get_text(answer->value, "type"), JSON_TEXT) &&
                       json_is_number(json_get_text(answer->value, "status"));
    if (!is_complete) return error_new(ERROR_RUNTIME, 0, buf_str(&detail), instance);
    json full = json_ref(answer->value);
    json_object_put_text(&full, "detail", json_text_lossy(buf_str(&detail)));
    json_object_put_text(&full, "instance", json_text_new(instance));
    return full;
}

/* The run that the child is: each attempt of a try starts another one, which is undone by itself,
 * unless the key of its workflow finds the same. Owned. */
static json run_key_new(const struct activation *activation)
{
    bool is_other = activation->key.kind == JSON_TEXT;
    return is_other ? json_ref(activation->key) : json_text_from(activation->id.text);
}

static void child_started(struct decision *decision, struct activation *activation,
                          const struct child_answer *answer)
{
    struct event event = {
        .kind = EVENT_CHILD_STARTED, .activation = activation->slot, .id = activation->id};
    if (!str_is(answer->run, activation->id.text)) event.value = json_text_new(answer->run);
    (void)decide_emit(decision, &event);
    const struct task *task = activation_task(decision->run, activation);
    if (!task->run.is_detached) return;
    CLEANUP(json_unrefp) json key = json_text_new(answer->run);
    task_complete_under(decision, activation, activation->input, key);
}

static void child_completed(struct decision *decision, struct activation *activation,
                            const struct child_answer *answer)
{
    CLEANUP(json_unrefp) json key = run_key_new(activation);
    const struct task *task       = activation_task(decision->run, activation);
    bool has_output    = answer->value.kind != JSON_INVALID && !task->run.returns_nothing;
    struct event event = {
        .kind       = EVENT_CHILD_COMPLETED,
        .activation = activation->slot,
        .id         = activation->id,
        .usage      = answer->usage,
        .value      = has_output ? json_ref(answer->value) : json_null(),
    };
    (void)decide_emit(decision, &event);
    task_complete_under(decision, activation, activation->result, key);
}

static void child_faulted(struct decision *decision, struct activation *activation,
                          const struct child_answer *answer)
{
    json error         = fault_new(decision->run, activation, answer);
    struct event event = {
        .kind       = EVENT_CHILD_FAULTED,
        .activation = activation->slot,
        .id         = activation->id,
        .usage      = answer->usage,
        .error      = json_ref(error),
    };
    (void)decide_emit(decision, &event);
    task_fault(decision, activation, error);
}

status run_child_answered(struct run *run, const struct decide_env *env,
                          const struct child_answer *answer, struct event_list *events,
                          struct error *reterr)
{
    struct activation *activation =
        run->status == RUN_RUNNING ? run_activation(run, answer->activation) : NULL;
    bool is_waiting = activation && activation_task(run, activation)->kind == TASK_RUN &&
                      str_is(answer->child, activation->id.text);
    if (!is_waiting) {
        return fail(reterr, STATUS_NOT_FOUND, "run %s waits for no child " STR_FMT, run->id.text,
                    STR_ARG(answer->child));
    }
    struct decision decision = decision_begin(run, env, events);
    switch (answer->outcome) {
    case CHILD_STARTED: child_started(&decision, activation, answer); break;
    case CHILD_COMPLETED: child_completed(&decision, activation, answer); break;
    case CHILD_FAULTED:
    case CHILD_CANCELLED:
    case CHILD_TERMINATED:
    case CHILD_REFUSED: child_faulted(&decision, activation, answer); break;
    }
    decision_end(&decision);
    return STATUS_OK;
}
