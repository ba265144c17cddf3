#include "scheduler/run/state.h"

#include "base/assert.h"
#include "base/mem.h"
#include "scheduler/run/agent.h"
#include "scheduler/run/progress.h"
#include "scheduler/run/undo.h"

#include <stdlib.h>

enum { BITS_PER_WORD = 64, CAPACITY_MIN = 4 };

/* --- tables ------------------------------------------------------------------------------------
 */

static void *slots_get(const struct slots *slots, uint32_t slot)
{
    return slot < slots->count ? slots->items[slot] : NULL;
}

struct scope *run_scope(const struct run *run, uint32_t slot)
{
    return slots_get(&run->scopes, slot);
}

struct activation *run_activation(const struct run *run, uint32_t slot)
{
    return slots_get(&run->activations, slot);
}

static void slots_grow(struct slots *slots, uint32_t slot)
{
    uint32_t capacity = slots->capacity ? slots->capacity : BITS_PER_WORD;
    while (capacity <= slot) capacity *= 2;
    if (capacity == slots->capacity) return;

    slots->items = mem_resize(slots->items, capacity, sizeof *slots->items);
    slots->used  = mem_resize(slots->used, capacity / BITS_PER_WORD, sizeof *slots->used);
    for (uint32_t i = slots->capacity; i < capacity; i++) slots->items[i] = NULL;
    for (uint32_t i = slots->capacity / BITS_PER_WORD; i < capacity / BITS_PER_WORD; i++) {
        slots->used[i] = 0;
    }
    slots->capacity = capacity;
}

static uint32_t slots_lowest_free(const struct slots *slots)
{
    for (uint32_t i = 0; i < slots->capacity / BITS_PER_WORD; i++) {
        uint64_t free_bits = ~slots->used[i];
        if (free_bits) return i * BITS_PER_WORD + (uint32_t)__builtin_ctzll(free_bits);
    }
    return slots->capacity;
}

uint32_t slots_add(struct slots *slots, void *item, uint32_t slot_wanted)
{
    uint32_t slot = slot_wanted == SLOT_NONE ? slots_lowest_free(slots) : slot_wanted;
    /* Twice: closing one thing and opening the next may overlap. */
    if (slot >= 2 * RUN_ACTIVATIONS_MAX || slots_get(slots, slot)) return SLOT_NONE;
    slots_grow(slots, slot);
    slots->items[slot] = item;
    slots->used[slot / BITS_PER_WORD] |= UINT64_C(1) << (slot % BITS_PER_WORD);
    if (slot >= slots->count) slots->count = slot + 1;
    slots->open++;
    return slot;
}

void slots_remove(struct slots *slots, uint32_t slot)
{
    ASSERT(slots_get(slots, slot));
    slots->items[slot] = NULL;
    slots->used[slot / BITS_PER_WORD] &= ~(UINT64_C(1) << (slot % BITS_PER_WORD));
    while (slots->count > 0 && !slots->items[slots->count - 1]) slots->count--;
    slots->open--;
}

static void slots_done(struct slots *slots)
{
    free(slots->items);
    free(slots->used);
    *slots = (struct slots){};
}

/* --- scopes ------------------------------------------------------------------------------------
 */

void scope_link(struct run *run, struct scope *scope)
{
    scope->next = scope->previous = SLOT_NONE;
    struct activation *owner      = run_activation(run, scope->owner);
    if (!owner) return;

    /* Nearly always the last one; walking back keeps the order after unpacking too. */
    uint32_t after = owner->last_scope;
    while (after != SLOT_NONE && run_scope(run, after)->index > scope->index) {
        after = run_scope(run, after)->previous;
    }
    scope->previous = after;
    uint32_t *from  = after == SLOT_NONE ? &owner->first_scope : &run_scope(run, after)->next;
    scope->next     = *from;
    *from           = scope->slot;
    if (scope->next == SLOT_NONE) {
        owner->last_scope = scope->slot;
    } else {
        run_scope(run, scope->next)->previous = scope->slot;
    }
    if (scope->state == SCOPE_OPEN) owner->scopes_open++;
}

static void scope_unlink(struct run *run, struct scope *scope)
{
    struct activation *owner = run_activation(run, scope->owner);
    if (!owner) return;
    if (scope->state == SCOPE_OPEN) owner->scopes_open--;
    if (scope->previous == SLOT_NONE) {
        owner->first_scope = scope->next;
    } else {
        run_scope(run, scope->previous)->next = scope->next;
    }
    if (scope->next == SLOT_NONE) {
        owner->last_scope = scope->previous;
    } else {
        run_scope(run, scope->next)->previous = scope->previous;
    }
}

