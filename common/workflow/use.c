#include "workflow/use.h"

#include "workflow/catalog.h"
#include "workflow/compile.h"
#include "workflow/extension.h"
#include "workflow/secrets.h"
#include "workflow/task_read.h"

enum {
    NEAR_MAX        = 64,    /* names that are compared for "did you mean" */
    DEFINITIONS_MAX = 1'024, /* under `use`, all groups together */
};

static const struct {
    const char *word; /* "no retry `tol` in `use.retries`" */
    const char *key;
    field_read *read;
    size_t target_size; /* bytes of what it fills */
} kinds[DEFINITION_KIND_COUNT] = {
    [DEFINITION_AUTHENTICATION] = {"authentication", "authentications", authentication_policy_read,
                                   sizeof(const struct template *)},
    [DEFINITION_ERROR] = {"error", "errors", error_inline_read, sizeof(struct error_template)},
    [DEFINITION_RETRY] = {"retry", "retries", retry_policy_read, sizeof(const struct retry_rule *)},
    [DEFINITION_FUNCTION] = {"function", "functions", NULL, 0}, /* a task: function_check() */
    [DEFINITION_TIMEOUT]  = {"timeout", "timeouts", timeout_inline_read, sizeof(struct duration)},
};

/* --- declaring -------------------------------------------------------------------------------- */

/* What `call` would never find under this name. */
static void check_function_name(struct reader *reader, str name)
{
    bool is_taken = function_is_language(name) || str_starts_with(name, str_from("worker."));
    if (!is_taken && name.len > 0 && !memmem(name.ptr, name.len, "://", 3)) return;
    struct diagnostic *finding =
        refuse(reader, "V12", key_place(reader),
               "`" STR_FMT "` cannot name a function: `call` means something else by it",
               STR_ARG(shown(name)));
    hint(reader, finding, "rename it");
}

static void names_read(struct reader *reader, json value, enum definition_kind kind)
{
    if (!expect_kind(reader, value, JSON_OBJECT, "a group of `use`")) return;
    if (reader->definition_count + json_count(value) > DEFINITIONS_MAX) {
        refuse(reader, "V01", value_place(reader), "`use` declares at most %d names",
               DEFINITIONS_MAX);
        return;
    }
    reader->definition_count += json_count(value);
    for (size_t i = 0; i < json_count(value); i++) {
        str name    = json_key_at(value, i);
        size_t back = pointer_enter(reader, name);
        if (kind == DEFINITION_RETRY && str_is(name, "none")) {
            struct diagnostic *finding =
                refuse(reader, "V12", key_place(reader),
                       "`none` turns retries off; it cannot name a policy");
            hint(reader, finding, "rename it");
        }
        if (kind == DEFINITION_FUNCTION) check_function_name(reader, name);
        str pointer                   = buf_str(&reader->pointer);
        struct definition *definition = scratch_alloc(reader, 1, sizeof *definition);
        *definition                   = (struct definition){
                              .next    = reader->definitions,
                              .kind    = kind,
                              .name    = name,
                              .value   = json_value_at(value, i),
                              .pointer = scratch_alloc(reader, pointer.len + 1, 1),
        };
        memcpy(definition->pointer, pointer.ptr, pointer.len);
        reader->definitions = definition;
        pointer_leave(reader, back);
    }
}

static void authentications_read(struct reader *reader, json value, void *)
{
    names_read(reader, value, DEFINITION_AUTHENTICATION);
}

static void errors_read(struct reader *reader, json value, void *)
{
    names_read(reader, value, DEFINITION_ERROR);
}

static void retries_read(struct reader *reader, json value, void *)
{
    names_read(reader, value, DEFINITION_RETRY);
}

static void timeouts_read(struct reader *reader, json value, void *)
{
    names_read(reader, value, DEFINITION_TIMEOUT);
}

static void functions_read(struct reader *reader, json value, void *)
{
    names_read(reader, value, DEFINITION_FUNCTION);
}

