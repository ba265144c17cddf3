#include "scheduler/engine/call_cache.h"

#include "base/log.h"
#include "scheduler/tables/call_cache.h"
#include "workflow/function_catalog.h"

enum { SYSTEM_PARTITION = 0 };

/* --- of runs ------------------------------------------------------------------------------------
 */

/* "web.scrape_page:1.2.0", "worker.price". */
static const char *function_of(struct engine *engine, const struct task *task)
{
    const struct function_description *function = task->call.description;
    if (!function) return task->call.function;
    const char *text = arena_printf(engine->arena, "%s:%s", function->name, function->version);
    return text ? text : function->name;
}

static status tell_end(struct engine *engine, Pb__CacheEnd *end, struct error *reterr)
{
    Pb__Message message  = PB__MESSAGE__INIT;
    message.content_case = PB__MESSAGE__CONTENT_CACHE_END;
    message.cache_end    = end;
    return engine_tell(engine, SYSTEM_PARTITION, &message, reterr);
}

static status ask(struct engine *engine, struct live_run *live, const struct cached_call *call,
                  uint32_t activation, struct error *reterr)
{
    Pb__CacheAsk asked   = PB__CACHE_ASK__INIT;
    Pb__Message message  = PB__MESSAGE__INIT;
    message.content_case = PB__MESSAGE__CONTENT_CACHE_ASK;
    message.cache_ask    = &asked;
    asked.namespace_     = run_workflow(live->run)->namespace_;
    asked.digest         = text_in(engine->arena, call->digest);
    asked.run            = live->id.text;
    asked.activation     = activation;
    asked.job            = text_in(engine->arena, call->job);
    asked.max_age_us     = call->max_age_us;
    asked.newer_than_us  = call->is_fresh ? engine->now_us : 0;
    return engine_tell(engine, SYSTEM_PARTITION, &message, reterr);
}

status engine_call_cache_ask(struct engine *engine, struct live_run *live,
                             const struct event *event, struct error *reterr)
{
    struct cached_call call = {};
    bool is_there =
        run_cached_call(live->run, event->activation, &call) && str_is(call.job, event->id.text);
    if (!is_there) return STATUS_OK; /* it was left with the same command */
    return ask(engine, live, &call, event->activation, reterr);
}

status engine_call_cache_end(struct engine *engine, struct live_run *live,
                             const struct event *event, struct error *reterr)
{
    if (!json_is(event->cache, JSON_OBJECT)) return STATUS_OK;
    const struct call_cache_limits limits = call_cache_limits_of(&engine->options.cache_limits);
    const struct workflow *workflow       = run_workflow(live->run);
    json output                           = json_get_text(event->cache, "output");
    Pb__CacheEnd end                      = PB__CACHE_END__INIT;
    end.namespace_                        = workflow->namespace_;
    end.workflow                          = workflow->name;
    end.function                          = function_of(engine, &workflow->tasks[event->task]);
    end.digest = text_in(engine->arena, json_str(json_get_text(event->cache, "key")));
    end.job    = text_in(engine->arena, json_str(json_get_text(event->cache, "job")));
    (void)json_to_int(json_get_text(event->cache, "maxAge"), &end.max_age_us);
    if (output.kind != JSON_INVALID) {
        TRY(json_in(engine->arena, output, &end.value_json, reterr));
        end.is_too_large = end.value_json.len > limits.value_bytes_max;
        end.has_value    = !end.is_too_large;
        if (end.is_too_large) end.value_json = (ProtobufCBinaryData){};
    }
    return tell_end(engine, &end, reterr);
}

/* Somebody else is to call, for all who wait. */
static status give_up(struct engine *engine, const char *namespace, const char *digest,
                      const char *job, struct error *reterr)
{
    Pb__CacheEnd end = PB__CACHE_END__INIT;
    end.namespace_   = namespace;
    end.digest       = digest;
    end.job          = job;
    return tell_end(engine, &end, reterr);
}

/* Says whether a worker is at it, so that the answer comes although the run is suspended. */
static bool is_leased(const struct engine *engine, str job)
{
    const struct open_job *open = open_job_find(engine->queues, job);
    return open && open->state == OPEN_JOB_LEASED;
}

status engine_call_cache_hold(struct engine *engine, struct live_run *live, bool is_held,
                              struct error *reterr)
{
    size_t most            = run_waits_most(live->run);
    struct run_wait *waits = arena_alloc(engine->arena, (most + 1) * sizeof *waits);
    if (!waits) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    size_t count = run_waits(live->run, waits, most);
    for (size_t i = 0; i < count; i++) {
        struct cached_call call = {};
        if (!run_cached_call(live->run, waits[i].slot, &call)) continue;
        if (!is_held && !call.calls) TRY(ask(engine, live, &call, waits[i].slot, reterr));
        bool is_done_for = is_held && !(call.calls && is_leased(engine, call.job));
        if (!is_done_for) continue;
        TRY(give_up(engine, run_workflow(live->run)->namespace_,
                    text_in(engine->arena, call.digest), text_in(engine->arena, call.job), reterr));
    }
    return STATUS_OK;
}

