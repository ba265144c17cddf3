/*
 * Functions by name. The language resolves `call: X` in five steps; every function that the
 * language knows and nobody executes yet is refused or warned of by its name.
 */
#include "workflow/catalog.h"

#include "base/assert.h"
#include "schema/schema.h"
#include "json/json_pointer.h"
#include "json/json_text.h"

enum { ARGUMENTS_MAX = 64 /* of one function */ };

static const struct function functions[] = {
    {"http", "tools", false, true, http_with_read, FUNCTION_EXECUTED},
    {"openapi", "tools", false, true, openapi_with_read, FUNCTION_AWAITED},
    {"mcp", "tools", false, true, mcp_with_read, FUNCTION_AWAITED},
    {"a2a", "tools", false, true, a2a_with_read, FUNCTION_AWAITED},
    {"grpc", "tools", false, true, grpc_with_read, FUNCTION_REFUSED},
    {"asyncapi", "tools", false, true, asyncapi_with_read, FUNCTION_REFUSED},
    {"llm.chat", "llm", true, true, chat_with_read, FUNCTION_EXECUTED},
};

/* Functions of the default catalog that have a name of their own. */
static const char *const known[] = {
    "llm.embed",      "agent.run",       "tutti.compensate", "tutti.variant",
    "assistant.list", "memory.remember", "memory.recall",    "memory.remember_many",
    "memory.get",     "memory.delete",   "memory.forget",    "memory.reembed",
};

/* Families whose functions are the actions of adapters; `worker.` are the users' own. */
static const char *const families[] = {
    "worker.",   "memory.", "github.",  "slack.",   "notion.",     "figma.",
    "sendgrid.", "smtp.",   "buffer.",  "grafana.", "prometheus.", "wordpress.",
    "s3.",       "web.",    "browser.", "http.",    "mcp.",
};

static bool is_listed(const char *const *names, size_t count, str name)
{
    for (size_t i = 0; i < count; i++) {
        if (str_is(name, names[i])) return true;
    }
    return false;
}

static bool is_of_family(str name)
{
    for (size_t i = 0; i < ARRAY_LEN(families); i++) {
        if (str_starts_with(name, str_from(families[i]))) return true;
    }
    return false;
}

static const struct function *function_find(str name)
{
    for (size_t i = 0; i < ARRAY_LEN(functions); i++) {
        if (str_is(name, functions[i].name)) return &functions[i];
    }
    return NULL;
}

/* A task under `use.functions`; that group as a whole is refused by its own reader. */
static bool is_declared(const struct reader *reader, str name)
{
    json use   = json_get_text(reader->workflow->document, "use");
    json tasks = json_get_text(use, "functions");
    return !json_is(json_get(tasks, name), JSON_INVALID);
}

static void refuse_function(struct reader *reader, str name)
{
    struct yaml_place where = value_place(reader);
    if (is_listed(known, ARRAY_LEN(known), name) || is_of_family(name) ||
        is_declared(reader, name) || memmem(name.ptr, name.len, "://", 3)) {
        refuse(reader, "V14", where, "the function `" STR_FMT "` is not supported yet",
               STR_ARG(shown(name)));
        return;
    }
    struct diagnostic *finding =
        refuse(reader, "V14", where, "there is no function `" STR_FMT "`", STR_ARG(shown(name)));
    const char *names[ARRAY_LEN(functions) + ARRAY_LEN(known)];
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_LEN(functions); i++) names[count++] = functions[i].name;
    for (size_t i = 0; i < ARRAY_LEN(known); i++) names[count++] = known[i];
    const char *near = nearest_name(name, names, count);
    if (near) hint(reader, finding, "did you mean `%s`?", near);
}

/* Splits `text` at its first `mark`; what follows goes to `*ret_rest`, empty if there is no mark.
 */
static str split_at(str text, char mark, str *ret_rest)
{
    const char *at = memchr(text.ptr, mark, text.len);
    size_t len     = at ? (size_t)(at - text.ptr) : text.len;
    *ret_rest      = at ? str_slice(text, len + 1, text.len) : (str){.ptr = "", .len = 0};
    return str_slice(text, 0, len);
}

/* The default catalog has version 1.0.0 of everything; 1 and 1.0 name the newest of theirs. */
static bool is_version_there(str version)
{
    static const char *const there[] = {"", "1", "1.0", "1.0.0"};
    return is_listed(there, ARRAY_LEN(there), version);
}

static void say_state(struct reader *reader, const struct function *function)
{
    struct diagnostic *finding = NULL;
    switch (function->state) {
    case FUNCTION_EXECUTED: return;
    case FUNCTION_AWAITED:
        finding = warn(reader, "V05", value_place(reader), "`call: %s` is not executed yet",
                       function->name);
        hint(reader, finding, "a run that gets here has a `configuration` error");
        return;
    case FUNCTION_REFUSED:
        refuse(reader, "V05", value_place(reader), "`call: %s` is not supported yet",
               function->name);
        return;
    }
}

