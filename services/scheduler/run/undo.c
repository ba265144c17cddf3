#include "scheduler/run/undo.h"

#include "scheduler/run/place.h"

#include "base/mem.h"
#include "scheduler/run/job_key.h"

#include <stdlib.h>

enum { CAPACITY_MIN = 8 };

static void undo_done(struct undo *entry)
{
    json_unref(entry->input);
    json_unref(entry->output);
    json_unref(entry->context);
    json_unref(entry->steps);
    json_unref(entry->calls);
    json_unref(entry->identity);
    json_unref(entry->key);
    json_unref(entry->iteration);
    json_unref(entry->error);
}

/* --- the table ---------------------------------------------------------------------------------
 */

struct undo *undo_find(const struct run *run, uint32_t number)
{
    uint32_t low  = 0;
    uint32_t high = run->undo_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (run->undos[middle].number < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    bool is_there = low < run->undo_count && run->undos[low].number == number;
    return is_there ? &run->undos[low] : NULL;
}

static void hold(const struct run *run, struct undo *entry, uint32_t holder)
{
    struct activation *before = run_activation(run, entry->holder);
    struct activation *after  = run_activation(run, holder);
    if (before) before->undo_held--;
    if (after) after->undo_held++;
    entry->holder = holder;
}

void undo_add(struct run *run, const struct undo *entry)
{
    if (run->undo_count == run->undo_capacity) {
        run->undo_capacity = run->undo_capacity ? run->undo_capacity * 2 : CAPACITY_MIN;
        run->undos         = mem_resize(run->undos, run->undo_capacity, sizeof *run->undos);
    }
    run->undos[run->undo_count++] = *entry;
    struct activation *holder     = run_activation(run, entry->holder);
    if (holder) holder->undo_held++;
}

void undo_remove(struct run *run, struct undo *entry)
{
    hold(run, entry, SLOT_NONE);
    undo_done(entry);
    size_t after = run->undo_count - (size_t)(entry - run->undos) - 1;
    memmove(entry, entry + 1, after * sizeof *entry);
    run->undo_count--;
}

void undos_clear(struct run *run)
{
    for (uint32_t i = 0; i < run->undo_count; i++) undo_done(&run->undos[i]);
    free(run->undos);
    run->undos      = NULL;
    run->undo_count = run->undo_capacity = 0;
}

/* --- noting ------------------------------------------------------------------------------------
 */

static bool is_whole(const struct undo *entry)
{
    return entry->output.kind != JSON_INVALID;
}

/* What went out under another key is done beside it. Journals of earlier releases do not tell the
 * key of a call that did not go out again, nor the run of a child: something of it had completed.
 */
static bool is_same(const struct undo *entry, const struct undo *now)
{
    if (entry->is_due || !json_equal(entry->identity, now->identity)) return false;
    return now->key.kind == JSON_INVALID ? is_whole(entry) : json_equal(entry->key, now->key);
}

static struct undo *find_same(const struct run *run, const struct undo *now)
{
    for (uint32_t i = 0; i < run->undo_count; i++) {
        if (is_same(&run->undos[i], now)) return &run->undos[i];
    }
    return NULL;
}

/* $steps as the task's own list sees them now, itself included. */
static json steps_now(const struct run *run, const struct scope *scope)
{
    json steps = json_invalid();
    while (scope) {
        steps = steps_overlay(json_ref(scope->steps), steps);
        if (scope->kind == SCOPE_COMPENSATION) break;
        const struct activation *owner = run_activation(run, scope->owner);
        scope                          = owner ? run_scope(run, owner->scope) : NULL;
    }
    return steps;
}

static struct undo entry_new(struct run *run, const struct activation *activation)
{
    const struct scope *scope = run_scope(run, activation->scope);
    bool has_own_key          = task_has_own_key(activation_task(run, activation));
    json identity             = job_key_new(run, activation, json_invalid());
    return (struct undo){
        .number    = ++run->undo_number,
        .task      = activation->task,
        .holder    = scope->owner,
        .input     = json_ref(activation->input),
        .context   = json_ref(scope_context(run, scope)),
        .steps     = steps_now(run, scope),
        .key       = json_ref(has_own_key ? activation->key : identity),
        .identity  = identity,
        .iteration = iteration_new(run, scope),
    };
}

/* What the worker said of an earlier one still holds, as far as `entry` says nothing else; but not
 * what undoes a part, once all of it is done. */
static void add_instead(struct run *run, struct undo *entry)
{
    struct undo *same = run->undo_count > 0 ? find_same(run, entry) : NULL;
    if (entry->key.kind == JSON_INVALID) entry->key = json_ref(same ? same->key : entry->identity);
    if (same) {
        bool is_more = is_whole(entry) && !is_whole(same);
        bool is_less = is_whole(same) && !is_whole(entry);
        bool is_told = entry->calls.kind != JSON_INVALID;
        if (is_less || (!is_more && !is_told)) json_replace(&entry->calls, json_ref(same->calls));
        if (is_less) entry->output = json_ref(same->output);
        undo_remove(run, same);
    }
    undo_add(run, entry);
}

void undo_note(struct run *run, const struct activation *activation, json output)
{
    struct undo entry = entry_new(run, activation);
    entry.output      = json_ref(output);
    entry.calls       = json_ref(activation->calls); /* none: the call did not go out again */
    add_instead(run, &entry);
}

void undo_note_part(struct run *run, const struct activation *activation, json calls)
{
    struct undo entry = entry_new(run, activation);
    entry.calls       = json_ref(calls);
    add_instead(run, &entry);
}

void undo_await(struct run *run, const struct activation *activation, json calls)
{
    struct undo entry = entry_new(run, activation);
    entry.job         = activation->id;
    entry.calls       = json_ref(calls);
    add_instead(run, &entry);
}

bool undo_is_part(const struct run *run, const struct activation *activation)
{
    const struct undo *entry = undo_find(run, activation->undo);
    return entry && entry->output.kind == JSON_INVALID;
}

json undo_doubt_new(json calls, json error)
{
    json doubt = json_object_new(1);
    json_object_put_text(&doubt, "error", json_ref(error));
    json_array_push(&calls, doubt);
    return calls;
}

struct undo *undo_awaiting(const struct run *run, str job)
{
    for (uint32_t i = 0; i < run->undo_count; i++) {
        if (job.len > 0 && str_is(job, run->undos[i].job.text)) return &run->undos[i];
    }
    return NULL;
}

uint32_t undo_awaited(const struct run *run)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < run->undo_count; i++) count += run->undos[i].job.text[0] != '\0';
    return count;
}

