#include "support/scheduler/world.h"
#include "support/scheduler/world_cache.h"

#include "base/assert.h"
#include "base/mem.h"
#include "json/json_text.h"

#include <stdio.h>
#include <stdlib.h>

enum { TEXT_MAX = 64 << 20, SCRATCH_MAX = 16 << 20, RESULT_MAX = 1 << 20 };

/* An arbitrary moment: 2026-11-22T10:00:00Z. */
#define START_US INT64_C(1'795'341'600'000'000)

static const char document[] = "document:\n"
                               "  dsl: '1.0.3'\n"
                               "  namespace: test\n"
                               "  name: world\n"
                               "  version: '1.0.0'\n";

static _Noreturn void stop(const char *what, const struct error *error)
{
    (void)fprintf(stderr, "%s: %s\n", what, error->text);
    abort();
}

/* --- the loop's payload table --------------------------------------------------------------------
 */

static status payload_store(str text, uint64_t *ret_payload, void *context, struct error *)
{
    struct world *world = context;
    ASSERT(world->payload_count < WORLD_PAYLOADS_MAX);
    world->payloads[world->payload_count++] = mem_dup(text.ptr, text.len);
    *ret_payload                            = world->payload_count;
    return STATUS_OK;
}

static status payload_load(uint64_t payload, str *ret_text, void *context, struct error *reterr)
{
    const struct world *world = context;
    if (payload == 0 || payload > world->payload_count) {
        return fail(reterr, STATUS_DATA_LOSS, "no payload %llu", (unsigned long long)payload);
    }
    *ret_text = str_from(world->payloads[payload - 1]);
    return STATUS_OK;
}

/* --- life ---------------------------------------------------------------------------------------
 */

static const struct workflow *read_workflow(const char *body)
{
    CLEANUP(buf_done) struct buf text = buf_init(TEXT_MAX);
    (void)buf_put_text(&text, document);
    (void)buf_put_text(&text, body);
    CLEANUP(arena_freep) struct arena *arena = arena_new(SCRATCH_MAX);
    struct diagnostics list                  = {.arena = arena};
    struct error error                       = {};
    const struct workflow *workflow          = NULL;
    if (workflow_read(buf_str(&text), &list, &workflow, &error) != STATUS_OK) {
        for (size_t i = 0; i < list.count; i++) {
            (void)fprintf(stderr, "%s: %s\n", list.items[i].pointer, list.items[i].detail);
        }
        (void)fprintf(stderr, "%s\n", body);
        stop("definition", &error);
    }
    return workflow;
}

void world_init(struct world *world, const char *body)
{
    world_init_with(world, read_workflow(body));
}

static enum job_holding job_look(void *context, str)
{
    const struct world *world = context;
    return world->holding;
}

void world_init_with(struct world *world, const struct workflow *workflow)
{
    *world = (struct world){
        .workflow = workflow,
        .random   = {1},
        .history  = buf_init(TEXT_MAX),
        .result   = buf_init(RESULT_MAX),
        .calls    = buf_init(TEXT_MAX),
        .labels   = json_object_new(0),
        .entries  = mem_new(WORLD_ENTRIES_MAX, sizeof *world->entries),
        .payloads = mem_new(WORLD_PAYLOADS_MAX, sizeof *world->payloads),
        .jobs     = mem_new(WORLD_JOBS_MAX, sizeof *world->jobs),
        .store    = {payload_store, payload_load, world},
    };
    world->env = (struct decide_env){
        .now_us  = START_US,
        .ids     = &world->ids,
        .random  = &world->random,
        .scratch = arena_new(SCRATCH_MAX),

        .has_call_cache = true,
        .holders        = &world->holders,
    };
    world->holders     = (struct job_holders){.look = job_look, .context = world};
    const struct id id = id_next(&world->ids, START_US / 1000, 0);
    world->run         = run_new(str_from(id.text), world->workflow);
    world->shadow      = run_new(str_from(id.text), world->workflow);
}

