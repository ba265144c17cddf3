/*
 * The program of a value is written as text: literals as JSON, which the language includes, and
 * expressions in parentheses. Each expression is compiled alone first, so that a fault is found at
 * its place, and so that none can end a parenthesis that it did not begin.
 */
#include "adapter/formula.h"

#include "base/assert.h"
#include "base/buf.h"
#include "base/mem.h"
#include "expr/expr.h"
#include "json/json_pointer.h"
#include "json/json_text.h"

#include <stdlib.h>

enum {
    DEPTH_MAX   = 64,      /* maps and lists within each other; a YAML document has no more */
    POINTER_MAX = 4 << 10, /* bytes */
    WAITING_MAX = 512,
};

struct formula {
    json constant;     /* owned; JSON_INVALID: it is a program */
    struct expr *expr; /* owned */
};

/* A map or list that is being written. */
struct level {
    json container;
    size_t next;    /* member */
    size_t pointer; /* length before it was entered */
    bool drops_null;
};

struct writer {
    struct level levels[DEPTH_MAX];
    size_t depth;
    struct buf source, pointer;
    struct arena *arena;
    enum formula_nulls nulls;
    json keep_null;
    struct formula_fault *fault;
};

bool formula_is_expression(json value)
{
    return json_is(value, JSON_TEXT) && str_starts_with(json_str(value), str_from("="));
}

/* --- writing ---------------------------------------------------------------------------------- */

static status too_deep(struct writer *writer, struct error *reterr)
{
    *writer->fault = (struct formula_fault){
        .pointer = arena_strdup(writer->arena, buf_str(&writer->pointer)),
        .detail  = "maps and lists are too deep",
        .hint    = "",
    };
    return fail(reterr, STATUS_INVALID_ARGUMENT, "maps and lists are too deep");
}

static status write_expression(struct writer *writer, str source, struct error *reterr)
{
    CLEANUP(expr_freep) struct expr *alone = NULL;
    struct expr_fault fault                = {};
    status code =
        expr_compile(source, &(struct expr_names){}, writer->arena, &alone, &fault, reterr);
    if (code != STATUS_OK) {
        *writer->fault = (struct formula_fault){
            .pointer = arena_strdup(writer->arena, buf_str(&writer->pointer)),
            .offset  = fault.offset,
            .detail  = fault.detail,
            .hint    = fault.hint,
        };
        return code;
    }
    /* The line break ends a comment of the expression. */
    bool is_one = expr_yield_of(alone) == EXPR_YIELDS_ONE;
    (void)buf_put_text(&writer->source, is_one ? "(" : "([");
    (void)buf_put_str(&writer->source, source);
    (void)buf_put_text(&writer->source,
                       is_one
                           ? "\n)"
                           : "\n] | if length > 1 then error(\"more than one result\") else .[0] "
                             "end)");
    return STATUS_OK;
}

static void open_level(struct writer *writer, json container)
{
    bool is_map                     = json_is(container, JSON_OBJECT);
    bool drops_null                 = is_map && writer->nulls == FORMULA_DROPS_NULL;
    writer->levels[writer->depth++] = (struct level){
        .container = container, .pointer = writer->pointer.len, .drops_null = drops_null};
    (void)buf_put_text(&writer->source, drops_null ? "({" : is_map ? "{" : "[");
}

/* A null that was written down is meant; so is one that `keep_null` names. */
static bool stays_null(const struct writer *writer, str key, json value)
{
    bool is_outermost = writer->depth == 0;
    if (json_is(value, JSON_NULL)) return true;
    for (size_t i = 0; is_outermost && i < json_count(writer->keep_null); i++) {
        if (str_equal(json_str(json_at(writer->keep_null, i)), key)) return true;
    }
    return false;
}

static void close_level(struct writer *writer)
{
    const struct level *level = &writer->levels[--writer->depth];
    bool is_map               = json_is(level->container, JSON_OBJECT);
    (void)buf_put_byte(&writer->source, is_map ? '}' : ']');
    if (!level->drops_null) return;
    const char *separator = " | with_entries(select(.value != null or (.key | IN(";
    bool some_stay        = false;
    for (size_t i = 0; i < json_count(level->container); i++) {
        str key = json_key_at(level->container, i);
        if (!stays_null(writer, key, json_value_at(level->container, i))) continue;
        (void)buf_put_text(&writer->source, separator);
        (void)json_print_text(key, &writer->source);
        separator = ", ";
        some_stay = true;
    }
    (void)buf_put_text(&writer->source, some_stay ? ")))))" : " | map_values(select(. != null)))");
}

