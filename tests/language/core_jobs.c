#include "language/core_jobs.h"

#include "http/url.h"
#include "language/standin.h"
#include "scheduler/decide/job_arguments.h"
#include "tool-adapter/authorization/authorization.h"
#include "tool-adapter/http/http_job.h"
#include "json/json_text.h"

enum { TEXT_MAX = 64 << 20, REDIRECTS_MAX = 5 };

void core_jobs_clear(struct core_jobs *jobs)
{
    *jobs = (struct core_jobs){};
}

/* What a job ends with. */
struct ending {
    bool is_ok, is_transient, is_unknown;
    json value; /* owned */
    json undo;  /* owned; invalid: nothing undoes it */
    int64_t retry_after_us;
};

/* --- http --------------------------------------------------------------------------------------
 */

/* One request to the stand-in; its answer as the HTTP client would give it. */
static struct http_result exchange(const struct http_job *job, const char *url,
                                   struct script *script, struct arena *arena)
{
    struct url parts = {};
    (void)url_parse(str_from(url), &parts);
    const struct standin_request request = {
        .method       = job->request.method,
        .host         = parts.host,
        .path         = parts.path.len > 0 ? parts.path : str_from("/"),
        .query        = parts.query,
        .headers      = job->request.headers,
        .header_count = job->request.header_count,
        .body         = {job->request.body.ptr, job->request.body.len},
    };
    const struct script_answer answer = standin_answer(script, &request);
    struct http_result result         = {.was_sent = true, .code = STATUS_OK};
    if (answer.kind == SCRIPT_FAIL) {
        result.code    = fail(&result.error, STATUS_UNAVAILABLE, "the connection was cut");
        result.failure = HTTP_CUT;
        return result;
    }
    struct http_header *headers = arena_alloc(arena, (SCRIPT_HEADERS_MAX + 1) * sizeof *headers);
    size_t count                = 0;
    for (; count < answer.header_count; count++) {
        headers[count] = (struct http_header){.name  = str_from(answer.headers[count].name),
                                              .value = str_from(answer.headers[count].value)};
    }
    if (answer.type) {
        headers[count++] =
            (struct http_header){.name = str_from("content-type"), .value = str_from(answer.type)};
    }
    result.answer = (struct http_answer){.http_status  = answer.http_status,
                                         .headers      = headers,
                                         .header_count = count,
                                         .url          = str_from(url)};
    if (answer.body) result.body = str_from(answer.body);
    return result;
}

static const char *target_of(const struct http_result *result, const char *url, struct arena *arena)
{
    str location    = {};
    int http_status = result->answer.http_status;
    if (http_status < 300 || http_status > 399) return NULL;
    if (!http_answer_header(&result->answer, "location", &location)) return NULL;
    if (location.len > 0 && location.ptr[0] != '/') return arena_strdup(arena, location);
    struct url parts = {};
    (void)url_parse(str_from(url), &parts);
    CLEANUP(buf_done) struct buf target = buf_init(HTTP_URL_MAX);
    (void)url_put_origin(&target, &parts);
    (void)buf_put_str(&target, location);
    return arena_strdup(arena, buf_str(&target));
}

/* What the worker gets: with secrets, where the task sends some. Owned. */
static json sent_input(const struct world *world, const struct world_job *job)
{
    json input = json_invalid();
    json error = json_invalid();
    if (json_is(job->input, JSON_INVALID)) { /* a turn of an agent */
        return run_turn_input(world->run, str_from(job->id.text));
    }
    if (!job->task->sends_secrets) return json_ref(job->input);
    struct scene scene =
        scene_of(world->run, &world->env, job_activation(world->run, str_from(job->id.text)));
    if (job_arguments_sent(&scene, str_from("placeholder"), job->input, &input, &error) ==
        STATUS_OK) {
        return input;
    }
    json_unref(error);
    return json_ref(job->input);
}

/* Basic and bearer; the others need an exchange, which the real worker makes over HTTP. */
static status authorize(json input, struct arena *arena, struct http_job *http,
                        struct error *reterr)
{
    struct authorization authorization = {};
    str value                          = {};
    TRY(authorization_read(json_get_text(input, "authentication"), &authorization, reterr));
    TRY(authorization_header(&authorization, (str){}, arena, &value, reterr));
    http->request.header_count = authorization_replace(
        http->request.headers, http->request.header_count, value, http->headers);
    return STATUS_OK;
}

