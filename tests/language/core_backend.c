/*
 * The engine's core in this process, one run in a glass (support/scheduler/world.h): after every
 * command the run is rebuilt from its journal and from a snapshot, and must be the same.
 */
#include "base/mem.h"
#include "language/backend.h"
#include "language/core_documents.h"
#include "language/core_jobs.h"
#include "language/secrets.h"
#include "support/scheduler/world_cache.h"
#include "workflow/function_catalog.h"
#include "workflow/workflow.h"
#include "json/json_text.h"

#include <stdlib.h>

enum { TEXT_MAX = 256 << 20, SCRATCH_MAX = 64 << 20, STEPS_MAX = 2'000'000 };

struct core {
    struct backend backend;
    struct script *script;
    struct world world;
    bool has_world;
    bool has_started;
    struct core_jobs jobs;
    const struct function_catalog *catalog; /* NULL: what is built in */
};

static void forget(struct core *core)
{
    if (core->has_world) world_done(&core->world);
    core->has_world   = false;
    core->has_started = false;
    core_jobs_clear(&core->jobs);
    function_catalog_unrefp(&core->catalog);
}

static status begin(void *context, struct error *)
{
    forget(context);
    return STATUS_OK;
}

static status offer(void *context, json functions, struct error *reterr)
{
    struct core *core             = context;
    CLEANUP(json_unrefp) json all = json_array_new(json_count(functions));
    for (size_t i = 0; i < json_count(functions); i++) {
        json function = json_ref(json_at(functions, i));
        json_object_put_text(&function, "queue", json_text_from("tools.standin"));
        json_array_push(&all, function);
    }
    function_catalog_unrefp(&core->catalog);
    return function_catalog_new(NULL, all, &core->catalog, reterr);
}

/* --- definitions -------------------------------------------------------------------------------
 */

static json findings_new(const struct diagnostics *list)
{
    static const char *const severities[] = {
        [SEVERITY_ERROR] = "error", [SEVERITY_WARNING] = "warning", [SEVERITY_NOTE] = "note"};
    json findings = json_array_new(list->count);
    for (size_t i = 0; i < list->count; i++) {
        const struct diagnostic *item = &list->items[i];
        json finding                  = json_object_new(7);
        json_object_put_text(&finding, "code", json_text_from(item->code));
        json_object_put_text(&finding, "severity", json_text_from(severities[item->severity]));
        json_object_put_text(&finding, "pointer", json_text_from(item->pointer));
        json_object_put_text(&finding, "line", json_int(item->line));
        json_object_put_text(&finding, "column", json_int(item->column));
        json_object_put_text(&finding, "detail", json_text_from(item->detail));
        json_object_put_text(&finding, "hint", json_text_from(item->hint ? item->hint : ""));
        json_array_push(&findings, finding);
    }
    return findings;
}

static status put(void *context, str definition, json *ret_findings, struct error *reterr)
{
    struct core *core                                        = context;
    CLEANUP(arena_freep) struct arena *arena                 = arena_new(SCRATCH_MAX);
    struct diagnostics *list                                 = NULL;
    CLEANUP(workflow_unrefp) const struct workflow *workflow = NULL;
    status code   = core_documents_read(definition, core->catalog, core->script, arena, &list,
                                        &workflow, reterr);
    *ret_findings = findings_new(list);
    if (code != STATUS_OK || core->has_world) return code;
    world_init_with(&core->world, TAKE(workflow));
    core->world.env.secrets = &language_secrets;
    core->has_world         = true;
    return STATUS_OK;
}

/* --- playing -----------------------------------------------------------------------------------
 */

/* What a command gave is committed if there is something; a refusal gave nothing. */
static status commit(struct core *core, status code)
{
    world_commit(&core->world);
    return code;
}

/* One thing that can happen without time passing. */
static status step(struct core *core, bool *ret_has_stepped, struct error *reterr)
{
    struct world *world = &core->world;
    *ret_has_stepped    = true;
    if (run_has_more(world->run)) {
        return commit(core, run_advance(world->run, &world->env, &world->events, reterr));
    }
    if (run_next_due(world->run) <= world->env.now_us) {
        return commit(core, run_due(world->run, &world->env, &world->events, reterr));
    }
    if (world_cache_step(world)) return STATUS_OK;
    return core_jobs_answer(&core->jobs, world, core->script, ret_has_stepped, reterr);
}

static status settle(struct core *core, struct error *reterr)
{
    bool has_stepped = true;
    for (uint32_t i = 0; has_stepped; i++) {
        if (run_status_is_final(run_status(core->world.run))) return STATUS_OK;
        if (i == STEPS_MAX) return fail(reterr, STATUS_DEADLINE_EXCEEDED, "the run does not end");
        TRY(step(core, &has_stepped, reterr));
    }
    return STATUS_OK;
}

