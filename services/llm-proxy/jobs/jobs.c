#include "llm-proxy/jobs/chat_job.h"

#include "base/assert.h"
#include "base/mem.h"
#include "llm-proxy/call/cache_wish.h"
#include "llm-proxy/call/call_log.h"
#include "llm-proxy/call/content_log.h"
#include "llm-proxy/jobs/job_book.h"
#include "llm-proxy/jobs/job_room.h"
#include "workflow/token_estimate.h"

#include <stdlib.h>

struct jobs {
    struct pipeline *pipeline;   /* borrowed; of new jobs */
    struct job_outputs *outputs; /* borrowed, or NULL */
};

struct jobs *jobs_new(struct pipeline *pipeline, struct job_outputs *outputs)
{
    struct jobs *jobs = mem_new(1, sizeof *jobs);
    *jobs             = (struct jobs){.pipeline = pipeline, .outputs = outputs};
    return jobs;
}

void jobs_use(struct jobs *jobs, struct pipeline *pipeline)
{
    jobs->pipeline = pipeline;
}

void jobs_freep(struct jobs **jobs)
{
    free(*jobs);
    *jobs = NULL;
}

static void chat_job_free(struct chat_job *chat)
{
    job_output_free(chat->output);
    job_repair_done(&chat->repair);
    json_unref(chat->input);
    arena_free(chat->arena);
    pipeline_release(chat->pipeline);
    free(chat);
}

/* --- the end -----------------------------------------------------------------------------------
 */

static void fill_ids(const struct chat_job *chat, struct log_field ret_ids[static CALL_LOG_IDS])
{
    const Pb__LeasedJob *leased = chat->job->leased;
    ret_ids[0]                  = LOG_TEXT_OF("namespace", leased->namespace_);
    ret_ids[1]                  = LOG_TEXT_OF("run", leased->run);
    ret_ids[2]                  = LOG_TEXT_OF("task", leased->task);
    ret_ids[3]                  = LOG_TEXT_OF("job", leased->id);
    ret_ids[4]                  = LOG_INT("attempt", leased->attempt);
}

static bool logs_content(const struct chat_job *chat)
{
    return pipeline_catalog(chat->pipeline)->logs_content;
}

static void log_request(const struct chat_job *chat)
{
    struct log_field ids[CALL_LOG_IDS];
    if (!logs_content(chat)) return;
    fill_ids(chat, ids);
    content_log_request(chat->input, ids);
}

static void log_call(const struct chat_job *chat, const struct llm_outcome *outcome)
{
    struct log_field ids[CALL_LOG_IDS];
    fill_ids(chat, ids);
    call_log(outcome, chat->request->model, ids);
    if (outcome->is_ok && logs_content(chat)) content_log_answer(outcome->answer, ids);
}

static void on_done(const struct llm_outcome *outcome, void *context)
{
    struct chat_job *chat = context;
    job_output_free(TAKE(chat->output)); /* it looks at the lease, which ends with the report */
    log_call(chat, outcome);
    if (outcome->is_stopped) {
        job_report_stopped(chat, outcome);
    } else if (outcome->is_ok && chat->embed) {
        job_report_vectors(chat, outcome);
    } else if (outcome->is_ok) {
        job_report_answer(chat, outcome);
    } else {
        job_report_failure(chat, outcome);
    }
    chat_job_free(chat);
}

/* --- the beginning -----------------------------------------------------------------------------
 */

/* No inputs, no vectors: nobody is asked. */
static void complete_empty(struct chat_job *chat)
{
    struct answer answer             = {};
    const struct llm_outcome outcome = {.is_ok = true, .answer = &answer, .usage = PB__USAGE__INIT};
    job_report_vectors(chat, &outcome);
    chat_job_free(chat);
}

static bool has_one_provider(const struct llm_route *route)
{
    for (uint32_t i = 1; i < route->target_count; i++) {
        if (route->targets[i].provider != route->targets[0].provider) return false;
    }
    return true;
}

/* An answer from before will do, if its route or the job says so. */
static void save(struct chat_job *chat)
{
    struct answer_key key;
    int64_t age_ms = -1;
    bool is_wanted =
        cache_wish_of_job(chat->input, chat->route, &age_ms, NULL) == STATUS_OK && age_ms >= 0;
    if (is_wanted && cache_wish_key(chat->request, chat->input, chat->route,
                                    chat->job->leased->namespace_, &key)) {
        llm_call_save(chat->call, &key, age_ms);
    }
}

/* Its budgets have said what it may cost now. */
static void on_drawn(const Pb__BudgetRoom *room, void *context)
{
    struct chat_job *chat       = context;
    const Pb__ModelPrice *price = chat->is_priced ? &chat->price : NULL;
    if (!chat->call) return;
    chat->is_drawing  = false;
    chat->output_room = job_room_output(room, chat->input_tokens, price);
    bool is_outgrown  = chat->output_room >= 0 && llm_call_output(chat->call) > chat->output_room;
    if (is_outgrown) {
        llm_call_stop(chat->call);
    } else {
        llm_call_resume(chat->call);
    }
}

