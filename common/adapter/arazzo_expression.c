/* Runtime expressions and conditions of Arazzo, as jq. */
#include "adapter/arazzo_internal.h"
#include "adapter/openapi_internal.h"
#include "base/attr.h"
#include "json/json_pointer.h"
#include "json/json_text.h"

#include <string.h>

enum { STACK_MAX = 64 /* operands and operators of a condition */ };

static const char *keep(const struct arazzo_scope *scope, const struct buf *text)
{
    return text->is_full ? NULL : arena_strdup(scope->arena, buf_str(text));
}

static status too_large(struct error *reterr)
{
    return fail(reterr, STATUS_UNIMPLEMENTED, "the expression becomes too large");
}

/* --- runtime expressions ---------------------------------------------------------------------- */

static bool skip(str *text, const char *prefix)
{
    size_t len = strlen(prefix);
    if (text->len < len || memcmp(text->ptr, prefix, len) != 0) return false;
    *text = str_slice(*text, len, text->len);
    return true;
}

static str cut_at(str *text, char end)
{
    const char *at = text->len > 0 ? memchr(text->ptr, end, text->len) : NULL;
    size_t len     = at ? (size_t)(at - text->ptr) : text->len;
    str before     = str_slice(*text, 0, len);
    *text          = str_slice(*text, len, text->len);
    return before;
}

static bool is_index(str token)
{
    for (size_t i = 0; i < token.len; i++) {
        if (token.ptr[i] < '0' || token.ptr[i] > '9') return false;
    }
    return token.len > 0 && token.len < 10 && (token.len == 1 || token.ptr[0] != '0');
}

/* "#/a/0": members, or elements where there is an array. */
static void put_pointer(struct buf *out, str pointer)
{
    if (!skip(&pointer, "#")) return;
    while (skip(&pointer, "/")) {
        CLEANUP(buf_done) struct buf name = buf_init(ARAZZO_TEXT_MAX);
        str token                         = cut_at(&pointer, '/');
        for (size_t i = 0; i < token.len; i++) {
            bool is_escape = token.ptr[i] == '~' && i + 1 < token.len;
            char c         = token.ptr[i];
            if (is_escape) c = token.ptr[++i] == '1' ? '/' : '~';
            (void)buf_put_byte(&name, c);
        }
        CLEANUP(json_unrefp) json text = json_text_lossy(buf_str(&name));
        if (is_index(token)) {
            (void)buf_printf(
                out, " | (if type == \"array\" then .[" STR_FMT "] else .[\"" STR_FMT "\"] end)",
                STR_ARG(token), STR_ARG(token));
            continue;
        }
        (void)buf_put_text(out, " | .[");
        (void)json_print(text, JSON_COMPACT, out);
        (void)buf_put_byte(out, ']');
    }
}

static status put_input(const struct arazzo_scope *scope, str rest, struct buf *out,
                        struct error *reterr)
{
    char name[IMPORT_NAME_SIZE];
    str wire = cut_at(&rest, '#');
    if (json_is(json_get(scope->inputs, wire), JSON_INVALID)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "the workflow has no input `%.*s`",
                    wire.len < 60 ? (int)wire.len : 60, wire.ptr);
    }
    import_name(wire, "value", name);
    (void)buf_printf(out, ".params.%s", name);
    put_pointer(out, rest);
    return STATUS_OK;
}

static status put_step(const struct arazzo_scope *scope, str rest, struct buf *out,
                       struct error *reterr)
{
    char name[IMPORT_NAME_SIZE];
    str id = cut_at(&rest, '.');
    for (size_t i = 0; i < scope->step_count; i++) {
        json step = json_at(scope->steps, i);
        if (!str_equal(openapi_text(step, "stepId"), id)) continue;
        if (!skip(&rest, ".outputs.")) break;
        str output                      = cut_at(&rest, '#');
        CLEANUP(json_unrefp) json quote = json_text_lossy(output);
        if (json_is(json_get(json_get_text(step, "outputs"), output), JSON_INVALID)) {
            return fail(reterr, STATUS_INVALID_ARGUMENT, "the step has no output `%.*s`",
                        output.len < 60 ? (int)output.len : 60, output.ptr);
        }
        import_name(id, "step", name);
        (void)buf_printf(out, ".steps.%s[", name);
        (void)json_print(quote, JSON_COMPACT, out);
        (void)buf_put_byte(out, ']');
        put_pointer(out, rest);
        return STATUS_OK;
    }
    return fail(reterr, STATUS_INVALID_ARGUMENT,
                "there is no output of an earlier step of this name: $steps.ID.outputs.NAME");
}