/* When something happens next: NO_DUE_US if nothing will. */
static int64_t next_due(const struct core *core)
{
    const struct world *world = &core->world;
    int64_t due_us            = run_next_due(world->run);
    int64_t job_us            = core_jobs_due(&core->jobs, world);
    int64_t cache_us          = world_cache_due(world);
    if (job_us < due_us) due_us = job_us;
    return cache_us < due_us ? cache_us : due_us;
}

static status go_until(struct core *core, int64_t until_us, struct error *reterr)
{
    for (uint32_t i = 0; i < STEPS_MAX; i++) {
        TRY(settle(core, reterr));
        if (run_status_is_final(run_status(core->world.run))) break;
        int64_t due_us = next_due(core);
        if (due_us == NO_DUE_US || due_us > until_us) break;
        core->world.env.now_us = due_us;
    }
    if (until_us != NO_DUE_US) core->world.env.now_us = until_us;
    return STATUS_OK;
}

static status has_run(const struct core *core, struct error *reterr)
{
    if (core->has_started) return STATUS_OK;
    return fail(reterr, STATUS_INTERNAL, "no workflow was executed");
}

static status start(void *context, json input, json extra, struct error *reterr)
{
    struct core *core = context;
    if (!core->has_world) return fail(reterr, STATUS_INTERNAL, "there is no workflow");
    struct world *world      = &core->world;
    struct run_start command = {.input = input, .priority = PRIORITY_INHERIT};
    if (json_is(extra, JSON_OBJECT)) {
        return fail(reterr, STATUS_UNIMPLEMENTED, "only over HTTP: mark the scenario @http");
    }
    TRY(commit(core, run_start(world->run, &world->env, &command, &world->events, reterr)));
    core->has_started = true;
    return settle(core, reterr);
}

static status finish(void *context, struct error *reterr)
{
    struct core *core = context;
    TRY(has_run(core, reterr));
    return go_until(core, NO_DUE_US, reterr);
}

static status pass(void *context, int64_t us, struct error *reterr)
{
    struct core *core = context;
    TRY(has_run(core, reterr));
    return go_until(core, core->world.env.now_us + us, reterr);
}

/* --- commands ----------------------------------------------------------------------------------
 */

static status signal_run(void *context, const char *name, json data, struct error *reterr)
{
    struct core *core = context;
    TRY(has_run(core, reterr));
    struct world *world             = &core->world;
    const struct run_signal command = {str_from(name), data};
    struct id id                    = {};
    TRY(commit(core, run_signal(world->run, &world->env, &command, &id, &world->events, reterr)));
    return settle(core, reterr);
}

/* To who listens now: what a namespace keeps for later is no matter of a run. */
static status publish(void *context, json event, struct error *reterr)
{
    struct core *core = context;
    TRY(has_run(core, reterr));
    struct world *world = &core->world;
    bool is_taken       = run_offer(world->run, &world->env, event, &world->events);
    TRY(commit(core, STATUS_OK));
    if (!is_taken) return STATUS_OK;
    return settle(core, reterr);
}

static status decide(void *context, bool is_approved, json data, struct error *reterr)
{
    struct core *core = context;
    TRY(has_run(core, reterr));
    struct world *world                    = &core->world;
    const struct approval_decision command = {
        .approval    = str_from(world->approval.text),
        .is_approved = is_approved,
        .comment     = str_from("seen"),
        .by          = str_from("ann"),
        .data        = data,
    };
    TRY(commit(core,
               run_approval_decide(world->run, &world->env, &command, &world->events, reterr)));
    return settle(core, reterr);
}

static status control(void *context, const char *verb, struct error *reterr)
{
    static const struct {
        const char *verb;
        status (*run)(struct run *run, const struct decide_env *env, str reason, str by,
                      struct event_list *events, struct error *reterr);
    } verbs[]         = {{"cancel", run_cancel},
                         {"terminate", run_terminate},
                         {"pause", run_suspend},
                         {"resume", run_resume}};
    struct core *core = context;
    TRY(has_run(core, reterr));
    struct world *world = &core->world;
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
        if (strcmp(verbs[i].verb, verb) != 0) continue;
        TRY(commit(core, verbs[i].run(world->run, &world->env, str_from("asked"), str_from("ann"),
                                      &world->events, reterr)));
    }
    return settle(core, reterr);
}

static status crash(void *context, struct error *reterr)
{
    struct core *core = context;
    TRY(has_run(core, reterr));
    world_crash(&core->world, true);
    world_crash(&core->world, false);
    return settle(core, reterr);
}

static status request(void *, const char *, const char *, json, json *, struct error *reterr)
{
    return fail(reterr, STATUS_UNIMPLEMENTED, "requests go over HTTP: mark the scenario @http");
}

/* --- looking -----------------------------------------------------------------------------------
 */