static void job_done(struct world_job *job)
{
    json_unref(job->input);
    json_unref(job->key);
}

static void child_done(struct world_child *child)
{
    json_unref(child->workflow);
    json_unref(child->input);
}

void world_done(struct world *world)
{
    for (size_t i = 0; i < world->child_count; i++) child_done(&world->children[i]);
    free(world->children);
    world_cache_free(world->cache);
    run_free(world->run);
    run_free(world->shadow);
    for (size_t i = 0; i < world->entry_count; i++) buf_done(&world->entries[i]);
    for (size_t i = 0; i < world->payload_count; i++) free(world->payloads[i]);
    for (size_t i = 0; i < world->job_count; i++) job_done(&world->jobs[i]);
    free(world->entries);
    free(world->payloads);
    free(world->jobs);
    event_list_done(&world->events);
    buf_done(&world->history);
    buf_done(&world->result);
    buf_done(&world->calls);
    json_unref(world->labels);
    arena_free(world->env.scratch);
    workflow_unref(world->workflow);
}

/* --- what a commit does with events
 * --------------------------------------------------------------- */

static struct world_job *job_find(struct world *world, const struct id *id)
{
    for (size_t i = 0; i < world->job_count; i++) {
        if (strcmp(world->jobs[i].id.text, id->text) == 0) return &world->jobs[i];
    }
    return NULL;
}

/* "#/do/0/a/-/1 {"method":...}": # stands for the run's id. */
static void call_note(struct world *world, const struct event *event)
{
    str key         = json_str(event->key);
    str id          = str_from(run_id(world->run));
    bool is_default = str_starts_with(key, id);
    if (is_default) (void)buf_put_text(&world->calls, "#");
    (void)buf_put_str(&world->calls, str_slice(key, is_default ? id.len : 0, key.len));
    (void)buf_put_text(&world->calls, " ");
    /* The input of an agent's turn is made at the lease: run_turn_input(). */
    bool has_input = !json_is(event->value, JSON_INVALID);
    if (has_input) (void)json_print(event->value, JSON_COMPACT, &world->calls);
    (void)buf_put_text(&world->calls, "\n");
}

/* Of a call: its job waits for it. */
static void approval_note(struct world *world, const struct event *event)
{
    bool is_end = event->kind > EVENT_APPROVAL_REQUESTED && event->kind <= EVENT_APPROVAL_CANCELLED;
    if (event->kind == EVENT_APPROVAL_REQUESTED) {
        world->approval = event->id;
        if (world->asker) job_find(world, world->asker)->asks = event->id;
    }
    for (size_t i = 0; i < world->job_count; i++) {
        struct world_job *job = &world->jobs[i];
        if (is_end && strcmp(job->asks.text, event->id.text) == 0) job->asks = (struct id){};
    }
}

static void job_note(struct world *world, const struct event *event)
{
    struct world_job *job = job_find(world, &event->id);
    switch (event->kind) {
    case EVENT_JOB_SCHEDULED:
        ASSERT(!job && world->job_count < WORLD_JOBS_MAX);
        ASSERT(event->function && event->queue && event->attempt_timeout_us > 0);
        ASSERT(event->key.kind == JSON_TEXT);
        world->jobs_scheduled++;
        call_note(world, event);
        world->jobs[world->job_count++] = (struct world_job){
            .id      = event->id,
            .task    = &world->workflow->tasks[event->task],
            .attempt = 1,
            .input   = json_ref(event->value),
            .key     = json_ref(event->key),
        };
        (void)snprintf(world->jobs[world->job_count - 1].function, sizeof world->jobs->function,
                       "%s", event->function);
        break;
    case EVENT_JOB_RETRIED:
        ASSERT(job && event->attempt == job->attempt + 1);
        job->attempt = event->attempt;
        job->due_us  = event->due_us;
        break;
    case EVENT_JOB_COMPLETED:
    case EVENT_JOB_FAILED:
    case EVENT_JOB_DEAD:
    case EVENT_JOB_SETTLED:
    case EVENT_JOB_CANCELLED:
        ASSERT(job);
        if (event->kind == EVENT_JOB_CANCELLED && event->is_kept) break;
        job_done(job);
        memmove(job, job + 1, (world->job_count - (size_t)(job - world->jobs) - 1) * sizeof *job);
        world->job_count--;
        break;
    default: break;
    }
    approval_note(world, event);
    if (event->kind == EVENT_RUN_LABELLED) {
        str label = json_key_at(event->value, 0);
        json_object_put(&world->labels, label, json_ref(json_value_at(event->value, 0)));
    }
}

