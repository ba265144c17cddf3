/*
 * Evaluation of templates. Depth comes from the definition, so containers wait on a stack of our
 * own; what is half built when an expression fails is given back from there.
 */
#include "workflow/template.h"

#include "base/assert.h"
#include "base/attr.h"
#include "yaml/yaml.h"
#include "json/json_text.h"

#include <stdio.h>

enum {
    DEPTH_MAX   = YAML_DEPTH_MAX + 4, /* a definition's, and what compiling may put around it */
    URI_LEN_MAX = 64 << 10,           /* bytes of an expanded URI */
    SHOWN_MAX   = 48,                 /* bytes of an expression's text in a message */
};

static_assert((int)VARIABLE_STANDARD_COUNT < (int)EXPR_VARIABLES_MAX, "scope variables need room");

/* --- expressions ------------------------------------------------------------------------------ */

static void variables_fill(const struct expression *expression, const struct variables *variables,
                           json values[EXPR_VARIABLES_MAX])
{
    uint32_t count = VARIABLE_STANDARD_COUNT + expression->scope_count;
    ASSERT(count <= EXPR_VARIABLES_MAX);
    if (variables->begin) variables->begin(expression, variables->context);
    for (uint32_t i = 0; i < count; i++) {
        values[i] = json_invalid();
        if (!(expression->variables_used & (1U << i))) continue;
        const struct scope_variable *scope =
            i < VARIABLE_STANDARD_COUNT ? NULL : &expression->scope[i - VARIABLE_STANDARD_COUNT];
        values[i] = variables->get((enum variable)i, scope, variables->context);
    }
}

static bool names_secrets(const struct expression *expression)
{
    return expression->variables_used & 1U << VARIABLE_SECRETS;
}

/* What the expression said, where it stands, and how it begins: all that is needed to find it. */
static status locate(status code, const struct expression *expression, const struct error *why,
                     struct error *reterr)
{
    if (names_secrets(expression)) {
        return fail(reterr, code,
                    "the expression at %u:%u failed; why is not told, since it names secrets",
                    expression->line, expression->column);
    }
    size_t len = strlen(expression->source);
    size_t cut = len > SHOWN_MAX ? SHOWN_MAX : len;
    while (cut < len && cut > 0 && ((unsigned char)expression->source[cut] & 0xC0) == 0x80) cut--;
    return fail(reterr, code, "%.*s (at %u:%u, `%.*s%s`)", 150, why->text, expression->line,
                expression->column, (int)cut, expression->source, cut < len ? "…" : "");
}

status expression_eval(const struct expression *expression, json input,
                       const struct variables *variables, json *ret_value, struct error *reterr)
{
    json values[EXPR_VARIABLES_MAX];
    variables_fill(expression, variables, values);
    const struct expr_input evaluation = {
        .value     = input,
        .variables = values,
        .now_us    = variables->now_us,
        .limits    = variables->limits,
    };
    struct error why = {};
    status code      = expr_eval(expression->program, &evaluation, ret_value, NULL, &why);
    if (code == STATUS_OK) return STATUS_OK;
    if (variables->masks_secrets && names_secrets(expression)) {
        *ret_value = json_text_from("***");
        return STATUS_OK;
    }
    return locate(code, expression, &why, reterr);
}

status expression_test(const struct expression *expression, json input,
                       const struct variables *variables, bool *ret_truth, struct error *reterr)
{
    CLEANUP(json_unrefp) json value = json_invalid();
    TRY(expression_eval(expression, input, variables, &value, reterr));
    *ret_truth = json_is_truthy(value);
    return STATUS_OK;
}

/* --- URIs ------------------------------------------------------------------------------------- */

static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

static void percent_encode(str text, struct buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (is_unreserved(c)) {
            (void)buf_put_byte(out, c);
        } else {
            (void)buf_printf(out, "%%%02X", (unsigned char)c);
        }
    }
}

static status part_put(str name, json input, struct buf *out, struct error *reterr)
{
    json value = json_get(input, name);
    switch (value.kind) {
    case JSON_INVALID:
    case JSON_NULL: return STATUS_OK;
    case JSON_TEXT: percent_encode(json_str(value), out); return STATUS_OK;
    case JSON_FALSE:
    case JSON_TRUE:
    case JSON_INT:
    case JSON_REAL: {
        CLEANUP(json_unrefp) json text = json_to_text_new(value);
        percent_encode(json_str(text), out);
        return STATUS_OK;
    }
    case JSON_ARRAY:
    case JSON_OBJECT: break;
    }
    return fail(reterr, STATUS_INVALID_ARGUMENT,
                "`{" STR_FMT "}` in a URI is %s, and only a text, a number or a boolean fits",
                STR_ARG(name), json_kind_name(value));
}

