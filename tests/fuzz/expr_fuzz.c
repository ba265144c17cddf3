/*
 * Any text may be a program and any JSON its input; both come from users. Input: the program, a
 * NUL, and a JSON document. Budgets are small, so that a run is short; none may be exceeded by
 * much.
 */
#include "base/assert.h"
#include "base/attr.h"
#include "expr/expr.h"
#include "expr/reads.h"
#include "json/json_text.h"

enum { TEXT_MAX = 1 << 16 /* bytes */ };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* expr_eval() has ways of its own; they lead to the first output of a run. */
static void check_first(const struct expr *expr, const struct expr_input *given, json first)
{
    CLEANUP(json_unrefp) json value   = json_invalid();
    CLEANUP(buf_done) struct buf mine = buf_init(TEXT_MAX);
    CLEANUP(buf_done) struct buf runs = buf_init(TEXT_MAX);
    status result                     = expr_eval(expr, given, &value, NULL, NULL);
    ASSERT(result == STATUS_OK);
    bool are_printed =
        json_print(value, JSON_COMPACT, &mine) && json_print(first, JSON_COMPACT, &runs);
    ASSERT(!are_printed || str_equal(buf_str(&mine), buf_str(&runs)));
}

static void evaluate(const struct expr *expr, json input, json variable)
{
    struct expr_limits limits = {.fuel = 20'000, .memory = 1 << 20, .depth = 500};
    struct expr_input given   = {
          .value = input, .variables = &variable, .now_us = 1'700'000'000'000'000, .limits = &limits};
    CLEANUP(expr_run_freep) struct expr_run *run = expr_run_new(expr, &given);
    for (int i = 0; i < 100; i++) {
        CLEANUP(json_unrefp) json value  = json_invalid();
        CLEANUP(json_unrefp) json raised = json_invalid();
        if (expr_run_next(run, &value, &raised, NULL) != STATUS_OK) break;
        if (value.kind == JSON_INVALID) break;
        if (i == 0) check_first(expr, &given, value);
    }
    ASSERT(expr_run_fuel_used(run) <= limits.fuel);
}

static void check_read(const struct expr_read *read, void *context)
{
    const str *source = context;
    ASSERT(read->count >= 1 && read->count <= EXPR_READ_DEPTH_MAX);
    ASSERT(read->offset < source->len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const variables[]     = {"x"};
    static const struct expr_names names     = {variables, 1};
    str all                                  = {.ptr = (const char *)data, .len = size};
    const char *end                          = size ? memchr(data, 0, size) : NULL;
    size_t source_len                        = end ? (size_t)(end - all.ptr) : size;
    str source                               = str_slice(all, 0, source_len);
    str document                             = str_slice(all, source_len + 1, size);
    CLEANUP(json_unrefp) json input          = json_invalid();
    CLEANUP(arena_freep) struct arena *arena = arena_new(1 << 16);
    CLEANUP(expr_freep) struct expr *expr    = NULL;
    expr_reads(source, check_read, &source);
    if (expr_compile(source, &names, arena, &expr, NULL, NULL) != STATUS_OK) return 0;
    if (json_parse(document, NULL, &input, NULL, NULL) != STATUS_OK) input = json_null();
    evaluate(expr, input, input);
    return 0;
}