static struct world_child *child_find(struct world *world, const struct id *id)
{
    for (size_t i = 0; i < world->child_count; i++) {
        if (strcmp(world->children[i].id.text, id->text) == 0) return &world->children[i];
    }
    return NULL;
}

static void child_note(struct world *world, const struct event *event)
{
    struct world_child *child = child_find(world, &event->id);
    if (event->kind == EVENT_CHILD_SCHEDULED) {
        ASSERT(!child && world->child_count < WORLD_CHILDREN_MAX);
        ASSERT(event->key.kind == JSON_TEXT && event->value.kind == JSON_OBJECT);
        if (!world->children) {
            world->children = mem_new(WORLD_CHILDREN_MAX, sizeof *world->children);
        }
        world->children[world->child_count++] = (struct world_child){
            .id         = event->id,
            .activation = event->activation,
            .workflow   = json_ref(event->key),
            .input      = json_ref(event->value),
        };
        return;
    }
    ASSERT(child);
    const struct task *task = &world->workflow->tasks[event->task];
    if (event->kind == EVENT_CHILD_STARTED && !task->run.is_detached) return;
    if (event->kind >= EVENT_CHILD_CANCELLED) world->children_stopped++;
    child_done(child);
    *child = world->children[--world->child_count];
}

static void write_line(const struct run *run, const struct event *event, void *context)
{
    struct world *world    = context;
    struct event_view view = {};
    event_view_make(run, event, &view);
    (void)buf_printf(&world->history, "%s", view.type);
    if (view.reference[0]) (void)buf_printf(&world->history, " %s", view.reference);
    if (view.iteration.len > 0) (void)buf_printf(&world->history, " [%s]", view.iteration.ptr);
    if (view.attempt > 1) (void)buf_printf(&world->history, " #%u", view.attempt);
    (void)buf_put_text(&world->history, "\n");
    event_view_done(&view);
}

static void pack(struct world *world, struct run *run, struct buf *out)
{
    struct error error = {};
    if (run_snapshot_pack(run, &world->store, out, &error) != STATUS_OK) stop("snapshot", &error);
}

static struct run *unpack(struct world *world, str snapshot)
{
    struct error error = {};
    struct run *run    = NULL;
    if (run_snapshot_unpack(str_from(run_id(world->run)), world->workflow, bytes_from(snapshot),
                            &world->store, &run, &error) != STATUS_OK) {
        stop("snapshot", &error);
    }
    return run;
}

/* That ask nobody. */
static size_t jobs_at_work(const struct world *world)
{
    size_t count = 0;
    for (size_t i = 0; i < world->job_count; i++) count += !world->jobs[i].asks.text[0];
    return count;
}

static void check_same(const struct world *world, const struct run *a, const struct run *b)
{
    ASSERT(run_sequence(a) == run_sequence(b));
    ASSERT(run_status(a) == run_status(b));
    ASSERT(run_has_more(a) == run_has_more(b));
    ASSERT(run_next_due(a) == run_next_due(b));
    ASSERT(run_jobs_open(a) == run_jobs_open(b));
    ASSERT(run_progress_permille(a) == run_progress_permille(b));
    ASSERT(run_jobs_open(a) == jobs_at_work(world));
}