static status uri_expand(str text, json input, json *ret_value, struct error *reterr)
{
    CLEANUP(buf_done) struct buf out = buf_init(URI_LEN_MAX);
    while (text.len > 0) {
        const char *open = memchr(text.ptr, '{', text.len);
        size_t before    = open ? (size_t)(open - text.ptr) : text.len;
        (void)buf_put_str(&out, str_slice(text, 0, before));
        text = str_slice(text, before, text.len);
        if (!open) break;
        const char *close = memchr(text.ptr, '}', text.len);
        ASSERT(close != NULL); /* the reader has seen to it */
        size_t end = (size_t)(close - text.ptr);
        TRY(part_put(str_slice(text, 1, end), input, &out, reterr));
        text = str_slice(text, end + 1, text.len);
    }
    if (out.is_full) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "a URI has at most %d bytes", URI_LEN_MAX);
    }
    *ret_value = json_text_new(buf_str(&out));
    return STATUS_OK;
}

/* --- templates -------------------------------------------------------------------------------- */

/* A container that is being built. */
struct frame {
    const struct template *template;
    uint32_t next;
    json value; /* owned */
};

static bool is_container(const struct template *template)
{
    return template->kind == TEMPLATE_ARRAY || template->kind == TEMPLATE_OBJECT;
}

/* In mode loose a text that does not evaluate is the text. A budget that is spent is no answer. */
static status expression_leaf_eval(const struct template *template, json input,
                                   const struct variables *variables, json *ret_value,
                                   struct error *reterr)
{
    status code = expression_eval(template->expression, input, variables, ret_value, reterr);
    if (code != STATUS_INVALID_ARGUMENT || json_is(template->constant, JSON_INVALID)) return code;
    *ret_value = json_ref(template->constant);
    return STATUS_OK;
}

static status leaf_eval(const struct template *template, json input,
                        const struct variables *variables, json *ret_value, struct error *reterr)
{
    switch (template->kind) {
    case TEMPLATE_EXPRESSION:
        return expression_leaf_eval(template, input, variables, ret_value, reterr);
    case TEMPLATE_URI: return uri_expand(json_str(template->constant), input, ret_value, reterr);
    case TEMPLATE_CONSTANT:
    case TEMPLATE_ARRAY:
    case TEMPLATE_OBJECT: break;
    }
    ASSERT(template->kind == TEMPLATE_CONSTANT);
    *ret_value = json_ref(template->constant);
    return STATUS_OK;
}

static void frame_begin(struct frame *frame, const struct template *template)
{
    frame->template = template;
    frame->next     = 0;
    frame->value    = template->kind == TEMPLATE_ARRAY ? json_array_new(template->count)
                                                       : json_object_new(template->count);
}

/* Puts the member that was evaluated last; takes `value`. */
static void frame_put(struct frame *frame, json value)
{
    uint32_t at = frame->next++;
    if (frame->template->kind == TEMPLATE_ARRAY) {
        json_array_push(&frame->value, value);
    } else {
        json_object_put_key(&frame->value, json_at(frame->template->keys, at), value);
    }
}

static status tree_eval(const struct template *root, json input, const struct variables *variables,
                        struct frame *stack, size_t *depth, struct error *reterr)
{
    frame_begin(&stack[(*depth)++], root);
    for (;;) {
        struct frame *frame = &stack[*depth - 1];
        if (frame->next == frame->template->count) {
            if (*depth == 1) return STATUS_OK;
            json done = frame->value;
            --*depth;
            frame_put(&stack[*depth - 1], done);
            continue;
        }
        const struct template *member = frame->template->items[frame->next];
        if (is_container(member)) {
            ASSERT(*depth < DEPTH_MAX);
            frame_begin(&stack[(*depth)++], member);
        } else {
            json value;
            TRY(leaf_eval(member, input, variables, &value, reterr));
            frame_put(frame, value);
        }
    }
}

status template_eval(const struct template *template, json input, const struct variables *variables,
                     json *ret_value, struct error *reterr)
{
    if (!is_container(template)) return leaf_eval(template, input, variables, ret_value, reterr);

    struct frame stack[DEPTH_MAX];
    size_t depth = 0;
    status code  = tree_eval(template, input, variables, stack, &depth, reterr);
    if (code == STATUS_OK) {
        *ret_value = stack[0].value;
        return STATUS_OK;
    }
    while (depth > 0) json_unref(stack[--depth].value);
    return code;
}
