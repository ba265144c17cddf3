#include "scheduler/run/paused.h"

#include "scheduler/run/apply.h"

bool task_is_paused(const struct run *run, const struct activation *activation)
{
    return activation->state == TASK_WAITING && !activation->id.text[0] &&
           activation_task(run, activation)->kind == TASK_CALL;
}

str paused_job(const struct run *run, const struct activation *activation)
{
    json job = json_get_text(activation->payload, "job");
    return task_is_paused(run, activation) && json_is(job, JSON_TEXT) ? json_str(job) : (str){};
}

int64_t paused_since_us(const struct run *run, const struct activation *activation)
{
    int64_t since_us = 0;
    if (!task_is_paused(run, activation)) return 0;
    (void)json_to_int(json_get_text(activation->payload, "since"), &since_us);
    return since_us;
}

void paused_clear(struct activation *activation)
{
    activation->state   = TASK_RUNNING;
    activation->attempt = 1;
    json_replace(&activation->key, json_invalid());
    json_replace(&activation->payload, json_invalid());
}

/* --- applying ----------------------------------------------------------------------------------
 */

static status apply_pause(struct run *run, struct activation *activation, const struct event *event,
                          struct error *reterr)
{
    bool is_call = activation_task(run, activation)->kind == TASK_CALL;
    if (!is_call || activation->id.text[0] || !id_is_valid(str_from(event->id.text))) {
        return damaged(reterr, event, "the task has given nothing up");
    }
    TRY(apply_input(activation, INPUT_AWAIT, event, reterr));
    json payload = json_object_new(2);
    json_object_put_text(&payload, "job", json_text_new(str_from(event->id.text)));
    json_object_put_text(&payload, "since", json_int(event->time_us));
    json_replace(&activation->payload, payload);
    json_replace(&activation->error, json_ref(event->error));
    return STATUS_OK;
}

static void deadline_renew(int64_t *deadline_us, int64_t started_us, int64_t now_us)
{
    if (*deadline_us != 0 && *deadline_us <= now_us) *deadline_us += now_us - started_us;
}

/* All that would end the task the moment it goes on. */
static void deadlines_renew(struct run *run, struct activation *activation, int64_t now_us)
{
    if (activation->retry_until_us != 0) {
        bool is_end = activation->attempt_deadline_us == activation->retry_until_us;
        activation->retry_until_us += now_us - activation->started_us;
        if (is_end) activation->attempt_deadline_us = activation->retry_until_us;
    }
    deadline_renew(&run->deadline_us, run->started_us, now_us);
    for (struct activation *a = activation; a; a = activation_parent(run, a)) {
        deadline_renew(&a->deadline_us, a->started_us, now_us);
        deadline_renew(&a->attempt_deadline_us, a->started_us, now_us);
        if (a != activation) deadline_renew(&a->retry_until_us, a->started_us, now_us);
    }
    run->is_due_known = false;
}

static status apply_resumption(struct run *run, struct activation *activation,
                               const struct event *event, struct error *reterr)
{
    if (!str_equal(paused_job(run, activation), str_from(event->id.text))) {
        return damaged(reterr, event, "the task is not paused");
    }
    TRY(apply_input(activation, INPUT_ANSWER, event, reterr));
    paused_clear(activation);
    json_replace(&activation->error, json_invalid());
    if (event->is_kept) run_scope(run, activation->scope)->pass++;
    deadlines_renew(run, activation, event->time_us);
    return STATUS_OK;
}

status apply_paused(struct run *run, struct activation *activation, struct event *event,
                    struct error *reterr)
{
    if (event->kind == EVENT_TASK_PAUSED) return apply_pause(run, activation, event, reterr);
    return apply_resumption(run, activation, event, reterr);
}