struct scope *scope_open(struct run *run, struct activation *owner, enum scope_kind kind,
                         uint32_t index)
{
    struct scope *scope = mem_new(1, sizeof *scope);
    *scope              = (struct scope){
                     .owner    = owner ? owner->slot : SLOT_NONE,
                     .kind     = kind,
                     .state    = SCOPE_OPEN,
                     .index    = index,
                     .position = kind == SCOPE_BRANCH ? index : 0,
                     .active   = SLOT_NONE,
                     .pass     = 1,
                     .share    = progress_of_scope(run, owner, kind, index),
    };
    scope->slot = slots_add(&run->scopes, scope, SLOT_NONE);
    ASSERT(scope->slot != SLOT_NONE);
    scope_link(run, scope);
    return scope;
}

void scope_set_state(struct run *run, struct scope *scope, enum scope_state state)
{
    struct activation *owner = run_activation(run, scope->owner);
    if (owner && scope->state == SCOPE_OPEN) owner->scopes_open--;
    if (owner && state == SCOPE_OPEN) owner->scopes_open++;
    scope->state = state;
}

void scope_free(struct scope *scope)
{
    json_unref(scope->data);
    json_unref(scope->steps);
    json_unref(scope->context);
    free(scope);
}

void scope_close(struct run *run, struct scope *scope)
{
    ASSERT(scope->active == SLOT_NONE);
    scope_unlink(run, scope);
    slots_remove(&run->scopes, scope->slot);
    scope_free(scope);
}

void scopes_close_of(struct run *run, struct activation *activation)
{
    while (activation->first_scope != SLOT_NONE) {
        scope_close(run, run_scope(run, activation->first_scope));
    }
}

/* --- activations -------------------------------------------------------------------------------
 */

struct activation *activation_open(struct run *run, struct scope *scope, task_index task)
{
    ASSERT(scope_can_start(scope));
    const struct activation *owner = run_activation(run, scope->owner);
    struct activation *activation  = mem_new(1, sizeof *activation);
    *activation                    = (struct activation){
                           .task             = task,
                           .scope            = scope->slot,
                           .state            = TASK_RUNNING,
                           .depth            = owner ? owner->depth + 1 : 0,
                           .started_sequence = run->sequence + 1,
                           .started_us       = run->now_us,
                           .raw_input        = json_ref(scope->data),
                           .first_scope      = SLOT_NONE,
                           .last_scope       = SLOT_NONE,
                           .attempt          = 1,
                           .share            = progress_until(run, scope, scope->position + 1),
    };
    activation->slot = slots_add(&run->activations, activation, SLOT_NONE);
    ASSERT(activation->slot != SLOT_NONE);
    scope->active = activation->slot;
    return activation;
}

void activation_free(struct activation *activation)
{
    json values[] = {activation->raw_input,    activation->input,        activation->result,
                     activation->error,        activation->items,        activation->contexts,
                     activation->key,          activation->payload,      activation->matched,
                     activation->context_base, activation->events,       activation->calls,
                     activation->undo_value,   activation->payload_asked};
    for (size_t i = 0; i < ARRAY_LEN(values); i++) json_unref(values[i]);
    for (uint32_t i = 0; i < activation->remembered_count; i++) {
        json_unref(activation->remembered[i].key);
        json_unref(activation->remembered[i].output);
    }
    free(activation->remembered);
    agent_free(activation->agent);
    free(activation);
}

void activation_remember(struct activation *activation, const struct remembered *entry)
{
    if (activation->remembered_count == activation->remembered_capacity) {
        uint32_t capacity               = activation->remembered_capacity;
        activation->remembered_capacity = capacity ? capacity * 2 : CAPACITY_MIN;
        activation->remembered = mem_resize(activation->remembered, activation->remembered_capacity,
                                            sizeof *activation->remembered);
    }
    activation->remembered[activation->remembered_count++] = *entry;
}

void activation_close(struct run *run, struct activation *activation)
{
    scopes_close_of(run, activation);
    struct scope *scope = run_scope(run, activation->scope);
    ASSERT(scope && scope->active == activation->slot);
    scope->active = SLOT_NONE;
    if (run->is_due_known &&
        (run->due_us == activation->due_us || run->due_us == activation->deadline_us ||
         run->due_us == activation->attempt_deadline_us)) {
        run->is_due_known = false;
    }
    slots_remove(&run->activations, activation->slot);
    activation_free(activation);
}

/* --- the run ------------------------------------------------------------------------------------
 */

