#include "scheduler/run/job_key.h"

#include "scheduler/run/agent.h"
#include "scheduler/run/place.h"
#include "scheduler/run/undo.h"
#include "json/json_text.h"

enum { KEY_MAX = 8192 /* bytes: an own key, a reference of 64 levels, two chains */, PASS_ONE = 1 };

static const str none = {"-", 1}; /* in a key: it is in no loop */

/* From the innermost scope outwards; at most one per level. */
struct chain {
    uint32_t items[RUN_DEPTH_MAX + 1];
    uint32_t count;
};

static void chain_add(struct chain *chain, uint32_t item)
{
    if (chain->count < ARRAY_LEN(chain->items)) chain->items[chain->count++] = item;
}

static void chain_put(const struct chain *chain, char separator, struct buf *out)
{
    for (uint32_t i = chain->count; i-- > 0;) {
        (void)buf_put_number(out, chain->items[i]);
        if (i > 0) (void)buf_put_byte(out, separator);
    }
}

/* NULL: the run, or whatever asked for a compensation, which stands for itself. */
static const struct scope *scope_around(const struct run *run, const struct scope *scope)
{
    if (scope->kind == SCOPE_COMPENSATION || scope->kind == SCOPE_UNDO) return NULL;
    const struct activation *owner = run_activation(run, scope->owner);
    return owner ? run_scope(run, owner->scope) : NULL;
}

/* What is undone in `scope`; NULL: it is no such scope. */
static const struct undo *entry_of(const struct run *run, const struct scope *scope)
{
    if (scope->kind != SCOPE_COMPENSATION && scope->kind != SCOPE_UNDO) return NULL;
    uint32_t slot                       = scope->kind == SCOPE_UNDO ? scope->active : scope->owner;
    const struct activation *activation = run_activation(run, slot);
    return activation ? undo_find(run, activation->undo) : NULL;
}

/* Returns the outermost scope it came to. */
static const struct scope *indexes_put(const struct run *run, const struct scope *scope,
                                       struct buf *out)
{
    struct chain indexes        = {};
    const struct scope *topmost = scope;
    for (; scope; scope = scope_around(run, scope)) {
        topmost = scope;
        if (scope->kind == SCOPE_ITERATION) chain_add(&indexes, scope->index);
    }
    chain_put(&indexes, '/', out);
    return topmost;
}

void iteration_put(const struct run *run, const struct scope *scope, struct buf *out)
{
    CLEANUP(buf_done) struct buf within = buf_init(KEY_MAX);
    const struct scope *topmost         = indexes_put(run, scope, &within);
    const struct undo *entry            = entry_of(run, topmost);
    if (entry && json_is(entry->iteration, JSON_TEXT)) {
        (void)buf_put_str(out, json_str(entry->iteration));
        if (within.len > 0) (void)buf_put_byte(out, '/');
    }
    (void)buf_put_str(out, buf_str(&within));
}

json iteration_new(const struct run *run, const struct scope *scope)
{
    CLEANUP(buf_done) struct buf text = buf_init(KEY_MAX);
    iteration_put(run, scope, &text);
    return text.len > 0 ? json_text_new(buf_str(&text)) : json_invalid();
}

/* --- references --------------------------------------------------------------------------------
 */

/* The agents around a place, the innermost first. */
struct agents {
    struct agent_place {
        const char *agent, *step; /* references: its own, and the task's that the step runs */
        uint32_t index;
    } items[RUN_DEPTH_MAX + 1];
    uint32_t count;
};

/* Of the task `reference` in a list of `place`, which need not be open yet. */
static void agents_around(const struct run *run, const struct place *place, const char *reference,
                          struct agents *ret_agents)
{
    ret_agents->count              = 0;
    enum scope_kind kind           = place->kind;
    uint32_t index                 = place->index;
    const struct activation *owner = run_activation(run, place->owner);
    while (owner && kind != SCOPE_COMPENSATION && kind != SCOPE_UNDO) {
        const char *around = activation_task(run, owner)->reference;
        if (kind == SCOPE_AGENT && ret_agents->count < ARRAY_LEN(ret_agents->items)) {
            ret_agents->items[ret_agents->count++] = (struct agent_place){around, reference, index};
        }
        const struct scope *scope = run_scope(run, owner->scope);
        reference                 = around;
        kind                      = scope->kind;
        index                     = scope->index;
        owner                     = run_activation(run, scope->owner);
    }
}

/* What a reference has behind that of a task around it. */
static str rest_of(const char *reference, const char *around)
{
    str whole = str_from(reference);
    return str_starts_with(whole, str_from(around)) ? str_slice(whole, strlen(around), whole.len)
                                                    : whole;
}