static const struct field use_fields[] = {
    {"authentications", authentications_read, 0, OPTIONAL},
    {"errors", errors_read, 0, OPTIONAL},
    {"retries", retries_read, 0, OPTIONAL},
    {"timeouts", timeouts_read, 0, OPTIONAL},
    {"extensions", extensions_read, 0, OPTIONAL},
    {"functions", functions_read, 0, OPTIONAL},
    {"secrets", secrets_read, 0, OPTIONAL},
    {"catalogs", catalogs_read, 0, OPTIONAL}, /* last: their endpoints name policies, secrets */
};
static const struct synonym use_synonyms[] = {
    {"auth", "authentications"},
    {"retry", "retries"},
    {"timeout", "timeouts"},
    {},
};
static const struct object_kind use_kind = {
    .what        = "`use`",
    .fields      = use_fields,
    .field_count = ARRAY_LEN(use_fields),
    .synonyms    = use_synonyms,
};

void use_read(struct reader *reader, json value, void *target)
{
    (void)object_read(reader, &use_kind, value, target);
}

/* --- using ------------------------------------------------------------------------------------ */

struct definition *definition_peek(struct reader *reader, enum definition_kind kind, str name)
{
    if (reader->source->url) return NULL; /* `use` is the definition's alone */
    for (struct definition *d = reader->definitions; d; d = d->next) {
        if (d->kind == kind && str_equal(d->name, name)) return d;
    }
    return NULL;
}

struct definition *definition_find(struct reader *reader, enum definition_kind kind, str name)
{
    const char *near[NEAR_MAX];
    size_t count             = 0;
    struct definition *found = definition_peek(reader, kind, name);
    if (found) {
        found->is_used = true;
        return found;
    }
    for (struct definition *d = reader->definitions; d && !reader->source->url; d = d->next) {
        if (d->kind == kind && count < NEAR_MAX) near[count++] = d->name.ptr;
    }
    struct diagnostic *finding =
        refuse(reader, "V13", value_place(reader), "there is no %s `" STR_FMT "` in `use.%s`",
               kinds[kind].word, STR_ARG(shown(name)), kinds[kind].key);
    const char *nearest = nearest_name(name, near, count);
    if (nearest) {
        hint(reader, finding, "did you mean `%s`?", nearest);
    } else if (kind == DEFINITION_TIMEOUT && name.len > 1 && name.ptr[0] == 'P') {
        hint(reader, finding, "`{ after: " STR_FMT " }`", STR_ARG(shown(name)));
    } else {
        hint(reader, finding, "declare it: `use: { %s: { " STR_FMT ": … } }`", kinds[kind].key,
             STR_ARG(shown(name)));
    }
    return NULL;
}

void definition_read(struct reader *reader, struct definition *definition, field_read *read,
                     void *target)
{
    struct jump jump = pointer_jump(reader, str_from(definition->pointer));
    read(reader, definition->value, target);
    pointer_return(reader, &jump);
}

/* With `$error`, the usual name, since a policy of retries may ask for it. */
static void unused_read(struct reader *reader, struct definition *definition)
{
    const struct scope_variable error = {.name = "error", .task = TASK_NONE, .kind = SCOPE_ERROR};
    void *target = scratch_alloc(reader, 1, kinds[definition->kind].target_size);
    if (definition->kind == DEFINITION_RETRY) reader->scope = scope_extend(reader, &error, 1);
    definition_read(reader, definition, kinds[definition->kind].read, target);
    reader->scope = (struct scope){};
}

void definitions_finish(struct reader *reader)
{
    reader->place = PLACE_TASK;
    secrets_finish(reader);
    reader->secret_use = SECRET_SENT; /* an authentication; nothing else there takes secrets */
    for (struct definition *d = reader->definitions; d; d = d->next) {
        if (d->is_used) continue;
        if (d->kind == DEFINITION_FUNCTION) {
            function_check(reader, d);
        } else {
            unused_read(reader, d);
        }
        /* Whoever names it may stand in what was refused. */
        if (reader->list->errors > reader->errors_before) continue;
        struct jump jump = pointer_jump(reader, str_from(d->pointer));
        struct diagnostic *finding =
            warn(reader, "V43", key_place(reader), "nobody uses the %s `" STR_FMT "`",
                 kinds[d->kind].word, STR_ARG(shown(d->name)));
        hint(reader, finding, "remove it, or name it where it is meant");
        pointer_return(reader, &jump);
    }
}
