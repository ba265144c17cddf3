/*
 * Checking: nodes applied to values.
 *
 * The graph of a schema has cycles and a document is a tree, so the evaluation is recursive by
 * nature; its depth is bounded by SCHEMA_DEPTH_MAX and its work by SCHEMA_STEPS_MAX, whatever
 * schema and document are, and both are errors of their own. A level takes a few hundred bytes of
 * stack.
 *
 * What an `unevaluated` keyword asks for, the members and items that others have accepted, is kept
 * in one flag for each, per node and value. A subschema that applies to the same value hands its
 * flags up when it succeeds; one that fails, or is negated, hands up nothing.
 */
#include "base/mem.h"
#include "schema/schema_internal.h"
#include "json/json_pointer.h"
#include "json/json_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    POINTER_MAX  = 16 << 10, /* bytes */
    SENTENCE_MAX = 400,      /* bytes */
};

static schema_rule_check *const checks[KEYWORD_CHECKED] = {
    [KEYWORD_TYPE]                   = schema_check_type,
    [KEYWORD_ENUM]                   = schema_check_enum,
    [KEYWORD_CONST]                  = schema_check_const,
    [KEYWORD_MULTIPLE_OF]            = schema_check_multiple_of,
    [KEYWORD_MAXIMUM]                = schema_check_maximum,
    [KEYWORD_EXCLUSIVE_MAXIMUM]      = schema_check_exclusive_maximum,
    [KEYWORD_MINIMUM]                = schema_check_minimum,
    [KEYWORD_EXCLUSIVE_MINIMUM]      = schema_check_exclusive_minimum,
    [KEYWORD_MAX_LENGTH]             = schema_check_max_length,
    [KEYWORD_MIN_LENGTH]             = schema_check_min_length,
    [KEYWORD_PATTERN]                = schema_check_pattern,
    [KEYWORD_FORMAT]                 = schema_check_format,
    [KEYWORD_MAX_ITEMS]              = schema_check_max_items,
    [KEYWORD_MIN_ITEMS]              = schema_check_min_items,
    [KEYWORD_UNIQUE_ITEMS]           = schema_check_unique_items,
    [KEYWORD_MAX_PROPERTIES]         = schema_check_max_properties,
    [KEYWORD_MIN_PROPERTIES]         = schema_check_min_properties,
    [KEYWORD_REQUIRED]               = schema_check_required,
    [KEYWORD_DEPENDENT_REQUIRED]     = schema_check_dependent_required,
    [KEYWORD_REF]                    = schema_check_ref,
    [KEYWORD_DYNAMIC_REF]            = schema_check_dynamic_ref,
    [KEYWORD_PREFIX_ITEMS]           = schema_check_prefix_items,
    [KEYWORD_ITEMS]                  = schema_check_items,
    [KEYWORD_ADDITIONAL_ITEMS]       = schema_check_additional_items,
    [KEYWORD_CONTAINS]               = schema_check_contains,
    [KEYWORD_PROPERTIES]             = schema_check_properties,
    [KEYWORD_PATTERN_PROPERTIES]     = schema_check_pattern_properties,
    [KEYWORD_ADDITIONAL_PROPERTIES]  = schema_check_additional_properties,
    [KEYWORD_PROPERTY_NAMES]         = schema_check_property_names,
    [KEYWORD_DEPENDENT_SCHEMAS]      = schema_check_dependent_schemas,
    [KEYWORD_DEPENDENCIES]           = schema_check_dependent_schemas,
    [KEYWORD_ALL_OF]                 = schema_check_all_of,
    [KEYWORD_ANY_OF]                 = schema_check_any_of,
    [KEYWORD_ONE_OF]                 = schema_check_one_of,
    [KEYWORD_NOT]                    = schema_check_not,
    [KEYWORD_IF]                     = schema_check_if,
    [KEYWORD_UNEVALUATED_ITEMS]      = schema_check_unevaluated_items,
    [KEYWORD_UNEVALUATED_PROPERTIES] = schema_check_unevaluated_properties,
};

/* --- violations --------------------------------------------------------------------------------
 */

/* A text that lives as long as the arena; what does not fit any more is left out. */
static const char *kept(struct schema_check *check, const char *text)
{
    const char *copy = arena_strdup(check->arena, str_from(text));
    return copy ? copy : "";
}

bool schema_violated(struct schema_check *check, const struct schema_node *node,
                     enum keyword keyword, const char *format, ...)
{
    if (check->quiet > 0 || check->code != STATUS_OK) return false;
    struct schema_errors *errors = check->errors;
    if (errors->count == SCHEMA_ERRORS_MAX) {
        errors->dropped++;
        return false;
    }
    char sentence[SENTENCE_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);

    bool is_false    = keyword == KEYWORD_COUNT; /* the schema `false` */
    const char *name = is_false ? "false" : schema_rule_of(node, keyword)->info->name;
    const char *place =
        arena_printf(check->arena, is_false ? "%s" : "%s/%s", node->pointer, is_false ? "" : name);
    errors->items[errors->count++] = (struct schema_error){
        .pointer        = kept(check, check->pointer.ptr ? check->pointer.ptr : ""),
        .keyword        = name,
        .schema_pointer = place ? place : "",
        .sentence       = kept(check, sentence),
    };
    return false;
}