static status put_answer(str rest, struct buf *out, struct error *reterr)
{
    if (skip(&rest, "body")) {
        (void)buf_put_text(out, ".response.body");
        put_pointer(out, rest);
        return STATUS_OK;
    }
    if (!skip(&rest, "header.")) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "an answer has `body` and `header.NAME`");
    }
    CLEANUP(json_unrefp) json name = json_text_lossy(rest);
    (void)buf_put_text(out, ".response.headers[");
    (void)json_print(name, JSON_COMPACT, out);
    (void)buf_put_text(out, " | ascii_downcase]");
    return STATUS_OK;
}

status arazzo_expression(const struct arazzo_scope *scope, str text, const char **ret_jq,
                         struct error *reterr)
{
    CLEANUP(buf_done) struct buf out = buf_init(ARAZZO_TEXT_MAX);
    str rest                         = text;
    status code                      = STATUS_OK;
    (void)buf_put_byte(&out, '(');
    if (str_is(text, "$statusCode")) {
        (void)buf_put_text(&out, ".response.status");
    } else if (skip(&rest, "$inputs.")) {
        code = put_input(scope, rest, &out, reterr);
    } else if (skip(&rest, "$steps.")) {
        code = put_step(scope, rest, &out, reterr);
    } else if (skip(&rest, "$response.")) {
        code = put_answer(rest, &out, reterr);
    } else {
        code = fail(reterr, STATUS_UNIMPLEMENTED, "`%.*s` has no counterpart in manifests",
                    text.len < 60 ? (int)text.len : 60, text.ptr);
    }
    (void)buf_put_byte(&out, ')');
    if (code != STATUS_OK) return code;
    *ret_jq = keep(scope, &out);
    return *ret_jq ? STATUS_OK : too_large(reterr);
}

/* --- texts ------------------------------------------------------------------------------------ */

static bool is_runtime(str text)
{
    static const char *const begins[] = {"$inputs.",    "$steps.",     "$response.", "$request.",
                                         "$outputs.",   "$workflows.", "$source",    "$components.",
                                         "$statusCode", "$url",        "$method"};
    for (size_t i = 0; i < ARRAY_LEN(begins); i++) {
        if (str_starts_with(text, str_from(begins[i]))) return true;
    }
    return false;
}

static void put_literal(struct buf *out, str text)
{
    CLEANUP(json_unrefp) json quoted = json_text_lossy(text);
    (void)json_print(quoted, JSON_COMPACT, out);
}

static const char *next_embedded(str text)
{
    for (size_t i = 0; i + 1 < text.len; i++) {
        if (text.ptr[i] == '{' && is_runtime(str_slice(text, i + 1, text.len))) {
            return text.ptr + i;
        }
    }
    return NULL;
}

static status put_pieces(const struct arazzo_scope *scope, str text, struct buf *out,
                         struct error *reterr)
{
    const char *open = next_embedded(text);
    (void)buf_put_byte(out, '=');
    while (open) {
        const char *jq = NULL;
        size_t at      = (size_t)(open - text.ptr);
        put_literal(out, str_slice(text, 0, at));
        text             = str_slice(text, at + 1, text.len);
        str inner        = cut_at(&text, '}');
        bool is_dangling = text.len == 0;
        if (is_dangling) return fail(reterr, STATUS_INVALID_ARGUMENT, "a `}` is missing");
        TRY(arazzo_expression(scope, inner, &jq, reterr));
        (void)buf_printf(out, " + (%s | tostring) + ", jq);
        text = str_slice(text, 1, text.len);
        open = next_embedded(text);
    }
    put_literal(out, text);
    return STATUS_OK;
}

