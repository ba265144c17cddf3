/*
 * Constants of the program, as values of a run.
 *
 * The program's own are frozen and go when it goes, but a result may live longer. So what may
 * become part of a value is copied, once per run; what is only looked at is not. Short texts, which
 * are nearly all of them, are copied together.
 */
#include "base/assert.h"
#include "base/attr.h"
#include "expr/vm.h"

/* Copies a tree; the levels of the walk and the containers being filled go in step. */
static json copy_tree(json value)
{
    CLEANUP(json_walk_done) struct json_walk walk;
    json_walk_init(&walk);
    json filled[PROGRAM_CONSTANT_DEPTH_MAX];
    for (;;) {
        json copied = value;
        if (value.kind == JSON_TEXT) copied = json_text_new(json_str(value));
        if (json_is_container(value)) {
            ASSERT(walk.depth < PROGRAM_CONSTANT_DEPTH_MAX);
            size_t count = json_container_count(value);
            filled[walk.depth] =
                value.kind == JSON_ARRAY ? json_array_new(count) : json_object_new(count);
            (void)json_walk_push(&walk, value);
        }
        struct json_level *top = json_walk_top(&walk);
        bool is_whole          = !json_is_container(value);
        while (top && (is_whole || top->position == json_container_count(top->container))) {
            if (!is_whole) {
                json_walk_pop(&walk);
                copied = filled[walk.depth];
                top    = json_walk_top(&walk);
                if (!top) return copied;
            }
            json *into      = &filled[walk.depth - 1];
            size_t position = top->position++;
            if (into->kind == JSON_ARRAY) {
                json_array_push(into, copied);
            } else {
                json_object_put(into, json_key_at(top->container, position), copied);
            }
            is_whole = false;
        }
        if (!top) return copied;
        value = json_container_value(top->container, top->position);
    }
}

static json short_text(struct expr_run *vm, uint32_t offset)
{
    if (!vm->block) vm->block = json_block_copy(vm->expr->block);
    return json_from_text(json_block_text(vm->block, offset));
}

json vm_constant(struct expr_run *vm, uint32_t index)
{
    const struct expr *expr = vm->expr;
    json constant           = expr->constants[index];
    if (constant.kind < JSON_TEXT) return constant;
    if (expr->block && expr->block_offsets[index]) {
        return short_text(vm, expr->block_offsets[index]);
    }
    if (!vm->constants) {
        size_t size   = expr->constant_count * sizeof(json);
        vm->constants = json_node_new(size);
        memset(vm->constants, 0, size);
    }
    json *own = &vm->constants[index];
    if (own->kind == JSON_INVALID) *own = copy_tree(constant);
    return *own;
}

void vm_constants_free(struct expr_run *vm)
{
    if (vm->block) json_block_unref(vm->block);
    if (!vm->constants) return;
    for (uint32_t i = 0; i < vm->expr->constant_count; i++) json_drop(vm->constants[i]);
    json_node_free(vm->constants, vm->expr->constant_count * sizeof(json));
}