void undo_forget(struct run *run, struct undo *entry)
{
    run->undo_total -= entry->is_due;
    undo_remove(run, entry);
}

/* --- who holds what ----------------------------------------------------------------------------
 */

void undo_pass_on(struct run *run, struct activation *activation)
{
    if (activation->undo_held == 0) return;
    uint32_t around = run_scope(run, activation->scope)->owner;
    for (uint32_t i = 0; i < run->undo_count && activation->undo_held > 0; i++) {
        struct undo *entry = &run->undos[i];
        if (entry->holder == activation->slot) hold(run, entry, around);
    }
}

static void make_due(struct run *run, struct undo *entry)
{
    if (entry->is_due) return;
    entry->is_due = true;
    run->undo_total++;
}

void undo_make_due(struct run *run, struct activation *activation)
{
    if (activation && activation->undo_held == 0) return;
    uint32_t holder = activation ? activation->slot : SLOT_NONE;
    for (uint32_t i = 0; i < run->undo_count; i++) {
        if (run->undos[i].holder == holder) make_due(run, &run->undos[i]);
    }
    if (activation) {
        remember_undone(run, run_scope(run, activation->scope),
                        activation_task(run, activation)->reference);
    }
}

struct undo *undo_next(const struct run *run, uint32_t holder)
{
    for (uint32_t i = run->undo_count; i-- > 0;) {
        struct undo *entry = &run->undos[i];
        if (entry->is_due && entry->holder == holder) return entry;
    }
    return NULL;
}

const struct activation *undoing_around(const struct run *run, const struct place *place)
{
    const struct activation *owner = run_activation(run, place->owner);
    while (owner && !owner->undo) owner = activation_parent(run, owner);
    return owner;
}

/* --- tutti.compensate --------------------------------------------------------------------------
 */

static bool task_is_within(const struct run *run, task_index task, task_index scope)
{
    while (task != TASK_NONE && task != scope) task = run->workflow->tasks[task].parent;
    return task == scope;
}

/* The list of the task to be undone, as `call` sees it: one that is walked around it. */
static const struct scope *list_around(const struct run *run, const struct activation *call)
{
    task_index undone = activation_task(run, call)->call.undo_scope;
    task_index parent = run->workflow->tasks[undone].parent;
    for (const struct activation *a = call; a; a = activation_parent(run, a)) {
        const struct activation *owner = activation_parent(run, a);
        if ((owner ? owner->task : TASK_NONE) == parent) return run_scope(run, a->scope);
    }
    return NULL;
}

static bool iteration_is_within(json iteration, str of)
{
    if (of.len == 0) return true;
    if (!json_is(iteration, JSON_TEXT)) return false;
    str text = json_str(iteration);
    return str_starts_with(text, of) && (text.len == of.len || text.ptr[of.len] == '/');
}

static bool is_undone_by(const struct run *run, const struct undo *entry, task_index undone,
                         str iteration)
{
    return !entry->is_due && task_is_within(run, entry->task, undone) &&
           iteration_is_within(entry->iteration, iteration);
}

bool undo_is_in(const struct run *run, const struct activation *call)
{
    const struct scope *list          = list_around(run, call);
    task_index undone                 = activation_task(run, call)->call.undo_scope;
    CLEANUP(buf_done) struct buf text = buf_init(ITERATION_TEXT_MAX);
    if (!list || run->undo_count == 0) return false;
    iteration_put(run, list, &text);
    for (uint32_t i = 0; i < run->undo_count; i++) {
        if (is_undone_by(run, &run->undos[i], undone, buf_str(&text))) return true;
    }
    return false;
}

void undo_make_due_in(struct run *run, struct activation *call)
{
    const struct scope *list          = list_around(run, call);
    task_index undone                 = activation_task(run, call)->call.undo_scope;
    CLEANUP(buf_done) struct buf text = buf_init(ITERATION_TEXT_MAX);
    if (!list) return;
    iteration_put(run, list, &text);
    for (uint32_t i = 0; i < run->undo_count; i++) {
        struct undo *entry = &run->undos[i];
        if (!is_undone_by(run, entry, undone, buf_str(&text))) continue;
        make_due(run, entry);
        hold(run, entry, call->slot);
    }
    remember_undone(run, list, run->workflow->tasks[undone].reference);
}