struct run *run_new(str id, const struct workflow *workflow)
{
    ASSERT(id_is_valid(id));
    struct run *run = mem_new(1, sizeof *run);
    memcpy(run->id.text, id.ptr, ID_LEN);
    run->workflow    = workflow_ref(workflow);
    run->task_last   = TASK_NONE;
    run->failed_task = TASK_NONE;
    return run;
}

void buffer_add(struct run *run, const struct buffered *buffered)
{
    if (run->buffer_count == run->buffer_capacity) {
        run->buffer_capacity = run->buffer_capacity ? run->buffer_capacity * 2 : CAPACITY_MIN;
        run->buffer          = mem_resize(run->buffer, run->buffer_capacity, sizeof *run->buffer);
    }
    run->buffer[run->buffer_count++] = *buffered;
}

void run_clear(struct run *run)
{
    for (uint32_t i = 0; i < run->activations.count; i++) {
        if (run->activations.items[i]) activation_free(run->activations.items[i]);
    }
    for (uint32_t i = 0; i < run->scopes.count; i++) {
        if (run->scopes.items[i]) scope_free(run->scopes.items[i]);
    }
    slots_done(&run->activations);
    slots_done(&run->scopes);
    for (uint32_t i = 0; i < run->buffer_count; i++) json_unref(run->buffer[i].event);
    free(run->buffer);
    run->buffer       = NULL;
    run->buffer_count = run->buffer_capacity = 0;
    undos_clear(run);
    run->is_ending   = false;
    run->ending_then = 0;
    json_replace(&run->ending_error, json_invalid());
    json_replace(&run->ending_value, json_invalid());
    free(run->jobs);
    run->jobs      = NULL;
    run->job_count = run->job_capacity = 0;
    json_replace(&run->context, json_invalid());
    run->is_due_known = false;
    run->more         = MORE_NO;
}

void run_free(struct run *run)
{
    if (!run) return;
    run_clear(run);
    json_unref(run->input);
    json_unref(run->output);
    json_unref(run->error);
    payload_index_done(&run->payloads);
    buf_done(&run->before);
    workflow_unref(run->workflow);
    free(run);
}

void run_freep(struct run **run)
{
    run_free(*run);
}

/* --- the definition's side ---------------------------------------------------------------------
 */

const struct task *activation_task(const struct run *run, const struct activation *activation)
{
    return &run->workflow->tasks[activation->task];
}

const struct task_list *list_of(const struct workflow *workflow, const struct task *owner,
                                enum scope_kind kind)
{
    if (kind == SCOPE_UNDO) return NULL; /* it walks entries, not tasks of the definition */
    if (!owner) return &workflow->root;
    if (kind == SCOPE_COMPENSATION) return &owner->compensation.tasks;
    switch (owner->kind) {
    case TASK_DO: return kind == SCOPE_BODY ? &owner->list : NULL;
    case TASK_FUNCTION: return kind == SCOPE_BODY ? &owner->call.body : NULL;
    case TASK_EXTENSION:
        if (kind == SCOPE_BEFORE) return &owner->extension.before;
        if (kind == SCOPE_AFTER) return &owner->extension.after;
        return kind == SCOPE_BODY ? &owner->extension.body : NULL;
    case TASK_FOR: return kind == SCOPE_ITERATION ? &owner->loop.body : NULL;
    case TASK_FORK: return kind == SCOPE_BRANCH ? &owner->fork.branches : NULL;
    case TASK_TRY:
        if (kind == SCOPE_BODY) return &owner->try_.body;
        return kind == SCOPE_HANDLER ? &owner->try_.handler : NULL;
    case TASK_LISTEN:
        return kind == SCOPE_ITERATION && owner->listen.foreach ? &owner->listen.foreach->body
                                                                : NULL;
    case TASK_AGENT: return kind == SCOPE_AGENT ? &owner->agent.tasks : NULL;
    case TASK_CALL:
    case TASK_EMIT:
    case TASK_RAISE:
    case TASK_RUN:
    case TASK_SET:
    case TASK_SWITCH:
    case TASK_WAIT: break;
    }
    return NULL;
}

const struct task_list *scope_list(const struct run *run, const struct scope *scope)
{
    const struct activation *owner = run_activation(run, scope->owner);
    return list_of(run->workflow, owner ? activation_task(run, owner) : NULL, scope->kind);
}

struct activation *activation_parent(const struct run *run, const struct activation *activation)
{
    return run_activation(run, run_scope(run, activation->scope)->owner);
}

