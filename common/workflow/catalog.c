/*
 * Functions by name: those of the language itself, those that are built in, and those of the
 * catalog, which are pinned: the stored workflow keeps the description that its text named when it
 * was registered, so a newer catalog changes nothing for it.
 */
#include "workflow/catalog.h"
#include "workflow/link.h"
#include "workflow/task_read.h"
#include "workflow/use.h"

#include "base/assert.h"
#include "schema/schema.h"
#include "json/json_pointer.h"
#include "json/json_text.h"

enum {
    ARGUMENTS_MAX = 64,  /* of one function */
    NEAR_NAMES    = 512, /* names that are compared for "did you mean" */

    WORKER_NAME_MAX = 63, /* bytes behind `worker.` */
};

#define WORKER_PREFIX "worker."

/* What the built-in functions of the catalog promise: they change nothing outside. */
#define BUILTIN_VERSION "1.0.0"

static bool is_listed(const char *const *names, size_t count, str name)
{
    for (size_t i = 0; i < count; i++) {
        if (str_is(name, names[i])) return true;
    }
    return false;
}

static const struct function *builtin_find(str name)
{
    for (size_t i = 0; i < builtin_count; i++) {
        if (str_is(name, builtin_functions[i].name)) return &builtin_functions[i];
    }
    return NULL;
}

/* --- refusing -----------------------------------------------------------------------------------
 */

const char *nearest_function(struct reader *reader, str name)
{
    const char **names = scratch_alloc(reader, NEAR_NAMES, sizeof *names);
    size_t count       = 0;
    for (size_t i = 0; i < builtin_count; i++) names[count++] = builtin_functions[i].name;
    for (const struct definition *d = reader->definitions; d && count < NEAR_NAMES; d = d->next) {
        if (d->kind == DEFINITION_FUNCTION) names[count++] = d->name.ptr;
    }
    for (size_t i = 0; i < function_catalog_count(reader->catalog) && count < NEAR_NAMES; i++) {
        names[count++] = function_catalog_at(reader->catalog, i)->name;
    }
    return nearest_name(name, names, count);
}

static void refuse_function(struct reader *reader, str name)
{
    struct diagnostic *finding = refuse(reader, "V14", value_place(reader),
                                        "there is no function `" STR_FMT "`", STR_ARG(shown(name)));
    const char *near           = nearest_function(reader, name);
    if (near) {
        hint(reader, finding, "did you mean `%s`?", near);
    } else if (memchr(name.ptr, '.', name.len) && !reader->catalog) {
        hint(reader, finding, "ask a server that has it, or name its catalog: `--catalog FILE`");
    } else if (!memchr(name.ptr, '.', name.len)) {
        hint(reader, finding, "declare it: `use: { functions: { " STR_FMT ": … } }`",
             STR_ARG(shown(name)));
    }
}

static void refuse_version(struct reader *reader, const struct function_selector *selector,
                           const char *newest)
{
    struct diagnostic *finding = refuse(reader, "V14", value_place(reader),
                                        "there is no version `" STR_FMT "` of `" STR_FMT "`",
                                        STR_ARG(shown(selector->version)), STR_ARG(selector->name));
    /* A major version is what an author wants to name. */
    size_t major = strcspn(newest, ".");
    hint(reader, finding, "`" STR_FMT ":%.*s`", STR_ARG(selector->name), (int)major, newest);
}

/* --- resolving ----------------------------------------------------------------------------------
 */

static const struct function *remember(struct reader *reader, str call,
                                       const struct function *function)
{
    struct resolved *resolved = scratch_alloc(reader, 1, sizeof *resolved);
    *resolved = (struct resolved){.next = reader->resolved, .call = call, .function = *function};
    reader->resolved = resolved;
    return &resolved->function;
}

static const struct function *builtin_resolve(struct reader *reader, str call,
                                              const struct function *builtin)
{
    struct function function = *builtin;
    if (function.is_cataloged) {
        struct function_description *description = reader_alloc(reader, 1, sizeof *description);
        *description                             = (struct function_description){
                                        .name    = function.name,
                                        .version = BUILTIN_VERSION,
                                        .queue   = function.queue,
                                        .summary = function.summary ? function.summary : "",
        };
        function.description = description;
    }
    if (function.input_schema) {
        function.arguments = arguments_compile(reader, function.name, function.input_schema);
    }
    return remember(reader, call, &function);
}

/* Other names of a function stay callable, and are not what new workflows should have. */
static void warn_alias(struct reader *reader, const struct function_description *description)
{
    if (!description->alias_of) return;
    struct diagnostic *finding =
        warn(reader, "V14", value_place(reader), "`%s` is another name of `%s`", description->name,
             description->alias_of);
    hint(reader, finding, "write `%s`", description->alias_of);
}