status arazzo_text(const struct arazzo_scope *scope, str text, const char **ret_formula,
                   struct error *reterr)
{
    CLEANUP(buf_done) struct buf out = buf_init(ARAZZO_TEXT_MAX);
    if (is_runtime(text)) {
        const char *jq = NULL;
        TRY(arazzo_expression(scope, text, &jq, reterr));
        (void)buf_printf(&out, "=%s", jq);
    } else if (next_embedded(text)) {
        TRY(put_pieces(scope, text, &out, reterr));
    } else if (text.len > 0 && text.ptr[0] == '=') {
        (void)buf_put_byte(&out, '=');
        put_literal(&out, text);
    } else {
        (void)buf_put_str(&out, text);
    }
    *ret_formula = keep(scope, &out);
    return *ret_formula ? STATUS_OK : too_large(reterr);
}

/* --- conditions ------------------------------------------------------------------------------- */

struct operand {
    const char *jq;
    bool is_plain; /* a number or a constant, which has no case */
};

struct operator_row {
    const char *text;
    const char *jq;
    int binds; /* how closely */
};

/* Longer ones before those that they begin with. */
static const struct operator_row operators[] = {
    {"||", "or", 1}, {"&&", "and", 2}, {"==", "==", 3}, {"!=", "!=", 3},
    {"<=", "<=", 3}, {">=", ">=", 3},  {"<", "<", 3},   {">", ">", 3},
};
static const struct operator_row negation = {"!", "not", 4};
static const struct operator_row opening  = {"(", "(", 0};

struct condition {
    const struct arazzo_scope *scope;
    struct operand operands[STACK_MAX];
    const struct operator_row *waiting[STACK_MAX];
    size_t operand_count, waiting_count;
};

static status bad_condition(struct error *reterr)
{
    return fail(reterr, STATUS_INVALID_ARGUMENT,
                "a condition is made of values, == != < <= > >= && || ! and parentheses");
}

/* Texts are compared without their case (Arazzo 1.0, "Criterion Object", operators). */
#define CASELESS "(%s | if type == \"string\" then ascii_downcase else . end)"

static bool apply(struct condition *condition)
{
    const struct operator_row *row = condition->waiting[--condition->waiting_count];
    struct arena *arena            = condition->scope->arena;
    size_t wanted                  = row == &negation ? 1 : 2;
    if (row == &opening || condition->operand_count < wanted) return false;
    struct operand *left = &condition->operands[condition->operand_count - wanted];
    struct operand right = condition->operands[condition->operand_count - 1];
    condition->operand_count -= wanted - 1;
    if (row == &negation) {
        left->jq = arena_printf(arena, "(%s | not)", right.jq);
    } else if (row->binds == 3 && !left->is_plain && !right.is_plain) {
        left->jq =
            arena_printf(arena, "(" CASELESS " %s " CASELESS ")", left->jq, row->jq, right.jq);
    } else {
        left->jq = arena_printf(arena, "(%s %s %s)", left->jq, row->jq, right.jq);
    }
    left->is_plain = true;
    return left->jq != NULL && strlen(left->jq) < ARAZZO_TEXT_MAX;
}

static status push_operand(struct condition *condition, const char *jq, bool is_plain,
                           struct error *reterr)
{
    if (!jq || condition->operand_count == STACK_MAX) return too_large(reterr);
    condition->operands[condition->operand_count++] =
        (struct operand){.jq = jq, .is_plain = is_plain};
    return STATUS_OK;
}

/* 'it''s': in single quotes, which stand twice for one. */
static status take_text(struct condition *condition, str *rest, struct error *reterr)
{
    CLEANUP(buf_done) struct buf text = buf_init(ARAZZO_TEXT_MAX);
    CLEANUP(buf_done) struct buf out  = buf_init(ARAZZO_TEXT_MAX);
    for (size_t i = 1; i < rest->len; i++) {
        bool is_quote  = rest->ptr[i] == '\'';
        bool is_double = is_quote && i + 1 < rest->len && rest->ptr[i + 1] == '\'';
        if (is_quote && !is_double) {
            *rest = str_slice(*rest, i + 1, rest->len);
            put_literal(&out, buf_str(&text));
            return push_operand(condition, keep(condition->scope, &out), false, reterr);
        }
        (void)buf_put_byte(&text, rest->ptr[i]);
        if (is_double) i++;
    }
    return fail(reterr, STATUS_INVALID_ARGUMENT, "a `'` is missing");
}