const struct function *function_resolve(struct reader *reader, str call)
{
    const struct function *function = function_find(call);
    if (function) {
        say_state(reader, function);
        return function;
    }
    if (memmem(call.ptr, call.len, "://", 3)) {
        refuse_function(reader, call);
        return NULL;
    }
    str catalog;
    str version;
    str rest = split_at(call, '@', &catalog);
    str name = split_at(rest, ':', &version);
    if (catalog.len > 0 && !str_is(catalog, "default")) {
        refuse(reader, "V13", value_place(reader), "there is no catalog `" STR_FMT "`",
               STR_ARG(shown(catalog)));
        return NULL;
    }
    function = function_find(name);
    if (!function || !function->is_cataloged) {
        refuse_function(reader, name);
        return NULL;
    }
    if (!is_version_there(version)) {
        struct diagnostic *finding =
            refuse(reader, "V14", value_place(reader), "there is no version `" STR_FMT "` of `%s`",
                   STR_ARG(shown(version)), function->name);
        hint(reader, finding, "`%s:1`", function->name);
        return NULL;
    }
    return function;
}

/* --- arguments -------------------------------------------------------------------------------- */

/* Whether a rule of these keywords holds can be said although a member is an expression. */
static bool is_about_members(const char *keyword)
{
    static const char *const keywords[] = {
        "required", "minItems", "maxItems", "minProperties", "maxProperties", "dependentRequired",
    };
    return is_listed(keywords, ARRAY_LEN(keywords), str_from(keyword));
}

static void refuse_violation(struct reader *reader, const char *function, json value,
                             const struct schema_error *violation)
{
    json part = json_pointer_get(value, str_from(violation->pointer));
    if (is_expression(part)) return;
    if (holds_expression(part) && !is_about_members(violation->keyword)) return;

    str here         = buf_str(&reader->pointer);
    size_t back      = here.len;
    bool has_pointer = here.len + strlen(violation->pointer) < POINTER_MAX;
    if (has_pointer) (void)buf_put_text(&reader->pointer, violation->pointer);
    refuse(reader, "V14", value_place(reader), "`%s`: `%s` %s", function,
           violation->pointer[0] ? violation->pointer + 1 : "with", violation->sentence);
    pointer_leave(reader, back);
}

static void refuse_unknown_arguments(struct reader *reader, const struct arguments *arguments,
                                     json value)
{
    json properties = json_get_text(arguments->source, "properties");
    const char *names[ARGUMENTS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < json_count(properties) && count < ARGUMENTS_MAX; i++) {
        names[count++] = json_str(json_key_value_at(properties, i)).ptr;
    }
    for (size_t i = 0; i < json_count(value); i++) {
        str key = json_key_at(value, i);
        if (is_listed(names, count, key)) continue;
        size_t back = pointer_enter(reader, key);
        struct diagnostic *finding =
            refuse(reader, "V14", key_place(reader), "`" STR_FMT "` is not an argument of `%s`",
                   STR_ARG(shown(key)), arguments->function);
        const char *near = nearest_name(key, names, count);
        if (near) hint(reader, finding, "did you mean `%s`?", near);
        pointer_leave(reader, back);
    }
}

const struct arguments *arguments_compile(struct reader *reader, const char *function,
                                          const char *source)
{
    struct arguments *arguments = reader_alloc(reader, 1, sizeof *arguments);
    struct schema *schema       = NULL;
    json value                  = json_invalid();
    struct error why            = {};
    bool is_fine = json_parse(str_from(source), NULL, &value, NULL, &why) == STATUS_OK;
    ASSERT(is_fine); /* the text is ours */
    reader_hold(reader, HOLDING_JSON)->value = json_freeze(value);
    is_fine = schema_compile(value, NULL, NULL, &schema, &why) == STATUS_OK;
    ASSERT(is_fine);
    reader_hold(reader, HOLDING_SCHEMA)->schema = schema;
    *arguments = (struct arguments){.function = function, .source = value, .schema = schema};
    return arguments;
}

void arguments_check(struct reader *reader, const struct arguments *arguments, json value)
{
    refuse_unknown_arguments(reader, arguments, value);
    struct schema_errors *violations = scratch_alloc(reader, 1, sizeof *violations);
    if (schema_check(arguments->schema, value, reader->scratch, violations, NULL) == STATUS_OK) {
        return;
    }
    for (size_t i = 0; i < violations->count; i++) {
        refuse_violation(reader, arguments->function, value, &violations->items[i]);
    }
}