bool reference_at_put(const struct run *run, const struct place *place, const char *reference,
                      struct buf *out)
{
    struct agents agents;
    agents_around(run, place, reference, &agents);
    const char *around = "";
    for (uint32_t i = agents.count; i-- > 0;) {
        (void)buf_put_str(out, rest_of(agents.items[i].agent, around));
        agent_step_put(agents.items[i].index, out);
        around = agents.items[i].step;
    }
    (void)buf_put_str(out, rest_of(reference, around));
    return agents.count > 0;
}

bool reference_put(const struct run *run, const struct activation *activation, struct buf *out)
{
    const struct place place = place_of(run_scope(run, activation->scope));
    return reference_at_put(run, &place, activation_task(run, activation)->reference, out);
}

json reference_new(const struct run *run, const struct activation *activation)
{
    CLEANUP(buf_done) struct buf text = buf_init(KEY_MAX);
    return reference_put(run, activation, &text) ? json_text_new(buf_str(&text)) : json_invalid();
}

/* --- keys --------------------------------------------------------------------------------------
 */

/* Says whether it is anything but the first pass. */
static bool pass_put(const struct run *run, const struct scope *scope, uint32_t rejections,
                     struct buf *out)
{
    struct chain passes = {};
    for (; scope; scope = scope_around(run, scope)) chain_add(&passes, scope->pass);
    passes.items[0] += rejections;
    while (passes.count > 1 && passes.items[passes.count - 1] == PASS_ONE) passes.count--;
    chain_put(&passes, '.', out);
    return passes.count > 1 || passes.items[0] != PASS_ONE;
}

static void part_put(str part, struct buf *key)
{
    (void)buf_put_byte(key, '/');
    (void)buf_put_str(key, part);
}

/* Of the task `reference` in `scope`. */
static json key_in(const struct run *run, const struct scope *scope, const char *reference,
                   json own, uint32_t rejections)
{
    CLEANUP(buf_done) struct buf key   = buf_init(2 * KEY_MAX);
    CLEANUP(buf_done) struct buf loops = buf_init(KEY_MAX);
    CLEANUP(buf_done) struct buf pass  = buf_init(KEY_MAX);
    bool is_default                    = own.kind != JSON_TEXT;
    iteration_put(run, scope, &loops);
    bool is_later = pass_put(run, scope, rejections, &pass);

    (void)buf_put_str(&key, is_default ? str_from(run->id.text) : json_str(own));
    const struct place place = place_of(scope);
    (void)reference_at_put(run, &place, reference, &key);
    if (loops.len > 0 || is_default) part_put(loops.len > 0 ? buf_str(&loops) : none, &key);
    if (is_later || is_default) part_put(buf_str(&pass), &key);
    return json_text_new(buf_str(&key));
}

static json key_new(const struct run *run, const struct activation *activation, json own,
                    uint32_t rejections)
{
    return key_in(run, run_scope(run, activation->scope),
                  activation_task(run, activation)->reference, own, rejections);
}

/* --- what undoes --------------------------------------------------------------------------------
 */

/* Its number among the calls that undo a task: of those a worker declared, or its place among the
 * tasks of the compensation, which the reader numbers in one go. */
static uint32_t undo_call_number(const struct run *run, const struct activation *activation,
                                 const struct activation *undoing)
{
    if (undoing == activation) return activation->next_index + 1;
    const struct task_list *list = &activation_task(run, undoing)->compensation.tasks;
    return activation->task - list->tasks[0] + 1;
}

/* The same in every attempt, also if the undoing itself is begun anew: so it is recognised. */
static json undo_key_new(const struct run *run, const struct activation *activation,
                         const struct activation *undoing)
{
    const struct undo *entry           = undo_find(run, undoing->undo);
    CLEANUP(buf_done) struct buf key   = buf_init(4 * KEY_MAX);
    CLEANUP(buf_done) struct buf loops = buf_init(KEY_MAX);
    CLEANUP(buf_done) struct buf pass  = buf_init(KEY_MAX);
    (void)buf_put_str(&key, json_str(entry->key));
    (void)buf_printf(&key, "/undo/%u", undo_call_number(run, activation, undoing));
    if (undoing != activation) {
        const struct scope *scope = run_scope(run, activation->scope);
        (void)indexes_put(run, scope, &loops);
        bool is_later = pass_put(run, scope, 0, &pass);
        if (loops.len > 0 || is_later) part_put(loops.len > 0 ? buf_str(&loops) : none, &key);
        if (is_later) part_put(buf_str(&pass), &key);
    }
    return json_text_new(buf_str(&key));
}

/* --- what retries remember ----------------------------------------------------------------------
 */

static bool has_retry(const struct run *run, const struct activation *owner, enum scope_kind kind)
{
    const struct task *task = activation_task(run, owner);
    if (task->has_own_retry && task->retry) return true;
    return task->kind == TASK_TRY && kind == SCOPE_BODY && task->try_.retry;
}

/* The outermost task around `scope` that may be entered anew: it lives longest. `ret_again`: some
 * of them already has been. */
