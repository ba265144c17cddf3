#include "scheduler/run/call_cache.h"

#include "scheduler/run/apply.h"
#include "scheduler/run/job_key.h"
#include "scheduler/run/question.h"

enum { US_PER_S = 1'000'000 };

bool call_cache_is_awaited(const struct run *run, const struct activation *activation)
{
    return activation->state == TASK_WAITING && activation->id.text[0] &&
           !activation->approval.text[0] && activation_task(run, activation)->kind == TASK_CALL;
}

bool run_cached_call(const struct run *run, uint32_t slot, struct cached_call *ret_call)
{
    const struct activation *activation = run_activation(run, slot);
    if (!activation || !activation->id.text[0]) return false;
    const struct task *task = activation_task(run, activation);
    json digest             = json_get_text(activation->items, "key");
    if (task->kind != TASK_CALL || !json_is(digest, JSON_TEXT)) return false;
    int64_t max_age_us = 0;
    (void)json_to_int(json_get_text(activation->items, "maxAge"), &max_age_us);
    *ret_call = (struct cached_call){
        .task       = task,
        .job        = str_from(activation->id.text),
        .digest     = json_str(digest),
        .max_age_us = max_age_us,
        .is_fresh   = json_is(json_get_text(activation->items, "fresh"), JSON_TRUE),
        .calls      = activation->state == TASK_QUEUED || task_is_asking(run, activation),
    };
    return true;
}

/* --- what is told ------------------------------------------------------------------------------
 */

json call_cache_note_new(const struct activation *activation, const struct task *task,
                         int64_t now_us)
{
    if (task->kind != TASK_CALL || !json_is(activation->items, JSON_OBJECT)) return json_invalid();
    int64_t stored_us = 0;
    json note         = json_object_new(2);
    bool is_hit       = json_to_int(json_get_text(activation->items, "stored"), &stored_us);
    json_object_put_text(&note, "hit", json_bool(is_hit));
    if (is_hit) {
        int64_t age_us = now_us - stored_us;
        json_object_put_text(&note, "age", json_int(age_us > 0 ? age_us / US_PER_S : 0));
    }
    return note;
}

json call_cache_end_new(const struct run *run, const struct activation *activation, json output)
{
    const struct task *task = activation_task(run, activation);
    json job                = json_get_text(activation->items, "job");
    if (task->kind != TASK_CALL || !json_is(job, JSON_TEXT)) return json_invalid();
    json end = json_ref(activation->items);
    if (output.kind != JSON_INVALID) json_object_put_text(&end, "output", json_ref(output));
    return end;
}

/* --- applying ----------------------------------------------------------------------------------
 */

static status apply_asked(struct run *run, struct activation *activation, struct event *event,
                          struct error *reterr)
{
    bool is_again = call_cache_is_awaited(run, activation) &&
                    memcmp(activation->id.text, event->id.text, ID_LEN) == 0;
    if (!is_again) {
        bool is_fit = activation_task(run, activation)->kind == TASK_CALL &&
                      !activation->id.text[0] && id_is_valid(str_from(event->id.text)) &&
                      json_is(json_get_text(event->input, "key"), JSON_TEXT) &&
                      event->value.kind != JSON_INVALID;
        if (!is_fit) return damaged(reterr, event, "the task asks no cache now");
        TRY(apply_input(activation, INPUT_AWAIT, event, reterr));
        json wish = json_ref(event->input);
        json_object_put_text(&wish, "job", json_text_from(event->id.text));
        json_replace(&activation->items, wish);
        json_replace(&activation->payload, json_ref(event->value));
        bool has_own_key = activation_task(run, activation)->idempotency_key != NULL;
        if (has_own_key) json_replace(&activation->key, json_ref(event->key));
        activation->id = event->id;
    }
    activation->due_us = event->due_us;
    run->is_due_known  = false;
    return STATUS_OK;
}

status apply_cache(struct run *run, struct activation *activation, struct event *event,
                   struct error *reterr)
{
    if (event->kind == EVENT_CACHE_ASKED) return apply_asked(run, activation, event, reterr);
    bool is_its = call_cache_is_awaited(run, activation) &&
                  memcmp(activation->id.text, event->id.text, ID_LEN) == 0;
    if (!is_its) return damaged(reterr, event, "the task does not wait for this answer");
    TRY(apply_input(activation, INPUT_ANSWER, event, reterr));
    json told = json_invalid();
    if (event->kind == EVENT_CACHE_HIT) {
        if (event->value.kind == JSON_INVALID) return damaged(reterr, event, "no output");
        remember_output(run, activation, event->value);
        json_replace(&activation->result, json_ref(event->value));
        told = json_object_new(1);
        json_object_put_text(&told, "stored", json_int(event->due_us));
    } else {
        json_replace(&event->cache, call_cache_end_new(run, activation, json_invalid()));
    }
    json_replace(&activation->items, told);
    json_replace(&activation->payload, json_invalid());
    activation->id     = (struct id){};
    activation->due_us = 0;
    run->is_due_known  = false;
    return STATUS_OK;
}