static status take_word(struct condition *condition, str *rest, struct error *reterr)
{
    static const char ends[] = " \t\r\n=!<>&|()[]'";
    size_t len               = 0;
    while (len < rest->len && rest->ptr[len] != '\0' && !strchr(ends, rest->ptr[len])) len++;
    str word                        = str_slice(*rest, 0, len);
    CLEANUP(json_unrefp) json value = json_invalid();
    const char *jq                  = NULL;
    *rest                           = str_slice(*rest, len, rest->len);
    if (word.len > 0 && word.ptr[0] == '$') {
        TRY(arazzo_expression(condition->scope, word, &jq, reterr));
        return push_operand(condition, jq, false, reterr);
    }
    bool is_value = json_parse(word, NULL, &value, NULL, NULL) == STATUS_OK;
    if (!is_value || json_is(value, JSON_TEXT)) return bad_condition(reterr);
    if (json_is(value, JSON_ARRAY) || json_is(value, JSON_OBJECT)) return bad_condition(reterr);
    return push_operand(condition, arena_strdup(condition->scope->arena, word), true, reterr);
}

static status take_operator(struct condition *condition, str *rest, bool *ret_is_operand_next,
                            struct error *reterr)
{
    if (rest->ptr[0] == ')') {
        *rest = str_slice(*rest, 1, rest->len);
        while (condition->waiting_count > 0 &&
               condition->waiting[condition->waiting_count - 1] != &opening) {
            if (!apply(condition)) return bad_condition(reterr);
        }
        if (condition->waiting_count-- == 0) {
            condition->waiting_count = 0;
            return bad_condition(reterr);
        }
        return STATUS_OK;
    }
    for (size_t i = 0; i < ARRAY_LEN(operators); i++) {
        if (!skip(rest, operators[i].text)) continue;
        while (condition->waiting_count > 0 &&
               condition->waiting[condition->waiting_count - 1]->binds >= operators[i].binds) {
            if (!apply(condition)) return bad_condition(reterr);
        }
        condition->waiting[condition->waiting_count++] = &operators[i];
        *ret_is_operand_next                           = true;
        return STATUS_OK;
    }
    return bad_condition(reterr);
}

static status take_next(struct condition *condition, str *rest, bool *is_operand_next,
                        struct error *reterr)
{
    if (condition->waiting_count == STACK_MAX) return too_large(reterr);
    if (!*is_operand_next) return take_operator(condition, rest, is_operand_next, reterr);
    if (skip(rest, "!")) {
        condition->waiting[condition->waiting_count++] = &negation;
        return STATUS_OK;
    }
    if (skip(rest, "(")) {
        condition->waiting[condition->waiting_count++] = &opening;
        return STATUS_OK;
    }
    *is_operand_next = false;
    return rest->ptr[0] == '\'' ? take_text(condition, rest, reterr)
                                : take_word(condition, rest, reterr);
}

status arazzo_condition(const struct arazzo_scope *scope, str text, const char **ret_jq,
                        struct error *reterr)
{
    struct condition condition = {.scope = scope};
    bool is_operand_next       = true;
    for (str rest = text; rest.len > 0;) {
        if (skip(&rest, " ") || skip(&rest, "\t") || skip(&rest, "\n") || skip(&rest, "\r")) {
            continue;
        }
        TRY(take_next(&condition, &rest, &is_operand_next, reterr));
    }
    while (condition.waiting_count > 0) {
        if (!apply(&condition)) return bad_condition(reterr);
    }
    if (is_operand_next || condition.operand_count != 1) return bad_condition(reterr);
    *ret_jq = condition.operands[0].jq;
    return STATUS_OK;
}

status arazzo_regex(const struct arazzo_scope *scope, str context, str pattern, const char **ret_jq,
                    struct error *reterr)
{
    CLEANUP(buf_done) struct buf out = buf_init(ARAZZO_TEXT_MAX);
    const char *jq                   = NULL;
    TRY(arazzo_expression(scope, context, &jq, reterr));
    (void)buf_printf(&out, "(%s | tostring | test(", jq);
    put_literal(&out, pattern);
    (void)buf_put_text(&out, "))");
    *ret_jq = keep(scope, &out);
    return *ret_jq ? STATUS_OK : too_large(reterr);
}
