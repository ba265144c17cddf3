#include "workflow/extension.h"

#include <stdio.h>
#include <string.h>

enum { EXTENSIONS_MAX = 64 };

static const char *const kinds[] = {
    "call", "composite", "emit",   "for", "listen", "raise",
    "run",  "set",       "switch", "try", "wait",   "all",
};

/* --- an extension around a task -----------------------------------------------------------------
 */

/* Its tasks know their own variables only: who writes an extension does not know what stands around
 * the tasks that it is for. */
static void inserted_read(struct reader *reader, json value, void *target)
{
    struct task_names *names = task_list_read(reader, value, target, (struct scope){});
    if (names) names->is_closed = true;
}

static void kind_read(struct reader *reader, json value, void *)
{
    size_t index;
    (void)choice_read(reader, value, kinds, ARRAY_LEN(kinds), &index);
}

static void check_purpose(struct reader *reader, void *object)
{
    const struct draft *draft         = object;
    const struct extension_body *body = &draft->task.extension;
    if (body->before.count > 0 || body->after.count > 0) return;
    struct diagnostic *finding =
        warn(reader, "V43", value_place(reader), "the extension `%s` does nothing", body->name);
    hint(reader, finding, "give it tasks in `before` or `after`");
}

static const struct field extension_fields[] = {
    {"extend", kind_read, 0, REQUIRED},
    {"when", expression_read, offsetof(struct task, extension.when), PLACE_TASK_INPUT},
    {"before", inserted_read, offsetof(struct task, extension.before), OPTIONAL},
    {"after", inserted_read, offsetof(struct task, extension.after), OPTIONAL},
};
static const struct synonym extension_synonyms[] = {
    {"extends", "extend"}, {"if", "when"}, {"pre", "before"}, {"post", "after"}, {},
};
static const struct object_kind extension_kind = {
    .what        = "an extension",
    .fields      = extension_fields,
    .field_count = ARRAY_LEN(extension_fields),
    .synonyms    = extension_synonyms,
    .finish      = check_purpose,
};

static char *joined(struct reader *reader, const char *one, const char *other)
{
    size_t one_len   = strlen(one);
    size_t other_len = strlen(other);
    char *text       = reader_alloc(reader, one_len + other_len + 1, 1);
    (void)snprintf(text, one_len + other_len + 1, "%s%s", one, other);
    return text;
}

/* "/use/extensions/0/logging" and "/do/0/pay": "/do/0/pay/extensions/logging". */
static char *reference_of(struct reader *reader, const struct draft *wrapper,
                          const struct extension *extension)
{
    const char *name = strrchr(extension->pointer, '/'); /* escaped as it must be */
    return joined(reader, joined(reader, wrapper->task.reference, "/extensions"), name);
}

void extension_open(struct reader *reader, struct draft *wrapper, const struct extension *extension)
{
    struct task *task    = &wrapper->task;
    task->kind           = TASK_EXTENSION;
    task->reference      = reference_of(reader, wrapper, extension);
    task->extension.name = extension->name;
    task->extension.body =
        (struct task_list){.tasks = reader_alloc(reader, 1, sizeof(task_index)), .count = 1};
    wrapper->source  = &reader->main;
    wrapper->pointer = extension->pointer;
    reader->draft    = wrapper;
    reader->source   = &reader->main;
    reader->scope    = (struct scope){};
    buf_clear(&reader->pointer);
    (void)buf_put_text(&reader->pointer, extension->pointer);
    (void)object_read(reader, &extension_kind, extension->value, wrapper);
}

bool extension_is_for(struct extension *extension, const char *form)
{
    bool is_composite = strcmp(form, "do") == 0 || strcmp(form, "fork") == 0;
    bool is_for       = strcmp(extension->kind, "all") == 0 ||
                  (is_composite ? strcmp(extension->kind, "composite") == 0
                                : strcmp(extension->kind, form) == 0);
    extension->is_used = extension->is_used || is_for;
    return is_for;
}

/* --- declaring ----------------------------------------------------------------------------------
 */

static const char *kind_of(json value)
{
    json extend = json_get_text(value, "extend");
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (json_is(extend, JSON_TEXT) && str_is(json_str(extend), kinds[i])) return kinds[i];
    }
    return ""; /* for no task: what is wrong is found when it is read */
}

static bool is_declared(const struct reader *reader, str name)
{
    for (const struct extension *e = reader->extensions; e; e = e->next) {
        if (str_is(name, e->name)) return true;
    }
    return false;
}

static void entry_read(struct reader *reader, json entry, struct extension ***end)
{
    if (!json_is(entry, JSON_OBJECT) || json_count(entry) != 1) {
        struct diagnostic *finding = refuse(reader, "V06", value_place(reader),
                                            "an entry of `extensions` is `name: extension`");
        hint(reader, finding, "put `- ` before each name, and indent what belongs to it");
        return;
    }
    str name    = json_key_at(entry, 0);
    size_t back = pointer_enter(reader, name);
    if (is_declared(reader, name)) {
        struct diagnostic *finding =
            refuse(reader, "V10", key_place(reader), "there are two extensions `" STR_FMT "`",
                   STR_ARG(shown(name)));
        hint(reader, finding, "rename one of the two");
    }
    str pointer                 = buf_str(&reader->pointer);
    char *copy                  = reader_alloc(reader, pointer.len + 1, 1);
    struct extension *extension = scratch_alloc(reader, 1, sizeof *extension);
    json value                  = json_value_at(entry, 0);
    memcpy(copy, pointer.ptr, pointer.len);
    *extension = (struct extension){.name    = json_str(json_key_value_at(entry, 0)).ptr,
                                    .pointer = copy,
                                    .kind    = kind_of(value),
                                    .value   = value};
    **end      = extension;
    *end       = &extension->next;
    pointer_leave(reader, back);
}

void extensions_read(struct reader *reader, json value, void *)
{
    if (!expect_kind(reader, value, JSON_ARRAY, "`extensions`")) return;
    if (json_count(value) > EXTENSIONS_MAX) {
        refuse(reader, "V01", value_place(reader), "at most %d extensions", EXTENSIONS_MAX);
        return;
    }
    struct extension **end = &reader->extensions;
    for (size_t i = 0; i < json_count(value); i++) {
        size_t back = pointer_enter_index(reader, i);
        entry_read(reader, json_at(value, i), &end);
        pointer_leave(reader, back);
    }
}

/* Read as if it stood around a task of no list, so that its mistakes are found. */
void extensions_finish(struct reader *reader)
{
    for (struct extension *e = reader->extensions; e; e = e->next) {
        if (e->is_used) continue;
        struct task_names *names = scratch_alloc(reader, 1, sizeof *names);
        struct draft *wrapper    = scratch_alloc(reader, 1, sizeof *wrapper);
        *names                   = (struct task_names){.by_name = map_new(1), .is_closed = true};
        names->next              = reader->names;
        reader->names            = names;
        wrapper->names           = names;
        wrapper->task.reference  = "";
        wrapper->task.name       = e->name;
        wrapper->task.index      = TASK_NONE;
        reader->place            = PLACE_TASK;
        reader->children         = NULL;
        reader->children_end     = &reader->children;
        extension_open(reader, wrapper, e);
        bool is_fine = reader->list->errors == reader->errors_before;
        if (is_fine) {
            struct diagnostic *finding = warn(reader, "V43", key_place(reader),
                                              "the extension `%s` is for no task", e->name);
            hint(reader, finding, "remove it, or change `extend`");
        }
        tasks_read(reader);
    }
}