static struct activation *retrying_around(const struct run *run, const struct scope *scope,
                                          bool *ret_again)
{
    struct activation *outermost = NULL;
    *ret_again                   = false;
    while (scope->owner != SLOT_NONE && scope->kind != SCOPE_COMPENSATION) {
        struct activation *owner = run_activation(run, scope->owner);
        if (has_retry(run, owner, scope->kind)) {
            outermost = owner;
            *ret_again |= owner->attempt > 1;
        }
        scope = run_scope(run, owner->scope);
    }
    return outermost;
}

static struct activation *retrying_of(const struct run *run, const struct activation *activation,
                                      bool *ret_again)
{
    return retrying_around(run, run_scope(run, activation->scope), ret_again);
}

static struct remembered *find(const struct activation *holder, json key, bool has_output)
{
    for (uint32_t i = 0; i < holder->remembered_count; i++) {
        struct remembered *entry = &holder->remembered[i];
        bool is_output           = entry->output.kind != JSON_INVALID;
        if (is_output == has_output && json_equal(entry->key, key)) return entry;
    }
    return NULL;
}

static uint32_t noted(const struct run *run, const struct activation *holder,
                      const struct activation *activation)
{
    CLEANUP(json_unrefp) json first_key = key_new(run, activation, json_invalid(), 0);
    const struct remembered *entry      = find(holder, first_key, false);
    return entry ? entry->rejections : 0;
}

/* How often its output was refused, and how often it or what is around it was undone: each begins a
 * new pass. */
static uint32_t rejections_of(const struct run *run, const struct activation *activation)
{
    bool is_again                   = false;
    const struct activation *holder = retrying_of(run, activation, &is_again);
    if (!holder || !is_again) return 0;
    uint32_t sum = 0;
    for (const struct activation *a = activation; a != holder; a = activation_parent(run, a)) {
        sum += noted(run, holder, a);
    }
    return sum;
}

static json key_of_own(const struct run *run, const struct activation *activation, json own)
{
    return key_new(run, activation, own, rejections_of(run, activation));
}

static json keys_new(const struct run *run, const struct activation *activation, json own)
{
    CLEANUP(json_unrefp) json keys = json_array_new(json_count(own));
    for (size_t i = 0; i < json_count(own); i++) {
        json_array_push(&keys, key_of_own(run, activation, json_at(own, i)));
    }
    return json_to_text_new(keys);
}

bool task_has_own_key(const struct task *task)
{
    bool is_new_each_time = task->kind == TASK_RUN || task->kind == TASK_EMIT;
    return task->idempotency_key != NULL || (is_new_each_time && task->is_undoable);
}

json job_key_new(const struct run *run, const struct activation *activation, json own)
{
    if (json_is(own, JSON_ARRAY)) return keys_new(run, activation, own);
    const struct place place         = place_of(run_scope(run, activation->scope));
    const struct activation *undoing = activation->undo ? activation : undoing_around(run, &place);
    if (undoing && own.kind != JSON_TEXT) return undo_key_new(run, activation, undoing);
    return key_of_own(run, activation, own);
}

bool job_was_refused(const struct run *run, const struct activation *activation)
{
    return rejections_of(run, activation) > 0;
}

json remembered_output(const struct run *run, const struct activation *activation, json key)
{
    bool is_again             = false;
    struct activation *holder = retrying_of(run, activation, &is_again);
    if (!holder || !is_again) return json_invalid();
    const struct remembered *entry = find(holder, key, true);
    return entry ? entry->output : json_invalid();
}

void remember_output(struct run *run, const struct activation *activation, json output)
{
    bool is_again             = false;
    struct activation *holder = retrying_of(run, activation, &is_again);
    if (!holder) return;
    bool has_own                  = activation->key.kind == JSON_TEXT;
    const struct remembered entry = {
        .key = has_own ? json_ref(activation->key) : job_key_new(run, activation, json_invalid()),
        .output = json_ref(output),
    };
    activation_remember(holder, &entry);
}

/* Takes `first_key`. */
static void note(struct activation *holder, json first_key)
{
    struct remembered *entry = find(holder, first_key, false);
    if (entry) {
        entry->rejections++;
        json_unref(first_key);
        return;
    }
    const struct remembered first = {.key = first_key, .rejections = 1};
    activation_remember(holder, &first);
}

void remember_rejection(struct run *run, const struct activation *activation)
{
    bool is_again             = false;
    struct activation *holder = retrying_of(run, activation, &is_again);
    if (!holder || activation_task(run, activation)->kind != TASK_CALL) return;
    note(holder, key_new(run, activation, json_invalid(), 0));
}

void remember_undone(struct run *run, const struct scope *scope, const char *reference)
{
    bool is_again             = false;
    struct activation *holder = retrying_around(run, scope, &is_again);
    if (holder) note(holder, key_in(run, scope, reference, json_invalid(), 0));
}