static bool give_up(struct schema_check *check, const char *why)
{
    if (check->code == STATUS_OK) {
        check->code = fail(check->reterr, STATUS_RESOURCE_EXHAUSTED, "%s", why);
    }
    return false;
}

/* --- what was seen -----------------------------------------------------------------------------
 */

static void seen_done(struct schema_seen *seen)
{
    free(seen->flags);
}

static void frame_done(struct schema_frame *frame)
{
    seen_done(&frame->seen);
}

void schema_see(struct schema_frame *frame, size_t index)
{
    if (frame->seen.flags) frame->seen.flags[index] = 1;
}

static void hand_up(const struct schema_seen *from, struct schema_seen *to)
{
    if (!from->flags || !to || !to->flags) return;
    ASSERT(from->count == to->count);
    for (size_t i = 0; i < from->count; i++) to->flags[i] |= from->flags[i];
}

/* --- nodes -------------------------------------------------------------------------------------
 */

static bool apply_rules(struct schema_check *check, struct schema_frame *frame)
{
    bool is_valid = true;
    for (uint32_t i = 0; i < frame->node->rule_count; i++) {
        const struct schema_rule *rule = &frame->node->rules[i];
        if (rule->keyword >= KEYWORD_CHECKED) break; /* they are the last */
        if (!checks[rule->keyword](check, frame, rule)) is_valid = false;
        if (check->code != STATUS_OK || (!is_valid && check->quiet > 0)) return false;
    }
    return is_valid;
}

bool schema_apply(struct schema_check *check, const struct schema_node *node, json value,
                  struct schema_seen *seen)
{
    if (check->code != STATUS_OK) return false;
    if (check->depth == SCHEMA_DEPTH_MAX) return give_up(check, "the schema nests too deeply");
    if (check->steps++ == SCHEMA_STEPS_MAX) return give_up(check, "the check takes too many steps");
    if (json_is(node->value, JSON_TRUE)) return true;
    if (json_is(node->value, JSON_FALSE)) {
        return schema_violated(check, node, KEYWORD_COUNT, "is not allowed here");
    }

    CLEANUP(frame_done) struct schema_frame frame = {.node = node, .value = value};
    if (check->schema->has_unevaluated && json_count(value) > 0) {
        frame.seen.count = json_count(value);
        frame.seen.flags = mem_new(frame.seen.count, 1);
    }
    const struct schema_scope *outer = check->scope;
    const struct schema_scope scope  = {.outer = outer, .resource = node->resource};
    check->scope                     = &scope;
    check->depth++;
    bool is_valid = apply_rules(check, &frame);
    check->depth--;
    check->scope = outer;
    if (is_valid) hand_up(&frame.seen, seen);
    return is_valid;
}

bool schema_try(struct schema_check *check, const struct schema_node *node, json value,
                struct schema_seen *seen)
{
    check->quiet++;
    bool is_valid = schema_apply(check, node, value, seen);
    check->quiet--;
    return is_valid;
}

bool schema_apply_at(struct schema_check *check, const struct schema_node *node,
                     const struct schema_frame *frame, size_t index)
{
    bool is_list = json_is(frame->value, JSON_ARRAY);
    json value   = is_list ? json_at(frame->value, index) : json_value_at(frame->value, index);
    if (check->quiet > 0) return schema_apply(check, node, value, NULL);

    size_t before = check->pointer.len;
    if (is_list) (void)json_pointer_add_index(&check->pointer, index);
    if (!is_list) (void)json_pointer_add(&check->pointer, json_key_at(frame->value, index));
    bool is_valid = schema_apply(check, node, value, NULL);
    if (check->pointer.ptr) { /* back to where it was */
        check->pointer.len         = before;
        check->pointer.ptr[before] = '\0';
        check->pointer.is_full     = false;
    }
    return is_valid;
}

/* --- from outside ------------------------------------------------------------------------------
 */

status schema_check(const struct schema *schema, json value, struct arena *arena,
                    struct schema_errors *ret_errors, struct error *reterr)
{
    ASSERT(arena);
    struct schema_errors own     = {};
    struct schema_errors *errors = ret_errors ? ret_errors : &own;
    *errors                      = (struct schema_errors){};
    struct schema_check check    = {
           .schema  = schema,
           .arena   = arena,
           .errors  = errors,
           .pointer = buf_init(POINTER_MAX),
           .reterr  = reterr,
    };
    bool is_valid = schema_apply(&check, schema->root, value, NULL);
    buf_done(&check.pointer);
    if (check.code != STATUS_OK) return check.code;
    if (is_valid) return STATUS_OK;
    ASSERT(errors->count > 0);
    const struct schema_error *first = &errors->items[0];
    return fail(reterr, STATUS_INVALID_ARGUMENT, "%.80s %.150s",
                *first->pointer ? first->pointer : "the value", first->sentence);
}
