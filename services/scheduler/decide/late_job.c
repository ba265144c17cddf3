#include "scheduler/decide/late_job.h"

#include "scheduler/decide/job_arguments.h"
#include "scheduler/run/undo.h"
#include "workflow/function_catalog.h"

enum { GATEWAY_TIMEOUT = 504 };

static status entry_of(const struct run *run, str job, const struct undo **ret_entry,
                       struct error *reterr)
{
    *ret_entry = run->status == RUN_RUNNING ? undo_awaiting(run, job) : NULL;
    if (*ret_entry) return STATUS_OK;
    return fail(reterr, STATUS_NOT_FOUND, "run %s has no open job " STR_FMT, run->id.text,
                STR_ARG(job));
}

bool run_job_is_late(const struct run *run, str job)
{
    return undo_awaiting(run, job) != NULL;
}

/* Takes the values of `event`. */
static void settle(struct run *run, const struct decide_env *env, struct event *event,
                   struct event_list *events)
{
    struct decision decision = decision_begin(run, env, events);
    event->kind              = EVENT_JOB_SETTLED;
    (void)decide_emit(&decision, event);
    decision_collect(&decision);
    decision_end(&decision);
}

bool run_task_can_settle(const struct task *task)
{
    const struct function_description *function = task->call.description;
    if (!function || function->effect == EFFECT_READ || task->sends_secrets) return false;
    bool has_look_up =
        function->idempotency == IDEMPOTENCY_LOOKUP || function->idempotency == IDEMPOTENCY_COMPARE;
    return has_look_up && strcmp(function->queue, "tools") == 0;
}

bool late_job_can_settle(const struct run *run, str job)
{
    const struct undo *entry = undo_awaiting(run, job);
    return entry && run_task_can_settle(&run->workflow->tasks[entry->task]);
}

/* Calls that undo a part are wanted whatever undoes the whole. */
static bool takes_part(const struct task *task, json calls)
{
    return task->compensation.by != COMPENSATE_NEVER && json_count(calls) > 0;
}

json late_job_part_new(const struct run *run, const struct activation *activation,
                       const struct job_failure *failure, json error, bool settles)
{
    const struct task *task = activation_task(run, activation);
    bool is_wanted          = task->is_undoable && !activation->undo;
    bool may_have_acted     = failure->is_unknown || failure->is_lapsed;
    bool is_doubtful        = may_have_acted && !failure->is_undo_whole && !settles;
    json known              = json_count(failure->undo) > 0 ? failure->undo : activation->calls;
    if (!is_wanted || !takes_part(task, known)) return json_invalid();
    json calls = json_ref(known);
    return is_doubtful ? undo_doubt_new(calls, error) : calls;
}

bool late_job_settles(const struct run *run, const struct activation *activation,
                      const struct job_failure *failure)
{
    const struct task *task = activation_task(run, activation);
    bool may_have_acted     = failure->is_unknown || failure->is_lapsed || failure->was_in_doubt;
    return may_have_acted && !failure->is_undo_whole && task->is_undoable && !activation->undo &&
           run_task_can_settle(task);
}

void late_jobs_drop(struct decision *decision)
{
    const struct run *run = decision->run;
    for (uint32_t i = run->undo_count; i-- > 0;) {
        if (!run->undos[i].job.text[0]) continue;
        struct event event = {.kind = EVENT_JOB_SETTLED, .id = run->undos[i].job, .is_kept = true};
        (void)decide_emit(decision, &event);
    }
}

json late_output_new(struct scene *scene, json answer)
{
    json value        = json_invalid();
    json error        = json_invalid();
    scene->raw_output = answer;
    if (!scene->task->output_as) return json_ref(answer);
    status made = scene_eval(scene, scene->task->output_as, answer, &value, &error);
    json_unref(error);
    return made == STATUS_OK ? value : json_ref(answer);
}

static json output_new(const struct run *run, const struct decide_env *env,
                       const struct undo *entry, json answer)
{
    const struct task *task    = &run->workflow->tasks[entry->task];
    const struct place place   = {.scope = SLOT_NONE, .owner = SLOT_NONE, .kind = SCOPE_NONE};
    struct scene scene         = scene_of_task(run, env, &place, task, entry->input);
    scene.context              = entry->context;
    scene.made[VARIABLE_STEPS] = json_ref(entry->steps);
    json output                = late_output_new(&scene, answer);
    scene_done(&scene);
    return output;
}

status late_job_completed(struct run *run, const struct decide_env *env,
                          const struct job_completion *command, struct event_list *events,
                          struct error *reterr)
{
    const struct undo *entry = NULL;
    TRY(entry_of(run, command->job, &entry, reterr));
    const struct task *task          = &run->workflow->tasks[entry->task];
    CLEANUP(json_unrefp) json answer = job_value_masked(run, env, task, command->output);
    if (answer.kind == JSON_INVALID) answer = json_null();
    bool has_calls     = task->compensation.by == COMPENSATE_DECLARED;
    struct event event = {
        .id    = entry->job,
        .usage = command->usage,
        .value = output_new(run, env, entry, answer),
        .undo  = has_calls ? job_value_masked(run, env, task, command->undo) : json_invalid(),
    };
    settle(run, env, &event, events);
    return STATUS_OK;
}

static json unknown_new(const struct task *task, const char *why)
{
    return error_own_new("unknown-outcome", GATEWAY_TIMEOUT, "Unknown outcome", str_from(why),
                         str_from(task->reference));
}

static const char silence[] =
    "it was cancelled while a worker had it, and nobody said what became of it";
static const char vain[] =
    "an attempt may have done it, and it could not be found out whether one has";

void late_job_doubt(struct decision *decision, const struct task *task, const struct id *job)
{
    json error         = unknown_new(task, silence);
    struct event event = {.kind = EVENT_JOB_SETTLED, .id = *job, .error = error};
    (void)decide_emit(decision, &event);
}

/* Owned; invalid: it has done nothing. */
static json doubt_new(const struct task *task, const struct job_failure *failure)
{
    bool is_vain     = failure->look_up == LOOK_UP_VAIN;
    bool is_doubtful = failure->is_unknown || failure->is_lapsed || failure->is_final || is_vain;
    bool is_said     = json_is(json_get_text(failure->error, "type"), JSON_TEXT);
    if (failure->is_undo_whole) return json_invalid();
    if (failure->look_up == LOOK_UP_NOTHING || !is_doubtful) return json_invalid();
    if (is_said && failure->is_unknown) return json_ref(failure->error);
    return unknown_new(task, is_vain ? vain : silence);
}

status late_job_failed(struct run *run, const struct decide_env *env,
                       const struct job_failure *command, struct event_list *events,
                       struct error *reterr)
{
    const struct undo *entry = NULL;
    TRY(entry_of(run, command->job, &entry, reterr));
    const struct task *task        = &run->workflow->tasks[entry->task];
    CLEANUP(json_unrefp) json told = doubt_new(task, command);
    json part          = takes_part(task, command->undo) ? command->undo : json_invalid();
    struct event event = {
        .id    = entry->job,
        .usage = command->usage,
        .error = job_value_masked(run, env, task, told),
        .undo  = job_value_masked(run, env, task, part),
    };
    settle(run, env, &event, events);
    return STATUS_OK;
}
