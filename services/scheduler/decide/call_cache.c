#include "scheduler/decide/call_cache.h"

#include "scheduler/decide/tasks/tasks.h"
#include "scheduler/run/call_cache.h"
#include "scheduler/run/question.h"
#include "json/json_text.h"

enum { KEY_MAX = 64 << 20 /* bytes of a key as JSON */ };

bool call_cache_is_asked(const struct scene *scene)
{
    return scene->task->call.cache && scene->env->has_call_cache;
}

/* --- what is looked up -------------------------------------------------------------------------
 */

/* Function with version, connection and key: equal calls have equal digests. The namespace is a
 * part of the key of the table. */
static status digest_new(struct scene *scene, const struct event *job, json key, json *ret_digest,
                         json *ret_error)
{
    static const char hex[]           = "0123456789abcdef";
    CLEANUP(buf_done) struct buf text = buf_init(KEY_MAX);
    json connection                   = json_get_text(job->value, "connection");
    const char *version               = job->function_version ? job->function_version : "";
    if (!json_print(key, JSON_SORTED, &text)) {
        return scene_fail(scene, ERROR_VALIDATION, "cache.key: is too large", ret_error);
    }
    static const bytes end = {"", 1};
    const bytes parts[]    = {
           bytes_from(str_from(job->function)),
           end,
           bytes_from(str_from(version)),
           end,
           bytes_from(json_is(connection, JSON_TEXT) ? json_str(connection) : str_from("")),
           end,
           bytes_from(buf_str(&text)),
    };
    uint8_t digest[SHA256_SIZE];
    char shown[2 * SHA256_SIZE];
    sha256_parts(parts, ARRAY_LEN(parts), digest);
    for (size_t i = 0; i < sizeof digest; i++) {
        shown[2 * i]     = hex[digest[i] >> 4];
        shown[2 * i + 1] = hex[digest[i] & 15];
    }
    *ret_digest = json_text_new((str){shown, sizeof shown});
    return STATUS_OK;
}

static status wish_new(struct scene *scene, const struct event *job, bool is_fresh, json *ret_wish,
                       json *ret_error)
{
    const struct cache_rule *rule    = scene->task->call.cache;
    CLEANUP(json_unrefp) json key    = json_invalid();
    CLEANUP(json_unrefp) json digest = json_invalid();
    int64_t max_age_us               = 0;
    TRY(scene_duration(scene, &rule->max_age, &max_age_us, ret_error));
    if (max_age_us <= 0) {
        return scene_fail(scene, ERROR_VALIDATION, "cache.maxAge: is not above 0", ret_error);
    }
    if (rule->key) {
        TRY(scene_eval(scene, rule->key, scene->input, &key, ret_error));
    } else {
        key = json_ref(job->value);
    }
    TRY(digest_new(scene, job, key, &digest, ret_error));
    json wish = json_object_new(4);
    json_object_put_text(&wish, "key", json_take(&digest));
    json_object_put_text(&wish, "maxAge", json_int(max_age_us));
    if (is_fresh) json_object_put_text(&wish, "fresh", json_bool(true));
    *ret_wish = wish;
    return STATUS_OK;
}

/* --- deciding ----------------------------------------------------------------------------------
 */

status call_cache_ask(struct decision *decision, struct scene *scene, struct activation *activation,
                      struct event *job, bool is_fresh, json *ret_error)
{
    json wish = json_invalid();
    TRY(wish_new(scene, job, is_fresh, &wish, ret_error));
    struct event event = {
        .kind       = EVENT_CACHE_ASKED,
        .activation = activation->slot,
        .id         = decide_id(decision->env),
        .value      = json_take(&job->value),
        .key        = json_take(&job->key),
        .input      = wish,
        .due_us     = decide_after(decision->env, CACHE_ASK_AGAIN_US),
    };
    event_done(job);
    (void)decide_emit(decision, &event);
    return STATUS_OK;
}

void call_cache_ask_again(struct decision *decision, const struct activation *activation)
{
    struct event event = {
        .kind       = EVENT_CACHE_ASKED,
        .activation = activation->slot,
        .id         = activation->id,
        .due_us     = decide_after(decision->env, CACHE_ASK_AGAIN_US),
    };
    (void)decide_emit(decision, &event);
}

void call_cache_leave(struct decision *decision, const struct activation *activation)
{
    struct event event = {
        .kind = EVENT_CACHE_LEFT, .activation = activation->slot, .id = activation->id};
    (void)decide_emit(decision, &event);
}

/* --- commands (run.h) --------------------------------------------------------------------------
 */

static void hit(struct decision *decision, struct activation *activation,
                const struct call_answer *answer)
{
    struct event event = {
        .kind       = EVENT_CACHE_HIT,
        .activation = activation->slot,
        .id         = activation->id,
        .value      = json_ref(answer->output),
        .due_us     = answer->stored_us,
    };
    (void)decide_emit(decision, &event);
    task_complete(decision, activation, activation->result, NULL);
}

status run_call_answered(struct run *run, const struct decide_env *env,
                         const struct call_answer *answer, struct event_list *events,
                         struct error *reterr)
{
    struct activation *activation =
        run->status == RUN_RUNNING ? run_activation(run, answer->activation) : NULL;
    bool is_its = activation && activation_task(run, activation)->kind == TASK_CALL &&
                  str_is(answer->job, activation->id.text);
    bool is_hit = answer->output.kind != JSON_INVALID;
    bool is_calling =
        is_its && (activation->state == TASK_QUEUED || task_is_asking(run, activation));
    if (is_calling && !is_hit) return STATUS_OK; /* it knows */
    if (!is_its || is_calling || activation->state != TASK_WAITING ||
        (run->is_suspended && !is_hit)) {
        return fail(reterr, STATUS_NOT_FOUND, "run %s makes no call " STR_FMT, run->id.text,
                    STR_ARG(answer->job));
    }
    struct decision decision = decision_begin(run, env, events);
    if (is_hit) {
        hit(&decision, activation, answer);
    } else {
        call_begin_granted(&decision, activation);
    }
    decision_end(&decision);
    return STATUS_OK;
}