/* A copy of the description becomes the workflow's own, under the text that named it. */
static const struct function *pin(struct reader *reader, str call, json source)
{
    json copy                                = json_invalid();
    struct error why                         = {};
    struct function_description *description = reader_alloc(reader, 1, sizeof *description);
    status read                              = reader_copy(reader, source, &copy, &why);
    if (read == STATUS_OK) read = function_description_read(copy, description, &why);
    if (read != STATUS_OK) {
        refuse(reader, "V14", value_place(reader), "`" STR_FMT "`: %s", STR_ARG(shown(call)),
               why.text);
        return NULL;
    }
    pin_add(reader, call, copy);
    warn_alias(reader, description);

    struct function function = {
        .name         = description->name,
        .queue        = description->queue,
        .is_cataloged = true,
        .with_read    = function_with_read,
        .description  = description,
    };
    if (!json_is(description->input_schema, JSON_INVALID)) {
        function.arguments = arguments_of(reader, function.name, description->input_schema);
    }
    if (!json_is(description->output_schema, JSON_INVALID)) {
        function.output_schema =
            arguments_of(reader, function.name, description->output_schema)->schema;
    }
    return remember(reader, call, &function);
}

static const struct function *select_function(struct reader *reader, str call)
{
    struct function_selector selector = {};
    if (!function_selector_read(call, &selector)) {
        struct diagnostic *finding =
            refuse(reader, "V14", value_place(reader), "`" STR_FMT "` names no function",
                   STR_ARG(shown(call)));
        hint(reader, finding, "write name, name:version or name:version@catalog");
        return NULL;
    }
    struct own_catalog *own = catalog_find(reader, selector.catalog);
    if (own) return function_of_catalog(reader, own, &selector);
    if (selector.catalog.len > 0 && !str_is(selector.catalog, "default")) {
        catalog_refuse(reader, selector.catalog);
        return NULL;
    }
    const struct function *builtin = builtin_find(selector.name);
    if (builtin && builtin->is_cataloged) {
        if (function_version_matches(str_from(BUILTIN_VERSION), selector.version)) {
            return builtin_resolve(reader, call, builtin);
        }
        refuse_version(reader, &selector, BUILTIN_VERSION);
        return NULL;
    }
    const struct function_description *newest =
        function_catalog_find(reader->catalog, selector.name, (str){});
    const struct function_description *found =
        function_catalog_find(reader->catalog, selector.name, selector.version);
    if (found) return pin(reader, call, found->source);
    if (newest) {
        refuse_version(reader, &selector, newest->version);
    } else {
        refuse_function(reader, selector.name);
    }
    return NULL;
}

static void say_state(struct reader *reader, const struct function *function)
{
    if (function->state == FUNCTION_EXECUTED) return;
    struct diagnostic *finding = refuse(reader, "V05", value_place(reader),
                                        "`call: %s` is not supported yet", function->name);
    hint(reader, finding, ROADMAP_HINT);
}

/* A task of `use.functions`. */
static const struct function *declared_resolve(struct reader *reader, str call)
{
    struct definition *definition = definition_find(reader, DEFINITION_FUNCTION, call);
    struct borrowed_task *task    = scratch_alloc(reader, 1, sizeof *task);
    *task                         = (struct borrowed_task){.name       = definition->name.ptr,
                                                           .source     = &reader->main,
                                                           .pointer    = definition->pointer,
                                                           .definition = definition->value};
    struct function *function     = scratch_alloc(reader, 1, sizeof *function);

    function->name      = task->name;
    function->queue     = "";
    function->with_read = any_with_read;
    function->task      = task;
    return function; /* not remembered: other documents do not see it */
}

/* `worker.<name>`: whoever polls the queue for this function knows what it is. */
static const struct function *worker_resolve(struct reader *reader, str call)
{
    str name     = str_slice(call, strlen(WORKER_PREFIX), call.len);
    bool is_fine = name.len > 0 && name.len <= WORKER_NAME_MAX;
    for (size_t i = 0; is_fine && i < name.len; i++) {
        char c  = name.ptr[i];
        is_fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == '-' || c == '.';
    }
    if (!is_fine) {
        refuse(reader, "V14", value_place(reader),
               "`" STR_FMT "`: after `worker.` comes a name of letters, digits, `.`, `_` and `-`",
               STR_ARG(shown(call)));
        return NULL;
    }
    char *copy = reader_alloc(reader, call.len + 1, 1);
    memcpy(copy, call.ptr, call.len);
    const struct function function = {.name          = copy,
                                      .queue         = "default",
                                      .is_cataloged  = true,
                                      .with_read     = any_with_read,
                                      .is_own_worker = true};
    return remember(reader, call, &function);
}

/* Also a relative one, which means something in a document that has a URL of its own. */
static bool is_url(str call)
{
    return memmem(call.ptr, call.len, "://", 3) || str_starts_with(call, str_from("./")) ||
           str_starts_with(call, str_from("../"));
}