static bool for_can_open(const struct run *run, const struct activation *activation,
                         const struct for_body *loop)
{
    size_t count = json_count(activation->items);
    if (loop->body.count == 0 || activation->next_index >= count) return false;
    if (loop->parallel) return activation->scopes_open < loop->parallel;
    const struct scope *scope = run_scope(run, activation->first_scope);
    return !scope || scope->state == SCOPE_OVER;
}

bool activation_walks(const struct run *run, const struct activation *activation)
{
    if (activation->state == TASK_RUNNING) return true;
    const struct task *task = activation_task(run, activation);
    return activation->state == TASK_WAITING && task->kind == TASK_LISTEN && task->listen.foreach;
}

/* One event after the other: the list of the one before is closed first. */
static bool listen_can_open(const struct activation *activation, const struct listen_body *listen)
{
    return listen->foreach && activation->first_scope == SLOT_NONE &&
           activation->next_index < json_count(activation->events);
}

bool activation_can_open(const struct run *run, const struct activation *activation)
{
    if (!activation_walks(run, activation)) return false;
    const struct task *task = activation_task(run, activation);
    if (activation->undo) {
        return activation->first_scope == SLOT_NONE && task->compensation.tasks.count > 0 &&
               !undo_is_part(run, activation);
    }
    switch (task->kind) {
    case TASK_DO: return activation->first_scope == SLOT_NONE && task->list.count > 0;
    case TASK_FUNCTION: return activation->first_scope == SLOT_NONE;
    case TASK_EXTENSION: return extension_next(run, activation) != SCOPE_NONE;
    case TASK_FOR: return for_can_open(run, activation, &task->loop);
    case TASK_FORK: return activation->next_index < task->fork.branches.count;
    case TASK_TRY: {
        const struct scope *scope = run_scope(run, activation->first_scope);
        if (!scope) return task->try_.body.count > 0;
        return scope->kind == SCOPE_BODY && scope->state == SCOPE_FAILED &&
               task->try_.handler.count > 0;
    }
    case TASK_LISTEN: return listen_can_open(activation, &task->listen);
    case TASK_AGENT: {
        struct agent_step step = {};
        return agent_next(run, activation, &step);
    }
    case TASK_CALL:
    case TASK_EMIT:
    case TASK_RAISE:
    case TASK_RUN:
    case TASK_SET:
    case TASK_SWITCH:
    case TASK_WAIT: break;
    }
    return false;
}

json scope_context(const struct run *run, const struct scope *scope)
{
    while (scope) {
        if (scope->context.kind != JSON_INVALID) return scope->context;
        const struct activation *owner = run_activation(run, scope->owner);
        scope                          = owner ? run_scope(run, owner->scope) : NULL;
    }
    return run->context;
}

static bool has_own_context(const struct run *run, const struct scope *scope)
{
    if (scope->kind == SCOPE_COMPENSATION) return true;
    if (scope->kind != SCOPE_ITERATION) return false;
    const struct task *owner = activation_task(run, run_activation(run, scope->owner));
    return owner->kind == TASK_FOR && owner->loop.parallel > 0;
}

void scope_set_context(struct run *run, struct scope *scope, json context)
{
    while (scope && !has_own_context(run, scope)) {
        const struct activation *owner = run_activation(run, scope->owner);
        scope                          = owner ? run_scope(run, owner->scope) : NULL;
    }
    json_replace(scope ? &scope->context : &run->context, context);
}

json activation_result(const struct run *run, const struct activation *activation)
{
    if (activation->result.kind != JSON_INVALID) return activation->result;
    const struct scope *scope = run_scope(run, activation->first_scope);
    return scope ? scope->data : json_invalid();
}

bool json_same(json a, json b)
{
    if (a.kind != b.kind) return false;
    switch (a.kind) {
    case JSON_INVALID:
    case JSON_NULL:
    case JSON_FALSE:
    case JSON_TRUE: return true;
    case JSON_INT: return a.integer == b.integer;
    case JSON_REAL: /* the same bits: NaN is itself, and -0 is not 0 */
        /* NOLINTNEXTLINE(bugprone-suspicious-memory-comparison,cert-exp42-c,cert-flp37-c) */
        return memcmp(&a.real, &b.real, sizeof a.real) == 0;
    case JSON_TEXT: return a.text == b.text;
    case JSON_ARRAY: return a.array == b.array;
    case JSON_OBJECT: return a.object == b.object;
    }
    return false;
}

void json_replace(json *place, json value)
{
    json old = *place;
    *place   = value;
    json_unref(old);
}

bool listener_is_open(const struct run *run, const struct activation *activation)
{
    const struct task *task = activation_task(run, activation);
    return task->kind == TASK_LISTEN && !task->listen.approval && activation->state == TASK_WAITING;
}