/* A run that is over, or waits no more, must not be waited for by others. */
status engine_take_cache_answer(struct engine *engine, const Pb__CacheAnswer *told,
                                struct error *reterr)
{
    struct live_run *live            = NULL;
    CLEANUP(json_unrefp) json output = json_invalid();
    if (!id_is_valid(str_from(told->run))) return STATUS_OK;
    if (told->is_hit) TRY(json_out(told->value_json, "cache", &output, reterr));
    TRY(engine_run(engine, str_from(told->run), NULL, &live, reterr));
    const struct call_answer answer = {
        .activation = told->activation,
        .job        = str_from(told->job),
        .output     = output,
        .stored_us  = told->stored_us,
    };
    struct error why = {};
    status decided   = STATUS_NOT_FOUND;
    status kept      = STATUS_OK;
    if (live) {
        const struct decide_env env = engine_env(engine);
        engine_work_begin(engine, str_from(live->id.text));
        decided = run_call_answered(live->run, &env, &answer, &engine->events, &why);
        if (decided == STATUS_OK) kept = engine_keep(engine, live, reterr);
        engine_work_end(engine);
    }
    TRY(kept);
    if (decided == STATUS_OK || told->is_hit) return STATUS_OK;
    return give_up(engine, told->namespace_, told->digest, told->job, reterr);
}

status engine_take_cache_probe(struct engine *engine, const Pb__CacheProbe *probe,
                               struct error *reterr)
{
    struct live_run *live   = NULL;
    struct cached_call call = {};
    if (!id_is_valid(str_from(probe->run))) return STATUS_OK;
    TRY(engine_run(engine, str_from(probe->run), NULL, &live, reterr));
    bool is_alive = live && run_cached_call(live->run, probe->activation, &call) &&
                    str_is(call.job, probe->job);
    if (is_alive && run_is_suspended(live->run)) is_alive = is_leased(engine, call.job);
    if (!is_alive) return give_up(engine, probe->namespace_, probe->digest, probe->job, reterr);
    Pb__CacheAlive alive = PB__CACHE_ALIVE__INIT;
    Pb__Message message  = PB__MESSAGE__INIT;
    message.content_case = PB__MESSAGE__CONTENT_CACHE_ALIVE;
    message.cache_alive  = &alive;
    alive.namespace_     = probe->namespace_;
    alive.digest         = probe->digest;
    alive.job            = probe->job;
    return engine_tell(engine, SYSTEM_PARTITION, &message, reterr);
}

/* --- of the system partition --------------------------------------------------------------------
 */

static status send(const char *run, const Pb__Message *message, struct error *reterr, void *context)
{
    if (!id_is_valid(str_from(run))) return STATUS_OK;
    uint16_t partition          = id_partition(str_from(run));
    const struct engine *engine = context;
    if (partition >= engine->partition->count) return STATUS_OK;
    return engine_tell(context, partition, message, reterr);
}

static struct call_cache table_of(struct engine *engine)
{
    return (struct call_cache){
        .txn     = engine->txn,
        .arena   = engine->arena,
        .now_us  = engine->now_us,
        .limits  = call_cache_limits_of(&engine->options.cache_limits),
        .send    = send,
        .context = engine,
    };
}

static status done(struct engine *engine, const struct call_cache *cache, status code)
{
    engine->has_call_cache_moved = true;
    count_call_cache(engine->options.metrics, &cache->counts);
    return code;
}

static bool is_owner(const struct engine *engine)
{
    if (engine->partition->index == SYSTEM_PARTITION) return true;
    log_write(LOG_ERROR, "call_cache.elsewhere", LOG_INT("partition", engine->partition->index));
    return false;
}

status engine_take_cache_ask(struct engine *engine, const Pb__CacheAsk *asked, struct error *reterr)
{
    struct call_cache cache = table_of(engine);
    if (!is_owner(engine)) return STATUS_OK;
    return done(engine, &cache, call_cache_asked(&cache, asked, reterr));
}

status engine_take_cache_end(struct engine *engine, const Pb__CacheEnd *end, struct error *reterr)
{
    struct call_cache cache = table_of(engine);
    if (!is_owner(engine)) return STATUS_OK;
    return done(engine, &cache, call_cache_ended(&cache, end, reterr));
}

status engine_take_cache_alive(struct engine *engine, const Pb__CacheAlive *alive,
                               struct error *reterr)
{
    struct call_cache cache = table_of(engine);
    if (!is_owner(engine)) return STATUS_OK;
    return done(engine, &cache, call_cache_alive(&cache, alive, reterr));
}

status engine_clear_call_cache(struct engine *engine, struct command *command, struct error *reterr)
{
    struct call_cache cache = table_of(engine);
    engine_answer(engine, command);
    return done(engine, &cache,
                call_cache_clear(&cache, command->request, command->response, reterr));
}

status engine_call_cache_due(struct engine *engine, struct error *reterr)
{
    bool is_due = engine->call_cache_due_us <= engine->now_us;
    if (!is_due && !engine->has_call_cache_moved) return STATUS_OK;
    if (is_due) {
        struct call_cache cache = table_of(engine);
        TRY(done(engine, &cache, call_cache_due(&cache, reterr)));
    }
    return engine_peek_call_cache(engine, reterr);
}

status engine_peek_call_cache(struct engine *engine, struct error *reterr)
{
    engine->has_call_cache_moved = false;
    engine->call_cache_due_us    = INT64_MAX;
    if (engine->partition->index != SYSTEM_PARTITION) return STATUS_OK;
    return call_cache_next_due(engine->txn, &engine->call_cache_due_us, reterr);
}