static const struct function *resolve(struct reader *reader, str call)
{
    const struct function *language = builtin_find(call);
    if (language && language->is_cataloged) language = NULL;
    if (is_url(call)) return function_at_url(reader, call);
    if (!language && definition_peek(reader, DEFINITION_FUNCTION, call)) {
        return declared_resolve(reader, call);
    }
    if (str_starts_with(call, str_from(WORKER_PREFIX))) return worker_resolve(reader, call);
    for (const struct resolved *r = reader->resolved; r; r = r->next) {
        if (str_equal(r->call, call)) return &r->function;
    }
    json pinned = json_get(reader->pins, call);
    if (!json_is(pinned, JSON_INVALID)) return pin(reader, call, pinned);
    const struct function *builtin = builtin_find(call);
    bool is_replaced = builtin && builtin->is_cataloged && catalog_find(reader, (str){});
    if (builtin && !is_replaced) return builtin_resolve(reader, call, builtin);
    return select_function(reader, call);
}

const struct function *function_resolve(struct reader *reader, str call)
{
    const struct function *function = resolve(reader, call);
    if (function) say_state(reader, function);
    return function;
}

bool function_is_language(str name)
{
    const struct function *function = builtin_find(name);
    return function && !function->is_cataloged;
}

bool function_is_builtin(str name)
{
    const struct function *function = builtin_find(name);
    return (function && function->is_cataloged);
}

json function_builtin_new(void)
{
    json list = json_array_new(builtin_count);
    for (size_t i = 0; i < builtin_count; i++) {
        const struct function *function = &builtin_functions[i];
        if (!function->is_cataloged) continue;
        json item = json_object_new(8);
        json_object_put_text(&item, "name", json_text_from(function->name));
        json_object_put_text(&item, "version", json_text_from(BUILTIN_VERSION));
        json_object_put_text(&item, "queue", json_text_from(function->queue));
        json_object_put_text(&item, "effect", json_text_from(effect_name(EFFECT_READ)));
        if (function->summary) {
            json_object_put_text(&item, "summary", json_text_from(function->summary));
        }
        json schema = json_invalid();
        if (function->input_schema) {
            status read = json_parse(str_from(function->input_schema), NULL, &schema, NULL, NULL);
            ASSERT(read == STATUS_OK); /* the text is ours */
            json_object_put_text(&item, "input_schema", schema);
        }
        json_array_push(&list, item);
    }
    return list;
}

/* --- arguments -------------------------------------------------------------------------------- */

/* Whether a rule of these keywords holds can be said although a member is an expression. */
static bool is_about_members(const char *keyword)
{
    static const char *const keywords[] = {
        "required",
        "minItems",
        "maxItems",
        "minProperties",
        "maxProperties",
        "dependentRequired",
        "additionalProperties",
    };
    return is_listed(keywords, ARRAY_LEN(keywords), str_from(keyword));
}

static void refuse_violation(struct reader *reader, const char *function, json value,
                             const struct schema_error *violation)
{
    json part = json_pointer_get(value, str_from(violation->pointer));
    if (is_expression(part)) return;
    bool is_unknown = strcmp(violation->schema_pointer, "/additionalProperties") == 0;
    if (is_unknown && !violation->pointer[0]) return; /* has been said: refuse_unknown_arguments */
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
    if (!arguments->is_closed) return;
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

static struct arguments *arguments_new(struct reader *reader, const char *function, json source,
                                       bool is_closed)
{
    struct arguments *arguments = reader_alloc(reader, 1, sizeof *arguments);
    struct schema *schema       = NULL;
    struct error why            = {};
    bool is_fine                = schema_compile(source, NULL, NULL, &schema, &why) == STATUS_OK;
    ASSERT(is_fine); /* ours, or compiled when the description was read */
    reader_hold(reader, HOLDING_SCHEMA)->schema = schema;
    *arguments = (struct arguments){function, source, schema, is_closed};
    return arguments;
}

const struct arguments *arguments_of(struct reader *reader, const char *function, json source)
{
    bool is_closed = json_is(json_get_text(source, "additionalProperties"), JSON_FALSE);
    return arguments_new(reader, function, source, is_closed);
}

/* What a provider adds to its API tomorrow is no reason to fail a run, but a typo today is a
 * finding: so built-in functions are closed for the author only. */
const struct arguments *arguments_compile(struct reader *reader, const char *function,
                                          const char *source)
{
    json value       = json_invalid();
    struct error why = {};
    bool is_fine     = json_parse(str_from(source), NULL, &value, NULL, &why) == STATUS_OK;
    ASSERT(is_fine); /* the text is ours */
    reader_hold(reader, HOLDING_JSON)->value = json_freeze(value);
    return arguments_new(reader, function, value, true);
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

void function_with_read(struct reader *reader, json value, void *target)
{
    const struct arguments *arguments = reader->draft->function->arguments;
    if (arguments) arguments_check(reader, arguments, value);
    template_read(reader, value, target);
}