static void prove(struct world *world)
{
    CLEANUP(buf_done) struct buf live     = buf_init(TEXT_MAX);
    CLEANUP(buf_done) struct buf replayed = buf_init(TEXT_MAX);
    CLEANUP(buf_done) struct buf again    = buf_init(TEXT_MAX);
    pack(world, world->run, &live);
    pack(world, world->shadow, &replayed);
    ASSERT(str_equal(buf_str(&live), buf_str(&replayed)));
    check_same(world, world->run, world->shadow);

    CLEANUP(run_freep) struct run *unpacked = unpack(world, buf_str(&live));
    pack(world, unpacked, &again);
    ASSERT(str_equal(buf_str(&live), buf_str(&again)));
    check_same(world, world->run, unpacked);
}

void world_commit(struct world *world)
{
    if (world->events.count == 0) return;
    for (size_t i = 0; i < world->events.count; i++) {
        const struct event *event = &world->events.items[i];
        job_note(world, event);
        bool is_child =
            event->kind >= EVENT_CHILD_SCHEDULED && event->kind <= EVENT_CHILD_TERMINATED;
        if (is_child) child_note(world, event);
        bool asks = event->kind == EVENT_CACHE_ASKED;
        if (asks && !world->cache) world->cache = world_cache_new();
        if (world->cache) world_cache_note(world, event);
    }

    ASSERT(world->entry_count < WORLD_ENTRIES_MAX);
    struct error error = {};
    struct buf *entry  = &world->entries[world->entry_count++];
    *entry             = buf_init(TEXT_MAX);
    if (entry_pack(world->run, world->events.items, world->events.count, world->entry_count - 1,
                   &world->store, entry, &error) != STATUS_OK) {
        stop("entry", &error);
    }
    event_list_clear(&world->events);
    if (world->is_unchecked) return;
    if (entry_replay(world->shadow, bytes_from(buf_str(entry)), &world->store, write_line, world,
                     &error) != STATUS_OK) {
        stop("replay", &error);
    }
    prove(world);
}

/* --- what happens
 * --------------------------------------------------------------------------------- */

static json parse(const char *text)
{
    json value         = json_invalid();
    struct error error = {};
    if (json_parse(str_from(text), NULL, &value, NULL, &error) != STATUS_OK) stop(text, &error);
    return value;
}

static void finish(struct world *world, status code, const struct error *error)
{
    if (code != STATUS_OK) stop("command", error);
    world_commit(world);
}

void world_start(struct world *world, const char *input)
{
    CLEANUP(json_unrefp) json value = input ? parse(input) : json_invalid();
    const struct run_start command  = {.input = value, .priority = PRIORITY_INHERIT};
    struct error error              = {};
    finish(world, run_start(world->run, &world->env, &command, &world->events, &error), &error);
}

static bool is_once(const struct answer *answer)
{
    return answer->kind >= ANSWER_OK_ONCE;
}

static const struct answer *answer_of(const struct world *world, const struct world_job *job)
{
    for (const struct answer *answer = world->script; answer && answer->task; answer++) {
        size_t row = (size_t)(answer - world->script);
        if (is_once(answer) && (world->used & UINT64_C(1) << row)) continue;
        bool is_attempt = answer->attempt == 0 || answer->attempt == job->attempt;
        if (is_attempt && strcmp(answer->task, job->task->name) == 0) return answer;
    }
    static const struct answer ok = {.kind = ANSWER_OK};
    return &ok;
}

static void ask(struct world *world, const struct id *id, json value)
{
    const struct job_question command = {.job = str_from(id->text), .value = value};
    struct error error                = {};
    world->asker                      = id;
    finish(world, run_job_asked(world->run, &world->env, &command, &world->events, &error), &error);
    world->asker = NULL;
}