static status answer_http(const struct world *world, const struct world_job *job,
                          struct script *script, struct ending *ending, struct error *reterr)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(HTTP_JOB_ARENA_MAX);
    CLEANUP(json_unrefp) json input          = sent_input(world, job);
    struct http_job http                     = {};
    struct error error                       = {};
    status code = http_job_read(input, json_str(job->key), NULL, arena, &http, &error);
    if (code == STATUS_OK) code = authorize(input, arena, &http, &error);
    if (code != STATUS_OK) {
        *ending = (struct ending){
            .value = error_new(ERROR_CONFIGURATION, 0, str_from(error.text), (str){})};
        return STATUS_OK;
    }
    const char *url           = arena_strdup(arena, http.request.url);
    struct http_result result = exchange(&http, url, script, arena);
    for (int i = 0; http.follows_redirects && i < REDIRECTS_MAX; i++) {
        const char *target = target_of(&result, url, arena);
        if (!target) break;
        url    = target;
        result = exchange(&http, url, script, arena);
    }
    struct http_job_result finished = {};
    http_job_finish(&http, &result, &finished);
    *ending = (struct ending){
        .is_ok          = finished.is_ok,
        .is_transient   = finished.is_transient,
        .is_unknown     = finished.is_unknown,
        .value          = finished.value,
        .retry_after_us = finished.retry_after_ms * 1000,
    };
    (void)reterr;
    return STATUS_OK;
}

/* --- functions ---------------------------------------------------------------------------------
 */

static status parse(const char *text, json *ret_value, struct error *reterr)
{
    if (text) return json_parse(str_from(text), NULL, ret_value, NULL, reterr);
    *ret_value = json_null();
    return STATUS_OK;
}

/* `*ret_is_silent`: there will be no answer. */
static status answer_function(const struct world *world, const struct world_job *job,
                              struct script *script, struct ending *ending, bool *ret_is_silent,
                              struct error *reterr)
{
    CLEANUP(buf_done) struct buf asked = buf_init(TEXT_MAX);
    CLEANUP(json_unrefp) json input    = sent_input(world, job);
    (void)json_print(input, JSON_COMPACT, &asked);
    struct script_answer answer = {};
    if (!script_ask(script, job->function, buf_str(&asked), &answer)) {
        return fail(reterr, STATUS_INTERNAL, "the scenario has no answer of the function %s",
                    job->function);
    }
    *ret_is_silent = answer.kind == SCRIPT_NEVER;
    if (answer.kind == SCRIPT_ECHO) {
        *ending = (struct ending){.is_ok = true, .value = json_ref(job->input)};
        return STATUS_OK;
    }
    ending->is_ok        = answer.kind == SCRIPT_ANSWER;
    ending->is_transient = answer.is_transient;
    if (answer.undo) TRY(parse(answer.undo, &ending->undo, reterr));
    return parse(answer.body, &ending->value, reterr);
}

/* --- jobs --------------------------------------------------------------------------------------
 */

static bool is_silent(const struct core_jobs *jobs, const struct world_job *job)
{
    for (size_t i = 0; i < jobs->silent_count; i++) {
        if (jobs->silent[i].attempt == job->attempt &&
            strcmp(jobs->silent[i].job.text, job->id.text) == 0) {
            return true;
        }
    }
    return false;
}

static status report(struct world *world, const struct world_job *job, const struct ending *ending,
                     struct error *reterr)
{
    status code = STATUS_OK;
    if (ending->is_ok) {
        const struct job_completion command = {
            .job = str_from(job->id.text), .output = ending->value, .undo = ending->undo};
        code = run_job_completed(world->run, &world->env, &command, &world->events, reterr);
    } else {
        const struct job_failure command = {
            .job            = str_from(job->id.text),
            .error          = ending->value,
            .is_transient   = ending->is_transient,
            .is_unknown     = ending->is_unknown,
            .retry_after_us = ending->retry_after_us,
        };
        code = run_job_failed(world->run, &world->env, &command, &world->events, reterr);
    }
    world_commit(world);
    return code;
}

status core_jobs_answer(struct core_jobs *jobs, struct world *world, struct script *script,
                        bool *ret_has_answered, struct error *reterr)
{
    *ret_has_answered = false;
    for (size_t i = 0; i < world->job_count; i++) {
        const struct world_job job = world->jobs[i];
        if (job.due_us > world->env.now_us || is_silent(jobs, &job)) continue;
        struct ending ending = {};
        bool is_left_open    = false;
        *ret_has_answered    = true;
        if (strcmp(job.function, "http") == 0) {
            TRY(answer_http(world, &job, script, &ending, reterr));
        } else {
            TRY(answer_function(world, &job, script, &ending, &is_left_open, reterr));
        }
        status code = STATUS_OK;
        if (!is_left_open) {
            code = report(world, &job, &ending, reterr);
        } else if (jobs->silent_count < SCRIPT_ANSWERS_MAX) {
            jobs->silent[jobs->silent_count].job       = job.id;
            jobs->silent[jobs->silent_count++].attempt = job.attempt;
        }
        json_unref(ending.value);
        json_unref(ending.undo);
        return code;
    }
    return STATUS_OK;
}

int64_t core_jobs_due(const struct core_jobs *jobs, const struct world *world)
{
    int64_t due_us = NO_DUE_US;
    for (size_t i = 0; i < world->job_count; i++) {
        const struct world_job *job = &world->jobs[i];
        if (!is_silent(jobs, job) && job->due_us < due_us) due_us = job->due_us;
    }
    return due_us;
}
