#include "scheduler/decide/approval.h"

#include "base/assert.h"
#include "base/clock.h"
#include "scheduler/run/job_key.h"
#include "scheduler/run/question.h"
#include "json/json_text.h"

static status member_put(struct scene *scene, json *object, const char *name,
                         const struct template *template, json *ret_error)
{
    if (!template) return STATUS_OK;
    json value = json_invalid();
    TRY(scene_eval(scene, template, scene->input, &value, ret_error));
    json_object_put_text(object, name, value);
    return STATUS_OK;
}

static status check_size(struct scene *scene, json payload, json *ret_error)
{
    if (payload.kind == JSON_INVALID) return STATUS_OK;
    CLEANUP(buf_done) struct buf text = buf_init(APPROVAL_PAYLOAD_MAX);
    if (json_print(payload, JSON_COMPACT, &text)) return STATUS_OK;
    return scene_fail(scene, ERROR_VALIDATION, "approval.payload: over 256 KiB", ret_error);
}

static bool are_approvers(json value)
{
    if (!json_is(value, JSON_ARRAY) || json_count(value) > APPROVAL_APPROVERS_MAX) return false;
    for (size_t i = 0; i < json_count(value); i++) {
        json one = json_at(value, i);
        if (!json_is(one, JSON_TEXT) || json_str(one).len > APPROVER_MAX) return false;
    }
    return true;
}

static status approvers_put(struct scene *scene, json *value, json *ret_error)
{
    const struct approval_rule *rule    = scene->task->listen.approval;
    CLEANUP(json_unrefp) json approvers = json_array_new(0);
    if (rule->approvers) {
        json_unref(json_take(&approvers));
        TRY(scene_eval(scene, rule->approvers, scene->input, &approvers, ret_error));
    }
    if (!are_approvers(approvers)) {
        return scene_fail(scene, ERROR_EXPRESSION,
                          "approval.approvers must yield a list of at most 64 texts", ret_error);
    }
    json_object_put_text(value, "approvers", json_take(&approvers));
    return STATUS_OK;
}

static status requested(struct scene *scene, json *value, json *ret_error)
{
    const struct approval_rule *rule = scene->task->listen.approval;
    json_object_put_text(value, "title", json_text_from(scene->task->name));
    TRY(approvers_put(scene, value, ret_error));
    json_object_put_text(value, "editable", json_bool(rule->is_editable));
    TRY(member_put(scene, value, "title", rule->title, ret_error));
    TRY(member_put(scene, value, "payload", rule->payload, ret_error));
    TRY(member_put(scene, value, "form", rule->form, ret_error));
    return check_size(scene, json_get_text(*value, "payload"), ret_error);
}

void approval_request(struct decision *decision, struct activation *activation)
{
    struct scene scene              = scene_of(decision->run, decision->env, activation);
    CLEANUP(json_unrefp) json value = json_object_new(5);
    json error                      = json_invalid();
    if (requested(&scene, &value, &error) != STATUS_OK) {
        task_fault(decision, activation, error);
        return;
    }
    struct event event = {
        .kind       = EVENT_APPROVAL_REQUESTED,
        .activation = activation->slot,
        .id         = decide_id(decision->env),
        .due_us     = activation->deadline_us,
        .value      = json_take(&value),
        .iteration  = iteration_new(decision->run, run_scope(decision->run, activation->scope)),
        .reference  = reference_new(decision->run, activation),
    };
    (void)decide_emit(decision, &event);
}

/* --- editing
 * --------------------------------------------------------------------------------------- */

static struct activation *approval_find(const struct run *run, str approval);

static struct id approval_id(const struct run *run, const struct activation *activation)
{
    return task_is_asking(run, activation) ? activation->approval : activation->id;
}

static void put_change(json *value, const char *name, json old, json new)
{
    json change = json_object_new(2);
    json_object_put_text(&change, "old", old.kind == JSON_INVALID ? json_null() : json_ref(old));
    json_object_put_text(&change, "new", json_ref(new));
    json_object_put_text(value, name, change);
}

static json time_or_null(int64_t time_us)
{
    char text[TIME_TEXT_SIZE];
    if (time_us == 0) return json_null();
    time_format(time_us, text);
    return json_text_from(text);
}

