#include "scheduler/decide/job_question.h"

#include "scheduler/decide/approval.h"
#include "scheduler/decide/job_arguments.h"
#include "scheduler/run/job_key.h"
#include "scheduler/run/question.h"
#include "json/json_text.h"

void job_question_close(struct decision *decision, struct activation *activation, bool is_expired)
{
    if (!task_is_asking(decision->run, activation)) return;
    struct event event = {.kind = is_expired ? EVENT_APPROVAL_EXPIRED : EVENT_APPROVAL_CANCELLED,
                          .activation = activation->slot,
                          .id         = activation->approval};
    (void)decide_emit(decision, &event);
}

static void member_copy(json *object, const char *name, json from)
{
    json value = json_get_text(from, name);
    if (value.kind != JSON_INVALID) json_object_put_text(object, name, json_ref(value));
}

/* What a `listen` with an approval asks, of the same form. Owned. */
static json request_new(json question)
{
    json value = json_object_new(5);
    json_object_put_text(&value, "approvers", json_array_new(0));
    json_object_put_text(&value, "editable", json_bool(false));
    member_copy(&value, "title", question);
    member_copy(&value, "payload", question);
    member_copy(&value, "form", question);
    return value;
}

static status check(const struct activation *activation, json question, struct error *reterr)
{
    CLEANUP(buf_done) struct buf text = buf_init(APPROVAL_PAYLOAD_MAX);
    bool is_whole                     = json_is(json_get_text(question, "title"), JSON_TEXT) &&
                    json_is(json_get_text(question, "payload"), JSON_OBJECT);
    if (!is_whole || !json_print(question, JSON_COMPACT, &text)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "a question has a title and a payload, and at most 256 KiB");
    }
    if (!activation->undo) return STATUS_OK;
    return fail(reterr, STATUS_FAILED_PRECONDITION, "what undoes something asks nobody");
}

status run_job_asked(struct run *run, const struct decide_env *env,
                     const struct job_question *command, struct event_list *events,
                     struct error *reterr)
{
    struct activation *activation =
        run->status == RUN_RUNNING ? job_activation(run, command->job) : NULL;
    if (!activation) {
        return fail(reterr, STATUS_NOT_FOUND, "run %s has no open job " STR_FMT, run->id.text,
                    STR_ARG(command->job));
    }
    const struct task *task            = activation_task(run, activation);
    CLEANUP(json_unrefp) json question = job_value_masked(run, env, task, command->value);
    TRY(check(activation, question, reterr));
    struct decision decision = decision_begin(run, env, events);
    struct event event       = {
              .kind       = EVENT_APPROVAL_REQUESTED,
              .activation = activation->slot,
              .id         = decide_id(env),
              .due_us     = activation->deadline_us,
              .value      = request_new(question),
              .iteration  = iteration_new(run, run_scope(run, activation->scope)),
              .reference  = reference_new(run, activation),
    };
    (void)decide_emit(&decision, &event);
    decision_end(&decision);
    return STATUS_OK;
}
