/*
 * try: walks its list; an error of it that `catch` takes is retried first, and when that is spent
 * or refused, handled once by `catch.do` (A1). A catch with neither completes with the try's input.
 */
#include "scheduler/decide/retry_rule.h"
#include "scheduler/decide/tasks/tasks.h"

static void begin(struct decision *decision, struct activation *activation)
{
    if (activation_task(decision->run, activation)->try_.body.count == 0) {
        task_complete(decision, activation, activation->input, NULL);
    } else {
        decide_ready(decision, READY_OWNER, activation->slot);
    }
}

static void open(struct decision *decision, struct activation *activation)
{
    const struct try_body *body  = &activation_task(decision->run, activation)->try_;
    bool is_body                 = activation->first_scope == SLOT_NONE;
    const struct task_list *list = is_body ? &body->body : &body->handler;
    const struct place place = place_within(activation, is_body ? SCOPE_BODY : SCOPE_HANDLER, 0);
    task_start(decision, &place, list->tasks[0], activation->input);
}

/* --- catching ------------------------------------------------------------------------------------
 */

/* An expression in `errors.with`: one that yields a boolean decides, any other is compared. */
static status is_like(struct scene *scene, const struct template *template, const char *member,
                      bool *ret_like, json *ret_error)
{
    if (!template || !*ret_like) return STATUS_OK;
    CLEANUP(json_unrefp) json wanted = json_invalid();
    TRY(scene_eval(scene, template, scene->input, &wanted, ret_error));
    json value = json_get_text(scene->error, member);
    if (json_is(wanted, JSON_TRUE) || json_is(wanted, JSON_FALSE)) {
        *ret_like = json_is(wanted, JSON_TRUE);
    } else if (strcmp(member, "type") == 0 && json_is(wanted, JSON_TEXT)) {
        *ret_like =
            json_is(value, JSON_TEXT) && error_type_equal(json_str(wanted), json_str(value));
    } else {
        *ret_like = !json_is(value, JSON_INVALID) && json_equal(wanted, value);
    }
    return STATUS_OK;
}

static status is_of_filter(struct scene *scene, const struct error_filter *filter, bool *ret_is,
                           json *ret_error)
{
    const struct error_computed *computed = &filter->computed;
    *ret_is                               = error_filter_matches(filter, scene->error);
    TRY(is_like(scene, computed->type, "type", ret_is, ret_error));
    TRY(is_like(scene, computed->status, "status", ret_is, ret_error));
    TRY(is_like(scene, computed->instance, "instance", ret_is, ret_error));
    TRY(is_like(scene, computed->title, "title", ret_is, ret_error));
    return is_like(scene, computed->detail, "detail", ret_is, ret_error);
}

static status is_caught(struct scene *scene, bool *ret_caught, json *ret_error)
{
    const struct try_body *body = &scene->task->try_;
    TRY(is_of_filter(scene, &body->with, ret_caught, ret_error));
    if (*ret_caught && body->when) {
        TRY(scene_test(scene, body->when, scene->input, ret_caught, ret_error));
    }
    if (*ret_caught && body->except_when) {
        bool is_excepted = false;
        TRY(scene_test(scene, body->except_when, scene->input, &is_excepted, ret_error));
        *ret_caught = !is_excepted;
    }
    return STATUS_OK;
}

/* Fills in the event of another attempt; `*ret_again` false: there is none. */
static status retry(struct scene *scene, const struct activation *activation, bool *ret_again,
                    struct event *ret_event, json *ret_error)
{
    const struct retry_rule *rule = scene->task->try_.retry;
    *ret_again                    = false;
    if (!rule) return STATUS_OK;
    const struct retry_case failed = {activation->attempt, activation->retry_until_us, 0};
    struct retry_choice choice     = {};
    int64_t attempt_us             = 0;
    TRY(retry_by_rule(scene, rule, &failed, &choice, ret_error));
    if (choice.verdict != RETRY_AGAIN) return STATUS_OK;
    TRY(retry_attempt_end(scene, rule, choice.due_us, failed.until_us, &attempt_us, ret_error));
    *ret_again = true;
    *ret_event = (struct event){
        .kind                = EVENT_TASK_RETRIED,
        .activation          = activation->slot,
        .attempt             = activation->attempt + 1,
        .due_us              = choice.due_us,
        .attempt_deadline_us = attempt_us,
        .error               = json_ref(scene->error),
    };
    return STATUS_OK;
}

/* No attempt is left, or none was wanted. */
static void handle(struct decision *decision, struct activation *activation, json error)
{
    const struct try_body *body = &activation_task(decision->run, activation)->try_;
    if (body->handler.count > 0) {
        decide_ready(decision, READY_OWNER, activation->slot);
    } else if (body->retry && !body->has_handler) {
        task_fault(decision, activation, json_ref(error));
    } else {
        task_complete(decision, activation, activation->input, body->has_then ? &body->then : NULL);
    }
}

static void catch_error(struct decision *decision, struct activation *activation, json error)
{
    struct scene scene = scene_of(decision->run, decision->env, activation);
    scene.error        = error;
    bool caught = false, again = false;
    struct event event = {};
    json wrong         = json_invalid();
    status code        = is_caught(&scene, &caught, &wrong);
    if (code == STATUS_OK && caught) code = retry(&scene, activation, &again, &event, &wrong);
    if (code != STATUS_OK) {
        task_fault(decision, activation, wrong);
    } else if (!caught) {
        task_fault(decision, activation, json_ref(error));
    } else if (again) {
        (void)decide_emit(decision, &event);
        decide_ready(decision, READY_OWNER, activation->slot); /* moves at once if it is due */
    } else {
        handle(decision, activation, error);
    }
}

static void settle(struct decision *decision, struct activation *activation, json error)
{
    const struct scope *list = run_scope(decision->run, activation->first_scope);
    bool is_handler          = list->kind == SCOPE_HANDLER;
    if (error.kind != JSON_INVALID) {
        if (is_handler) {
            task_fault(decision, activation, json_ref(error));
        } else {
            catch_error(decision, activation, error);
        }
        return;
    }
    const struct try_body *body = &activation_task(decision->run, activation)->try_;
    bool has_then               = is_handler && body->has_then;
    task_complete(decision, activation, list->data, has_then ? &body->then : NULL);
}

const struct task_behaviour try_behaviour = {.begin = begin, .open = open, .settle = settle};