static void answer_job(struct world *world, const struct world_job *job)
{
    const struct answer *answer = answer_of(world, job);
    struct error error          = {};
    if (is_once(answer)) world->used |= UINT64_C(1) << (answer - world->script);
    CLEANUP(json_unrefp) json value = answer->json ? parse(answer->json) : json_invalid();
    if (answer->kind == ANSWER_OK || answer->kind == ANSWER_OK_ONCE) {
        CLEANUP(json_unrefp) json undo      = world->undo ? parse(world->undo) : json_invalid();
        const struct job_completion command = {
            .job = str_from(job->id.text), .output = value, .undo = undo, .usage = world->usage};
        finish(world, run_job_completed(world->run, &world->env, &command, &world->events, &error),
               &error);
        return;
    }
    if (answer->kind == ANSWER_ASK) {
        ask(world, &job->id, value);
        return;
    }
    bool has_part                    = answer->kind == ANSWER_PART || answer->kind == ANSWER_DOUBT;
    CLEANUP(json_unrefp) json part   = has_part ? parse(world->part) : json_invalid();
    const struct job_failure command = {
        .job           = str_from(job->id.text),
        .error         = value,
        .undo          = part,
        .is_undo_whole = answer->kind == ANSWER_PART,
        .is_transient  = answer->kind == ANSWER_TRANSIENT,
        .is_unknown    = answer->kind == ANSWER_DOUBT,
        .is_lapsed     = answer->kind == ANSWER_LOST,
        .usage         = world->usage,
    };
    finish(world, run_job_failed(world->run, &world->env, &command, &world->events, &error),
           &error);
}

/* The first job that is due and will be answered; otherwise when the next one is. */
static const struct world_job *job_next(const struct world *world, int64_t *ret_due_us)
{
    *ret_due_us = NO_DUE_US;
    for (size_t i = 0; i < world->job_count; i++) {
        const struct world_job *job = &world->jobs[i];
        if (answer_of(world, job)->kind == ANSWER_NEVER || job->asks.text[0]) continue;
        if (job->due_us <= world->env.now_us) return job;
        if (job->due_us < *ret_due_us) *ret_due_us = job->due_us;
    }
    return NULL;
}

static void do_due(struct world *world)
{
    struct error error = {};
    finish(world, run_due(world->run, &world->env, &world->events, &error), &error);
}

bool world_step(struct world *world)
{
    if (run_status_is_final(run_status(world->run))) return false;
    if (run_has_more(world->run)) {
        struct error error = {};
        finish(world, run_advance(world->run, &world->env, &world->events, &error), &error);
        return true;
    }
    if (world_cache_step(world)) return true;
    int64_t job_due_us          = 0;
    const struct world_job *job = job_next(world, &job_due_us);
    int64_t due_us              = run_next_due(world->run);
    if (due_us <= world->env.now_us) {
        do_due(world);
        return true;
    }
    if (job) {
        const struct world_job copy = *job;
        answer_job(world, &copy);
        return true;
    }
    if (job_due_us < due_us) due_us = job_due_us;
    if (world_cache_due(world) < due_us) due_us = world_cache_due(world);
    if (due_us == NO_DUE_US) return false;
    world->env.now_us = due_us;
    return true;
}

void world_play(struct world *world)
{
    while (world_step(world)) continue;
}

void world_pass(struct world *world, int64_t us)
{
    world->env.now_us += us;
    do_due(world);
}

void world_signal(struct world *world, const char *name, const char *data)
{
    CLEANUP(json_unrefp) json value = data ? parse(data) : json_invalid();
    const struct run_signal command = {str_from(name), value};
    struct error error              = {};
    struct id id                    = {};
    finish(world, run_signal(world->run, &world->env, &command, &id, &world->events, &error),
           &error);
}

status world_decide(struct world *world, bool is_approved, const char *data)
{
    CLEANUP(json_unrefp) json value        = data ? parse(data) : json_invalid();
    const struct approval_decision command = {
        .approval    = str_from(world->approval.text),
        .is_approved = is_approved,
        .comment     = str_from("seen"),
        .by          = str_from("ann"),
        .data        = value,
    };
    status code = run_approval_decide(world->run, &world->env, &command, &world->events, NULL);
    if (code == STATUS_OK) world_commit(world);
    return code;
}