static void put_progress(const struct run *run, json *seen)
{
    json progress = json_object_new(2);
    json_object_put_text(&progress, "percent", json_real(run_progress_permille(run) / 10.0));
    if (*run_phase(run)) {
        json_object_put_text(&progress, "phase", json_text_from(run_phase(run)));
    }
    json_object_put_text(seen, "progress", progress);
}

static void put_compensation(const struct run *run, json *seen)
{
    const struct run_compensation undone = run_compensation(run);
    if (undone.total == 0) return;
    const char *state = undone.failed > 0 ? "failed" : "completed";
    if (undone.done + undone.failed < undone.total) state = "running";
    json compensation = json_object_new(4);
    json_object_put_text(&compensation, "state", json_text_from(state));
    json_object_put_text(&compensation, "done", json_int(undone.done));
    json_object_put_text(&compensation, "failed", json_int(undone.failed));
    json_object_put_text(&compensation, "total", json_int(undone.total));
    json_object_put_text(seen, "compensation", compensation);
}

static status view(void *context, json *ret_run, struct error *reterr)
{
    static const char *const names[] = {
        [RUN_PENDING] = "pending",       [RUN_RUNNING] = "running",
        [RUN_WAITING] = "waiting",       [RUN_COMPLETED] = "completed",
        [RUN_FAULTED] = "faulted",       [RUN_CANCELLED] = "cancelled",
        [RUN_TERMINATED] = "terminated", [RUN_SUSPENDED] = "suspended"};
    struct core *core = context;
    TRY(has_run(core, reterr));
    const struct run *run = core->world.run;
    size_t state          = (size_t)run_status(run);
    const char *now       = state < ARRAY_LEN(names) ? names[state] : "unknown";
    json seen             = json_object_new(6);
    json_object_put_text(&seen, "id", json_text_from(run_id(run)));
    json_object_put_text(&seen, "status", json_text_from(now));
    if (!json_is(run_output(run), JSON_INVALID)) {
        json_object_put_text(&seen, "output", json_ref(run_output(run)));
    }
    if (!json_is(run_error(run), JSON_INVALID)) {
        json_object_put_text(&seen, "error", json_ref(run_error(run)));
    }
    if (json_count(core->world.labels) > 0) {
        json_object_put_text(&seen, "labels", json_ref(core->world.labels));
    }
    put_progress(run, &seen);
    put_compensation(run, &seen);
    int64_t end_us = run_ended_us(run) ? run_ended_us(run) : core->world.env.now_us;
    json_object_put_text(&seen, "taken_us", json_int(end_us - run_started_us(run)));
    *ret_run = seen;
    return STATUS_OK;
}

static void add_event(const struct run *run, const struct event *event, void *context)
{
    json *events           = context;
    struct event_view seen = {};
    event_view_make(run, event, &seen);
    json item = json_object_new(6);
    json_object_put_text(&item, "sequence", json_int((int64_t)seen.sequence));
    json_object_put_text(&item, "type", json_text_from(seen.type));
    if (*seen.reference) json_object_put_text(&item, "task", json_text_from(seen.reference));
    if (seen.iteration.len > 0) {
        json_object_put_text(&item, "iteration", json_text_new(buf_str(&seen.iteration)));
    }
    if (seen.attempt > 0) json_object_put_text(&item, "attempt", json_int(seen.attempt));
    json data = json_invalid();
    if (seen.data.len > 0 &&
        json_parse(buf_str(&seen.data), NULL, &data, NULL, NULL) == STATUS_OK) {
        json_object_put_text(&item, "data", data);
    }
    json_array_push(events, item);
    event_view_done(&seen);
}

static status history(void *context, json *ret_events, struct error *reterr)
{
    struct core *core = context;
    TRY(has_run(core, reterr));
    const struct world *world          = &core->world;
    CLEANUP(run_freep) struct run *run = run_new(str_from(run_id(world->run)), world->workflow);
    CLEANUP(json_unrefp) json events   = json_array_new(16);
    for (size_t i = 0; i < world->entry_count; i++) {
        TRY(entry_replay(run, bytes_from(buf_str(&world->entries[i])), &world->store, add_event,
                         &events, reterr));
    }
    *ret_events = json_take(&events);
    return STATUS_OK;
}

/* --- life --------------------------------------------------------------------------------------
 */

struct backend *core_backend_new(struct script *script)
{
    struct core *core = mem_new(1, sizeof *core);
    core->script      = script;
    core->backend     = (struct backend){
            .name    = "core",
            .context = core,
            .begin   = begin,
            .offer   = offer,
            .put     = put,
            .start   = start,
            .finish  = finish,
            .pass    = pass,
            .view    = view,
            .history = history,
            .signal  = signal_run,
            .publish = publish,
            .decide  = decide,
            .control = control,
            .crash   = crash,
            .request = request,
    };
    return &core->backend;
}

void core_backend_freep(struct backend **backend)
{
    if (!*backend) return;
    struct core *core = (*backend)->context;
    forget(core);
    free(core);
    *backend = NULL;
}
