/* Instructions that move along a value: copies, indices, iteration, paths. */
#include "base/assert.h"
#include "expr/paths.h"
#include "expr/vm.h"

/* --- registers ---------------------------------------------------------------------------------
 */

/* A constant or variable is a place if it is the same value as the input it replaces, as in jq;
 * what reduce and foreach bound is one by itself. */
static void set_place(struct expr_run *vm, operand to, json value, struct trail *trail,
                      operand input)
{
    if (!trail && json_is_same(value, vm_view(vm, input))) trail = vm_trail(vm, input);
    trail_ref(trail);
    (void)vm_set(vm, to, value);
    vm_slot(vm, to)->trail = trail;
}

enum step do_move(struct expr_run *vm, const struct insn *insn)
{
    if (vm_makes_place(vm, insn)) {
        struct trail *trail = vm_trail(vm, insn->b);
        set_place(vm, insn->a, json_share(vm_share(vm, insn->b)), trail, insn->c);
        return STEP_NEXT;
    }
    return vm_set(vm, insn->a, vm_own(vm, insn->b));
}

enum step do_up(struct expr_run *vm, const struct insn *insn)
{
    const struct slot *slot = &vm_frame_out(vm, insn->c)->slots[insn->e];
    json value              = slot->value.kind ? json_share(slot->value) : json_null();
    if (vm_makes_place(vm, insn)) {
        set_place(vm, insn->a, value, slot->trail, insn->b);
        return STEP_NEXT;
    }
    return vm_set(vm, insn->a, value);
}

/* Accumulators hand their trail on, so that path(last(f)) has one. */
enum step do_store(struct expr_run *vm, const struct insn *insn)
{
    struct trail *trail = vm_makes_place(vm, insn) ? trail_ref(vm_trail(vm, insn->b)) : NULL;
    (void)vm_set(vm, insn->a, vm_own(vm, insn->b));
    vm_slot(vm, insn->a)->trail = trail;
    return STEP_NEXT;
}

enum step do_take(struct expr_run *vm, const struct insn *insn)
{
    struct slot *from   = vm_slot(vm, insn->b);
    json value          = from->value.kind ? from->value : json_null();
    struct trail *trail = from->trail;
    from->value         = json_null();
    from->trail         = NULL;
    (void)vm_set(vm, insn->a, value);
    vm_slot(vm, insn->a)->trail = trail;
    return STEP_NEXT;
}

/* --- indices -----------------------------------------------------------------------------------
 */

static enum step not_a_place(struct expr_run *vm, json container, json key)
{
    char container_text[SNIPPET_SIZE];
    char key_text[SNIPPET_SIZE];
    (void)vm_raise(vm, "Invalid path expression near attempt to access element %s of %s",
                   vm_snippet(vm, key, key_text), vm_snippet(vm, container, container_text));
    return STEP_RAISE;
}

/* Takes `value` and `key`. */
static enum step set_member(struct expr_run *vm, operand to, json value, struct trail *parent,
                            json key)
{
    struct trail *trail = trail_new(trail_ref(parent), key);
    (void)vm_set(vm, to, value);
    vm_slot(vm, to)->trail = trail;
    return STEP_NEXT;
}

static enum step index_slowly(struct expr_run *vm, const struct insn *insn)
{
    bool is_place  = vm_makes_place(vm, insn);
    json container = vm_share(vm, insn->b);
    json key       = is_place ? vm_share(vm, insn->c) : vm_view(vm, insn->c);
    if (is_place && !vm_trail(vm, insn->b)) return not_a_place(vm, container, key);
    json value = paths_index(vm, container, key);
    if (value.kind == JSON_INVALID) return STEP_RAISE;
    if (is_place) return set_member(vm, insn->a, value, vm_trail(vm, insn->b), json_share(key));
    return vm_set(vm, insn->a, value);
}

/* The member, as a view; JSON_INVALID where it takes more than a look. */
static inline json member_of(json container, json key)
{
    if (container.kind == JSON_OBJECT && key.kind == JSON_TEXT) {
        int64_t at = json_object_find(container.object, json_text_view(key.text), key.text);
        return at < 0 ? json_null() : container.object->members[at].value;
    }
    bool is_within = container.kind == JSON_ARRAY && key.kind == JSON_INT && key.integer >= 0 &&
                     key.integer < container.array->count;
    return is_within ? container.array->items[key.integer] : json_invalid();
}