static void put_due(json *value, int64_t old_us, int64_t new_us)
{
    CLEANUP(json_unrefp) json before = time_or_null(old_us);
    CLEANUP(json_unrefp) json after  = time_or_null(new_us);
    put_change(value, "due_at", before, after);
}

status run_approval_edit(struct run *run, const struct decide_env *env,
                         const struct approval_edit *command, struct event_list *events,
                         struct error *reterr)
{
    struct activation *activation = approval_find(run, command->approval);
    if (!activation) {
        return fail_code(reterr, STATUS_FAILED_PRECONDITION, "approval_closed",
                         "approval " STR_FMT " is decided, expired or cancelled",
                         STR_ARG(command->approval));
    }
    json value = json_object_new(4);
    json_object_put_text(&value, "by", json_text_lossy(command->by));
    if (command->payload.kind != JSON_INVALID) {
        put_change(&value, "payload", activation->payload, command->payload);
    }
    if (command->approvers.kind != JSON_INVALID) {
        put_change(&value, "approvers", command->approvers_before, command->approvers);
    }
    if (command->has_due) put_due(&value, activation->deadline_us, command->due_us);
    struct decision decision = decision_begin(run, env, events);
    struct event event       = {
              .kind       = EVENT_APPROVAL_EDITED,
              .activation = activation->slot,
              .id         = approval_id(run, activation),
              .due_us     = command->has_due ? command->due_us : activation->deadline_us,
              .value      = value,
    };
    (void)decide_emit(&decision, &event);
    decision_end(&decision);
    return STATUS_OK;
}

/* --- deciding
 * --------------------------------------------------------------------------------------- */

static struct activation *approval_find(const struct run *run, str approval)
{
    for (uint32_t i = 0; i < run->activations.count; i++) {
        struct activation *activation = run_activation(run, i);
        if (!activation) continue;
        bool is_listen      = activation_task(run, activation)->kind == TASK_LISTEN;
        const struct id *id = is_listen ? &activation->id : &activation->approval;
        if (id->text[0] && str_is(approval, id->text)) return activation;
    }
    return NULL;
}

static json or_null(json value)
{
    return value.kind == JSON_INVALID ? json_null() : json_ref(value);
}

static json decision_value_new(const struct decide_env *env, const struct activation *activation,
                               const struct approval_decision *command)
{
    json asked      = activation->payload_asked; /* only of one that was edited */
    bool is_changed = asked.kind != JSON_INVALID && !json_equal(asked, activation->payload);
    char time[TIME_TEXT_SIZE];
    time_format(env->now_us, time);

    json value = json_object_new(7);
    json_object_put_text(&value, "approved", json_bool(command->is_approved));
    json_object_put_text(&value, "comment", json_text_lossy(command->comment));
    json_object_put_text(&value, "data", or_null(command->data));
    json_object_put_text(&value, "payload", or_null(activation->payload));
    json_object_put_text(&value, "changed", json_bool(is_changed));
    json_object_put_text(&value, "decided_by", json_text_lossy(command->by));
    json_object_put_text(&value, "decided_at", json_text_from(time));
    return value;
}

status run_approval_decide(struct run *run, const struct decide_env *env,
                           const struct approval_decision *command, struct event_list *events,
                           struct error *reterr)
{
    struct activation *activation = approval_find(run, command->approval);
    if (!activation) {
        return fail_code(reterr, STATUS_FAILED_PRECONDITION, "approval_closed",
                         "approval " STR_FMT " is decided, expired or cancelled",
                         STR_ARG(command->approval));
    }
    struct decision decision = decision_begin(run, env, events);
    bool is_of_job           = task_is_asking(run, activation); /* which goes on */
    struct event event       = {
              .kind       = EVENT_APPROVAL_DECIDED,
              .activation = activation->slot,
              .id         = approval_id(run, activation),
              .value      = decision_value_new(env, activation, command),
    };
    (void)decide_emit(&decision, &event);
    if (!is_of_job) task_complete(&decision, activation, activation->result, NULL);
    decision_end(&decision);
    return STATUS_OK;
}
