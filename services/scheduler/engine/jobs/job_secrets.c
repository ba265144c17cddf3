/*
 * What a worker gets of a job that sends secrets: made from the state of its run at each lease, so
 * that neither journal nor tables ever hold it. The state is as it was when the job was scheduled:
 * a task that waits for its job has its input, and nothing that it can see goes on meanwhile.
 */
#include "scheduler/engine/jobs/job_secrets.h"

#include "base/hash.h"
#include "base/log.h"
#include "base/random.h"
#include "scheduler/decide/job_arguments.h"
#include "scheduler/engine/budgets/engine_budgets.h"
#include "json/json_text.h"

enum { PLACEHOLDER_BYTES = 16, INPUT_SIZE_MAX = 64 << 20 /* bytes */ };

/* It was our own writing. */
static const struct json_limits stored_limits = {
    .depth_max = INT32_MAX, .values_max = INT32_MAX, .allow_duplicate_keys = true};

/* The text that the worker replaces by a token it has fetched: nobody can have written it. */
static void make_placeholder(char text[static PLACEHOLDER_BYTES * 2 + 1])
{
    uint8_t raw[PLACEHOLDER_BYTES];
    random_bytes(raw, sizeof raw);
    hex_encode(raw, sizeof raw, text);
}

/* Fails with an error of the language in `*ret_error`. */
static status make_input(struct engine *engine, const struct run *run, const Pb__JobRecord *record,
                         json *ret_input, json *ret_error)
{
    char placeholder[PLACEHOLDER_BYTES * 2 + 1];
    make_placeholder(placeholder);
    struct decide_env env         = engine_env(engine);
    struct activation *activation = job_activation(run, str_from(record->job->id));
    env.now_us                    = record->queued_us; /* `now` is what it was */
    if (!activation) return STATUS_NOT_FOUND;
    struct scene scene               = scene_of(run, &env, activation);
    CLEANUP(json_unrefp) json stored = json_invalid();
    str text = {(const char *)record->job->input_json.data, record->job->input_json.len};
    if (json_parse(text, &stored_limits, &stored, NULL, NULL) != STATUS_OK) return STATUS_DATA_LOSS;
    return job_arguments_sent(&scene, str_from(placeholder), stored, ret_input, ret_error);
}

static status put_input(json input, Pb__JobRecord *record, struct arena *arena)
{
    CLEANUP(buf_done) struct buf text = buf_init(INPUT_SIZE_MAX);
    if (!json_print(input, JSON_COMPACT, &text)) return STATUS_RESOURCE_EXHAUSTED;
    record->job->input_json = bytes_in(arena, buf_str(&text));
    return record->job->input_json.data ? STATUS_OK : STATUS_RESOURCE_EXHAUSTED;
}

status engine_fill_secrets(struct engine *engine, struct open_job *job, Pb__JobRecord *record,
                           struct arena *arena, bool *ret_filled, struct error *reterr)
{
    struct live_run *live = NULL;
    *ret_filled           = false;
    TRY(engine_run(engine, str_from(job->run.text), NULL, &live, reterr));
    if (!live) {
        TRY(engine_fund_end(engine, job, reterr));
        open_job_remove(engine->queues, job); /* its run cannot be read: nobody waits for it */
        return STATUS_OK;
    }
    CLEANUP(json_unrefp) json input = json_invalid();
    CLEANUP(json_unrefp) json error = json_invalid();
    engine_work_begin(engine, str_from(live->id.text));
    status made = make_input(engine, live->run, record, &input, &error);
    engine_work_end(engine);
    if (made == STATUS_OK) made = put_input(input, record, arena);
    if (made != STATUS_OK) {
        log_write(LOG_WARN, "job.input_refused", LOG_TEXT_OF("job", record->job->id),
                  LOG_TEXT_OF("run", record->job->run));
        return engine_refuse_job(engine, job, error, reterr);
    }
    *ret_filled = true;
    return STATUS_OK;
}

status engine_hide_secrets(struct engine *engine, const struct open_job *job, str said,
                           str *ret_hidden, struct error *reterr)
{
    struct live_run *live             = NULL;
    CLEANUP(json_unrefp) json value   = json_invalid();
    CLEANUP(buf_done) struct buf text = buf_init(CHECKPOINT_MAX);
    *ret_hidden                       = (str){};
    TRY(engine_run(engine, str_from(job->run.text), NULL, &live, reterr));
    const struct activation *activation =
        live ? job_activation(live->run, str_from(job->id.text)) : NULL;
    if (!activation || json_parse(said, NULL, &value, NULL, NULL) != STATUS_OK) return STATUS_OK;
    const struct decide_env env      = engine_env(engine);
    const struct task *task          = activation_task(live->run, activation);
    CLEANUP(json_unrefp) json hidden = job_value_masked(live->run, &env, task, value);
    if (!json_print(hidden, JSON_COMPACT, &text)) return STATUS_OK;
    const char *copy = text_in(engine->arena, buf_str(&text));
    if (copy) *ret_hidden = (str){.ptr = copy, .len = text.len};
    return STATUS_OK;
}