enum step do_index(struct expr_run *vm, const struct insn *insn)
{
    /* A part of a constant may not be kept. */
    if (vm_makes_place(vm, insn) || operand_is_constant(insn->b)) return index_slowly(vm, insn);
    json member = member_of(vm_view(vm, insn->b), vm_view(vm, insn->c));
    if (member.kind == JSON_INVALID) return index_slowly(vm, insn);
    return vm_set(vm, insn->a, json_share(member));
}

enum step do_slice(struct expr_run *vm, const struct insn *insn)
{
    json container = vm_share(vm, insn->b);
    json from      = vm_view(vm, insn->c);
    json to        = vm_view(vm, (operand)insn->e);
    bool is_place  = vm_makes_place(vm, insn);
    json key       = is_place ? paths_slice_key_new(from, to) : json_null();
    if (is_place && !vm_trail(vm, insn->b)) {
        enum step step = not_a_place(vm, container, key);
        json_unref(key);
        return step;
    }
    json value = paths_slice(vm, container, from, to);
    if (value.kind == JSON_INVALID) {
        json_unref(key);
        return STEP_RAISE;
    }
    if (is_place) return set_member(vm, insn->a, value, vm_trail(vm, insn->b), key);
    return vm_set(vm, insn->a, value);
}

/* --- iteration ---------------------------------------------------------------------------------
 */

static void give_member(struct expr_run *vm, const struct insn *insn, json container, size_t index)
{
    json value = json_share(json_container_value(container, index));
    if (!vm_makes_place(vm, insn)) {
        (void)vm_set(vm, insn->a, value);
        return;
    }
    json key = container.kind == JSON_OBJECT ? json_share(json_key_value_at(container, index))
                                             : json_int((int64_t)index);
    (void)set_member(vm, insn->a, value, vm_trail(vm, insn->b), key);
}

enum step do_each(struct expr_run *vm, const struct insn *insn)
{
    json container = vm_share(vm, insn->b);
    char text[SNIPPET_SIZE];
    if (vm_makes_place(vm, insn) && !vm_trail(vm, insn->b)) {
        (void)vm_raise(vm, "Invalid path expression near attempt to iterate through %s",
                       vm_snippet(vm, container, text));
        return STEP_RAISE;
    }
    if (!json_is_container(container)) {
        (void)vm_raise(vm, "Cannot iterate over %s (%s)", json_kind_name(container),
                       vm_snippet(vm, container, text));
        return STEP_RAISE;
    }
    size_t count = json_container_count(container);
    if (count == 0) return STEP_BACKTRACK;
    if (count > 1) (void)vm_fork_push(vm, insn);
    give_member(vm, insn, container, 0);
    return STEP_NEXT;
}

/* The last member leaves no fork: what follows may then move values instead of sharing them. */
void vm_each_next(struct expr_run *vm, struct fork *fork)
{
    const struct insn *insn = fork->insn;
    json container          = vm_share(vm, insn->b);
    size_t index            = (size_t)++fork->index;
    if (index + 1 == json_container_count(container)) vm_forks_cut(vm, vm->fork_count - 1);
    give_member(vm, insn, container, index);
}

static bool range_has(json value, json upto, json step)
{
    if (value.kind == JSON_INT && upto.kind == JSON_INT && step.kind == JSON_INT) {
        if (step.integer > 0) return value.integer < upto.integer;
        return step.integer < 0 && value.integer > upto.integer;
    }
    double by = json_number(step);
    if (by > 0) return json_number(value) < json_number(upto);
    return by < 0 && json_number(value) > json_number(upto);
}

static json range_after(json value, json step)
{
    int64_t sum = 0;
    if (value.kind == JSON_INT && step.kind == JSON_INT &&
        !__builtin_add_overflow(value.integer, step.integer, &sum)) {
        return json_int(sum);
    }
    return json_real(json_number(value) + json_number(step));
}

/* Gives `value`; `fork` (NULL: not made yet) stays for as long as there is a next one. */
static enum step give_number(struct expr_run *vm, const struct insn *insn, json value,
                             struct fork *fork)
{
    json step = vm_view(vm, (operand)insn->e);
    json next = range_after(value, step);
    if (!range_has(next, vm_view(vm, insn->c), step)) {
        if (fork) vm_forks_cut(vm, vm->fork_count - 1);
        return vm_set(vm, insn->a, value);
    }
    if (!fork) fork = vm_fork_push(vm, insn);
    fork->is_real = next.kind == JSON_REAL;
    fork->index   = next.integer;
    return vm_set(vm, insn->a, value);
}