static void on_event(const struct llm_event *event, void *context)
{
    struct chat_job *chat = context;
    bool is_text          = event->kind == LLM_TEXT && event->choice == 0;
    if (is_text && chat->output) job_output_say(chat->output, event->bytes);
    int64_t output   = llm_call_output(chat->call);
    bool is_outgrown = chat->output_room >= 0 && output > chat->output_room;
    chat->is_finishing |= event->kind == LLM_FINISH; /* it has cost what it has */
    if (!is_outgrown || chat->is_drawing || chat->is_finishing) return;
    llm_call_pause(chat->call);
    chat->is_drawing = true;
    job_draw(chat->job, output + JOB_ROOM_STEP, chat->is_priced ? &chat->price : NULL, on_drawn,
             chat);
}

static void start_call(struct chat_job *chat, int64_t deadline_ms)
{
    const struct llm_stream stream   = {.is_collected = true, .event = on_event, .context = chat};
    const struct token_estimate size = token_estimate_of(chat->input, false);
    chat->input_tokens               = size.input;
    chat->output_room =
        job_room_output(chat->job->leased->room, size.input, chat->is_priced ? &chat->price : NULL);
    bool is_stream           = chat->outputs || job_room_is_tight(chat->output_room, size.output);
    chat->request->is_stream = is_stream; /* what comes in one piece cannot be stopped */
    chat->call =
        llm_call_start(chat->pipeline, chat->request, chat->route, deadline_ms, on_done, chat);
    if (chat->outputs) chat->output = job_output_new(chat->outputs, chat->job);
    if (is_stream) llm_call_stream(chat->call, &stream);
}

/* Of a lease that may end before the call, which goes on for another one (job_book.h). */
static const char *keep_name(struct chat_job *chat, const char *name)
{
    const char *copy = arena_strdup(chat->arena, str_from(name));
    ASSERT(copy); /* the arena is new, and holds megabytes */
    return copy;
}

static void run_chat(struct jobs *jobs, struct worker_job *job)
{
    struct chat_job *chat = mem_new(1, sizeof *chat);
    chat->pipeline        = pipeline_hold(jobs->pipeline);
    chat->outputs         = jobs->outputs;
    chat->job             = job;
    chat->arena           = arena_new(CHAT_ARENA_MAX);
    const char *namespace = keep_name(chat, job->leased->namespace_);
    const char *target    = keep_name(chat, job->leased->target);
    job->state            = chat;
    if (job_request_read(chat) != STATUS_OK) {
        chat_job_free(chat);
        return;
    }
    log_request(chat);
    int64_t deadline_ms    = llm_deadline_ms(job->leased->deadline_us);
    chat->has_one_provider = has_one_provider(chat->route);
    pb__model_price__init(&chat->price);
    chat->is_priced = catalog_dearest(pipeline_catalog(chat->pipeline), chat->route,
                                      &chat->price.input_picos, &chat->price.output_picos);
    if (job->leased->needs_price && !chat->is_priced) {
        job_report_unpriced(chat);
        chat_job_free(chat);
        return;
    }
    if (!job_is_embedding(job->leased)) {
        start_call(chat, deadline_ms);
        llm_call_is_job(chat->call, target);
        llm_call_guess(chat->call, chat->input_tokens);
        save(chat);
        llm_call_is_of(chat->call, str_from(namespace));
    } else if (chat->request->input_count > 0) {
        chat->embed = embed_start(chat->pipeline, chat->request, chat->route, target, deadline_ms,
                                  on_done, chat);
    } else {
        complete_empty(chat);
    }
}

void jobs_run(struct worker_job *job, void *context)
{
    struct jobs *jobs = context;
    if (str_is(str_from(job->leased->function), "llm.chat") || job_is_embedding(job->leased)) {
        run_chat(jobs, job);
        return;
    }
    struct error error = {};
    (void)fail(&error, STATUS_UNIMPLEMENTED, "this llm-proxy does not know the function %s",
               job->leased->function);
    job_report_kind(job, ERROR_CONFIGURATION, 0, str_from(error.text), false);
}

void jobs_cancel(struct worker_job *job, void *)
{
    struct chat_job *chat = job->state;
    if (!chat) return;
    Pb__Usage used = PB__USAGE__INIT;
    if (chat->call) {
        llm_call_used(chat->call, &used);
        llm_call_cancel(TAKE(chat->call));
    }
    if (chat->embed) {
        embed_used(chat->embed, &used);
        embed_cancel(TAKE(chat->embed));
    }
    job->state = NULL;
    job_output_free(TAKE(chat->output)); /* as above */
    job_report_cancelled(chat, &used);
    chat_job_free(chat);
}