static status write_value(struct writer *writer, json value, struct error *reterr)
{
    if (formula_is_expression(value)) {
        str text = json_str(value);
        return write_expression(writer, str_slice(text, 1, text.len), reterr);
    }
    if (formula_is_constant(value)) {
        (void)buf_put_byte(&writer->source, '(');
        (void)json_print(value, JSON_COMPACT, &writer->source);
        (void)buf_put_byte(&writer->source, ')');
        return STATUS_OK;
    }
    if (writer->depth == DEPTH_MAX) return too_deep(writer, reterr);
    open_level(writer, value);
    return STATUS_OK;
}

/* The next member of the innermost map or list; closes it behind the last one. */
static status write_member(struct writer *writer, struct error *reterr)
{
    struct level *level = &writer->levels[writer->depth - 1];
    writer->pointer.len = level->pointer;
    if (level->next == json_count(level->container)) {
        close_level(writer);
        return STATUS_OK;
    }
    size_t i    = level->next++;
    bool is_map = json_is(level->container, JSON_OBJECT);
    if (i > 0) (void)buf_put_text(&writer->source, ", ");
    if (is_map) {
        str key = json_key_at(level->container, i);
        (void)json_print_text(key, &writer->source);
        (void)buf_put_text(&writer->source, ": ");
        (void)json_pointer_add(&writer->pointer, key);
    } else {
        (void)json_pointer_add_index(&writer->pointer, i);
    }
    return write_value(
        writer, is_map ? json_value_at(level->container, i) : json_at(level->container, i), reterr);
}

static status write_all(struct writer *writer, json value, struct error *reterr)
{
    TRY(write_value(writer, value, reterr));
    while (writer->depth > 0) TRY(write_member(writer, reterr));
    return STATUS_OK;
}

/* --- formulas --------------------------------------------------------------------------------- */

bool formula_is_constant(json value)
{
    json waiting[WAITING_MAX]; /* what is not looked at yet; a full one counts as a program */
    size_t count     = 0;
    waiting[count++] = value;
    while (count > 0) {
        json one = waiting[--count];
        if (formula_is_expression(one)) return false;
        bool is_map = json_is(one, JSON_OBJECT);
        if (!is_map && !json_is(one, JSON_ARRAY)) continue;
        if (json_count(one) > WAITING_MAX - count) return false;
        for (size_t i = 0; i < json_count(one); i++) {
            waiting[count++] = is_map ? json_value_at(one, i) : json_at(one, i);
        }
    }
    return true;
}

static status compile_program(json value, struct writer *writer, struct formula *formula,
                              struct error *reterr)
{
    TRY(write_all(writer, value, reterr));
    struct expr_fault fault = {};
    status code = expr_compile(buf_str(&writer->source), &(struct expr_names){}, writer->arena,
                               &formula->expr, &fault, reterr);
    if (code == STATUS_OK) return STATUS_OK;
    *writer->fault = (struct formula_fault){
        .pointer = "", .detail = arena_strdup(writer->arena, str_from(fault.detail)), .hint = ""};
    return code;
}

status formula_compile(json value, enum formula_nulls nulls, json keep_null, struct arena *arena,
                       struct formula **ret_formula, struct formula_fault *ret_fault,
                       struct error *reterr)
{
    CLEANUP(formula_freep) struct formula *formula = mem_new(1, sizeof *formula);
    if (formula_is_constant(value)) {
        formula->constant = json_ref(value);
        *ret_formula      = TAKE(formula);
        return STATUS_OK;
    }
    struct writer writer = {.source    = buf_init(EXPR_SOURCE_MAX),
                            .pointer   = buf_init(POINTER_MAX),
                            .arena     = arena,
                            .nulls     = nulls,
                            .keep_null = keep_null,
                            .fault     = ret_fault};
    status code          = compile_program(value, &writer, formula, reterr);
    buf_done(&writer.source);
    buf_done(&writer.pointer);
    if (code == STATUS_OK) *ret_formula = TAKE(formula);
    return code;
}

void formula_free(struct formula *formula)
{
    if (!formula) return;
    json_unref(formula->constant);
    expr_free(formula->expr);
    free(formula);
}

void formula_freep(struct formula **formula)
{
    formula_free(*formula);
    *formula = NULL;
}

status formula_eval(const struct formula *formula, json scope, int64_t now_us, json *ret_value,
                    struct error *reterr)
{
    if (!formula->expr) {
        *ret_value = json_ref(formula->constant);
        return STATUS_OK;
    }
    const struct expr_input input = {.value = scope, .now_us = now_us};
    return expr_eval(formula->expr, &input, ret_value, NULL, reterr);
}

bool formula_test(const struct formula *formula, json scope, int64_t now_us)
{
    CLEANUP(json_unrefp) json value = json_invalid();
    struct error ignored            = {};
    if (formula_eval(formula, scope, now_us, &value, &ignored) != STATUS_OK) return false;
    return json_is_truthy(value);
}