void world_cancel(struct world *world)
{
    struct error error = {};
    finish(world,
           run_cancel(world->run, &world->env, str_from("why"), str_from("ann"), &world->events,
                      &error),
           &error);
}

void world_charge(struct world *world, int64_t tokens)
{
    const struct usage usage = {.calls = 1, .input_tokens = tokens, .source = COST_REPORTED};
    struct error error       = {};
    run_charge(world->run, &world->env, &world->approval, &usage, &world->events);
    finish(world, STATUS_OK, &error);
}

typedef status run_stop(struct run *run, const struct decide_env *env, str reason, str by,
                        struct event_list *events, struct error *reterr);

static void stop_run(struct world *world, run_stop *decide)
{
    struct error error = {};
    finish(
        world,
        decide(world->run, &world->env, str_from("why"), str_from("ann"), &world->events, &error),
        &error);
}

void world_terminate(struct world *world)
{
    stop_run(world, run_terminate);
}

void world_suspend(struct world *world)
{
    stop_run(world, run_suspend);
}

void world_resume(struct world *world)
{
    stop_run(world, run_resume);
}

void world_answer_child(struct world *world, size_t index, enum child_outcome outcome,
                        const char *text)
{
    ASSERT(index < world->child_count);
    CLEANUP(json_unrefp) json value  = text ? parse(text) : json_invalid();
    const struct world_child child   = world->children[index];
    const struct child_answer answer = {
        .activation = child.activation,
        .child      = str_from(child.id.text),
        .run        = str_from(child.id.text),
        .outcome    = outcome,
        .value      = value,
        .usage      = outcome == CHILD_STARTED ? (struct usage){} : world->usage,
    };
    struct error error = {};
    finish(world, run_child_answered(world->run, &world->env, &answer, &world->events, &error),
           &error);
}

status world_retry(struct world *world, const char *patch)
{
    CLEANUP(json_unrefp) json value = patch ? parse(patch) : json_invalid();
    const struct run_retry command  = {.patch = value, .by = str_from("ann")};
    world_crash(world, false);
    status code = run_retry(world->run, &world->env, &command, &world->events, NULL);
    if (code == STATUS_OK) world_commit(world);
    return code;
}

void world_crash(struct world *world, bool is_from_snapshot)
{
    struct run *rebuilt = NULL;
    if (is_from_snapshot) {
        CLEANUP(buf_done) struct buf snapshot = buf_init(TEXT_MAX);
        pack(world, world->run, &snapshot);
        rebuilt = unpack(world, buf_str(&snapshot));
    } else {
        rebuilt = run_new(str_from(run_id(world->run)), world->workflow);
        for (size_t i = 0; i < world->entry_count; i++) {
            struct error error = {};
            if (entry_replay(rebuilt, bytes_from(buf_str(&world->entries[i])), &world->store, NULL,
                             NULL, &error) != STATUS_OK) {
                stop("replay", &error);
            }
        }
    }
    run_free(world->run);
    world->run = rebuilt;
}

const char *world_result(struct world *world)
{
    static const char *const names[] = {"pending", "running", "waiting"};
    enum run_status status_now       = run_status(world->run);
    if (status_now == RUN_SUSPENDED) return "suspended";
    if (!run_status_is_final(status_now)) return names[status_now];
    struct buf *text = &world->result;
    buf_clear(text);
    bool is_completed = status_now == RUN_COMPLETED;
    json value        = is_completed ? run_output(world->run) : run_error(world->run);
    if (!is_completed) {
        (void)buf_put_text(text, status_now == RUN_FAULTED     ? "faulted "
                                 : status_now == RUN_CANCELLED ? "cancelled "
                                                               : "terminated ");
    }
    (void)json_print(value, JSON_COMPACT, text);
    return text->ptr;
}

size_t world_journal_bytes(const struct world *world)
{
    size_t sum = 0;
    for (size_t i = 0; i < world->entry_count; i++) sum += world->entries[i].len;
    return sum;
}