enum step do_range(struct expr_run *vm, const struct insn *insn)
{
    json from = vm_view(vm, insn->b);
    json upto = vm_view(vm, insn->c);
    json step = vm_view(vm, (operand)insn->e);
    if (!json_is_number(from) || !json_is_number(upto) || !json_is_number(step)) {
        (void)vm_raise(vm, "Range bounds must be numeric");
        return STEP_RAISE;
    }
    if (!range_has(from, upto, step)) return STEP_BACKTRACK;
    return give_number(vm, insn, from, NULL);
}

void vm_range_next(struct expr_run *vm, struct fork *fork)
{
    json value = fork->is_real ? json_real(fork->real) : json_int(fork->index);
    (void)give_number(vm, fork->insn, value, fork);
}

/* --- paths -------------------------------------------------------------------------------------
 */

enum step do_getpath(struct expr_run *vm, const struct insn *insn)
{
    json path  = vm_share(vm, insn->c);
    json value = paths_get(vm, vm_share(vm, insn->b), path);
    if (value.kind == JSON_INVALID) return STEP_RAISE;
    struct trail *trail = vm_makes_place(vm, insn) ? trail_ref(vm_trail(vm, insn->b)) : NULL;
    for (size_t i = 0; trail && i < json_count(path); i++) {
        trail = trail_new(trail, json_share(json_at(path, i)));
    }
    (void)vm_set(vm, insn->a, value);
    vm_slot(vm, insn->a)->trail = trail;
    return STEP_NEXT;
}

enum step do_extract(struct expr_run *vm, const struct insn *insn)
{
    json path = vm_view(vm, insn->c);
    if (!paths_check(vm, path)) return STEP_RAISE;
    json *from = &vm_slot(vm, insn->b)->value;
    return vm_set_or_raise(vm, insn->a, paths_extract(vm, from, keys_of_path(path)));
}

enum step do_extract_at(struct expr_run *vm, const struct insn *insn)
{
    json keys[PROGRAM_KEYS_MAX];
    const operand *operands = vm_operands(vm, insn);
    for (operand i = 0; i < insn->c; i++) keys[i] = vm_view(vm, operands[i]);
    if (!vm_spend(vm, insn->c)) return STEP_RAISE;
    json *from = &vm_slot(vm, insn->b)->value;
    return vm_set_or_raise(vm, insn->a,
                           paths_extract(vm, from, (struct keys){.items = keys, .count = insn->c}));
}

/* What paths_set() made of the accumulator's value, which it took. */
static enum step put_back(struct expr_run *vm, struct slot *slot, json value)
{
    if (value.kind == JSON_INVALID) return STEP_RAISE;
    slot->value  = value;
    slot->serial = vm->newest;
    return STEP_NEXT;
}

static json take_out(struct slot *slot)
{
    json value  = slot->value;
    slot->value = json_null();
    return value;
}

enum step do_put(struct expr_run *vm, const struct insn *insn)
{
    json path         = vm_share(vm, insn->c);
    json member       = vm_own(vm, insn->b);
    struct slot *slot = vm_slot(vm, insn->a);
    return put_back(vm, slot, paths_set(vm, take_out(slot), path, member));
}

enum step do_put_at(struct expr_run *vm, const struct insn *insn)
{
    json keys[PROGRAM_KEYS_MAX];
    const operand *operands = vm_operands(vm, insn);
    for (operand i = 0; i < insn->c; i++) keys[i] = vm_share(vm, operands[i]);
    if (!vm_spend(vm, insn->c)) return STEP_RAISE;
    json member       = vm_own(vm, insn->b);
    struct slot *slot = vm_slot(vm, insn->a);
    struct keys at    = {.items = keys, .count = insn->c};
    return put_back(vm, slot, paths_set_at(vm, take_out(slot), at, member));
}

enum step do_path(struct expr_run *vm, const struct insn *insn)
{
    const struct slot *slot = vm_slot(vm, insn->b);
    if (!slot->trail) {
        char text[SNIPPET_SIZE];
        (void)vm_raise(vm, "Invalid path expression with result %s",
                       vm_snippet(vm, slot->value, text));
        return STEP_RAISE;
    }
    if (!vm_spend_bytes(vm, slot->trail->depth * sizeof(json))) return STEP_RAISE;
    return vm_set(vm, insn->a, trail_path_new(slot->trail));
}
