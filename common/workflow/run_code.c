/*
 * run: somebody's programs, which are containers, scripts and shell commands (K20 to K22, K24).
 * Their form is checked, then they are refused (V31): nothing executes them.
 */
#include "workflow/compile.h"
#include "workflow/task_read.h"

void refuse_code(struct reader *reader, const char *what)
{
    struct diagnostic *finding =
        refuse(reader, "V31", key_place(reader),
               "%s is not supported yet: no namespace may run programs, and there is no setting "
               "by which an administrator could allow it",
               what);
    hint(reader, finding, "call a service, or a worker of your own: `call: worker.<name>`");
}

/* --- what they share -------------------------------------------------------------------------- */

/* One table each; the targets are thrown away. */
struct program {
    const struct template *text, *texts, *map, *source;
    struct duration after;
};

/* 1.0.3 says a list; a map names the variables of a script, or the values for a shell. */
static void arguments_read(struct reader *reader, json value, void *target)
{
    if (json_is(value, JSON_OBJECT)) {
        template_read(reader, value, target);
    } else {
        texts_list_read(reader, value, target);
    }
}

static const struct synonym program_synonyms[] = {{"args", "arguments"},
                                                  {"env", "environment"},
                                                  {"input", "stdin"},
                                                  {"cmd", "command"},
                                                  {"script", "code"},
                                                  {"lang", "language"},
                                                  {}};

#define TEXT  offsetof(struct program, text)
#define TEXTS offsetof(struct program, texts)
#define MAP   offsetof(struct program, map)

/* --- shell ------------------------------------------------------------------------------------ */

static const struct field shell_fields[] = {
    {"command", template_text_read, TEXT, REQUIRED},
    {"stdin", template_text_read, TEXT, OPTIONAL},
    {"arguments", arguments_read, TEXTS, OPTIONAL},
    {"environment", template_object_read, MAP, OPTIONAL},
};
static const struct object_kind shell_kind = {
    .what        = "`run.shell`",
    .fields      = shell_fields,
    .field_count = ARRAY_LEN(shell_fields),
    .synonyms    = program_synonyms,
};

static void shell_read(struct reader *reader, json value, void *target)
{
    refuse_code(reader, "`run.shell`");
    (void)object_read(reader, &shell_kind, value, target);
}

/* --- script ----------------------------------------------------------------------------------- */

static void language_read(struct reader *reader, json value, void *)
{
    static const char *const languages[] = {"js", "python", "javascript"}; /* the last: of 1.0.3 */
    size_t index;
    (void)choice_read(reader, value, languages, ARRAY_LEN(languages), &index);
}

static void code_read(struct reader *reader, json value, void *)
{
    const char *code; /* of another language: no expressions in it */
    text_read(reader, value, &code);
}

static const struct field script_fields[] = {
    {"language", language_read, 0, REQUIRED},
    {"code", code_read, 0, OPTIONAL},
    {"source", resource_read, offsetof(struct program, source), OPTIONAL},
    {"stdin", template_text_read, TEXT, OPTIONAL},
    {"arguments", arguments_read, TEXTS, OPTIONAL},
    {"environment", template_object_read, MAP, OPTIONAL},
};
static const struct object_kind script_kind = {
    .what        = "`run.script`",
    .fields      = script_fields,
    .field_count = ARRAY_LEN(script_fields),
    .synonyms    = program_synonyms,
};

static void script_read(struct reader *reader, json value, void *target)
{
    refuse_code(reader, "`run.script`");
    if (!object_read(reader, &script_kind, value, target)) return;
    bool has_code   = !json_is(json_get_text(value, "code"), JSON_INVALID);
    bool has_source = !json_is(json_get_text(value, "source"), JSON_INVALID);
    if (has_code == has_source) {
        refuse(reader, "V06", value_place(reader),
               "`run.script` needs exactly one of `code`, `source`");
    }
}

/* --- container -------------------------------------------------------------------------------- */

static void cleanup_read(struct reader *reader, json value, void *)
{
    static const char *const names[] = {"always", "never", "eventually"};
    size_t index;
    (void)choice_read(reader, value, names, ARRAY_LEN(names), &index);
}

static const struct field lifetime_fields[] = {
    {"cleanup", cleanup_read, 0, REQUIRED},
    {"after", span_read, offsetof(struct program, after), OPTIONAL},
};
static const struct object_kind lifetime_kind = {
    .what = "`lifetime`", .fields = lifetime_fields, .field_count = ARRAY_LEN(lifetime_fields)};

static void lifetime_read(struct reader *reader, json value, void *target)
{
    if (!object_read(reader, &lifetime_kind, value, target)) return;
    json cleanup       = json_get_text(value, "cleanup");
    bool is_eventually = json_is(cleanup, JSON_TEXT) && str_is(json_str(cleanup), "eventually");
    bool has_after     = !json_is(json_get_text(value, "after"), JSON_INVALID);
    if (is_eventually != has_after) {
        refuse(reader, "V06", value_place(reader),
               "`after` belongs to `cleanup: eventually`, and to nothing else");
    }
}

static void pull_policy_read(struct reader *reader, json value, void *)
{
    static const char *const names[] = {"ifNotPresent", "always", "never"};
    size_t index;
    (void)choice_read(reader, value, names, ARRAY_LEN(names), &index);
}

static const struct field container_fields[] = {
    {"image", template_text_read, TEXT, REQUIRED},
    {"name", template_text_read, TEXT, OPTIONAL},
    {"command", template_text_read, TEXT, OPTIONAL},
    {"ports", template_object_read, MAP, OPTIONAL},
    {"volumes", template_object_read, MAP, OPTIONAL},
    {"environment", template_object_read, MAP, OPTIONAL},
    {"stdin", template_text_read, TEXT, OPTIONAL},
    {"arguments", texts_list_read, TEXTS, OPTIONAL},
    {"lifetime", lifetime_read, 0, OPTIONAL},
    {"pullPolicy", pull_policy_read, 0, OPTIONAL},
};
static const struct object_kind container_kind = {
    .what        = "`run.container`",
    .fields      = container_fields,
    .field_count = ARRAY_LEN(container_fields),
    .synonyms    = program_synonyms,
};

static void container_read(struct reader *reader, json value, void *target)
{
    refuse_code(reader, "`run.container`");
    (void)object_read(reader, &container_kind, value, target);
}

/* --- run -------------------------------------------------------------------------------------- */

static void await_read(struct reader *reader, json value, void *)
{
    bool truth;
    boolean_read(reader, value, &truth);
}

static void return_read(struct reader *reader, json value, void *)
{
    static const char *const names[] = {"stdout", "stderr", "code", "all", "none"};
    size_t index;
    (void)choice_read(reader, value, names, ARRAY_LEN(names), &index);
}

/* Beside a program; alone it is read by run_workflow_read(). */
static void child_read(struct reader *reader, json value, void *)
{
    (void)expect_kind(reader, value, JSON_OBJECT, "`run.workflow`");
}

static const struct field run_fields[] = {
    {"container", container_read, 0, OPTIONAL}, {"script", script_read, 0, OPTIONAL},
    {"shell", shell_read, 0, OPTIONAL},         {"workflow", child_read, 0, OPTIONAL},
    {"await", await_read, 0, OPTIONAL},         {"return", return_read, 0, OPTIONAL},
};
static const struct object_kind run_kind = {
    .what = "`run`", .fields = run_fields, .field_count = ARRAY_LEN(run_fields)};

static void run_read(struct reader *reader, json value, void *target)
{
    static const char *const kinds[] = {"container", "script", "shell", "workflow"};
    struct program program           = {};
    unsigned count                   = 0;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (!json_is(json_get_text(value, kinds[i]), JSON_INVALID)) count++;
    }
    if (count == 1 && !json_is(json_get_text(value, "workflow"), JSON_INVALID)) {
        run_workflow_read(reader, value, target);
        return;
    }
    if (!object_read(reader, &run_kind, value, &program)) return;
    if (count != 1) {
        refuse(reader, "V06", value_place(reader),
               "`run` needs exactly one of `container`, `script`, `shell`, `workflow`");
    }
}

static const struct field task_fields[] = {
    {"run", run_read, offsetof(struct task, run), REQUIRED},
};

const struct object_kind run_task = {
    .what        = "a `run`",
    .fields      = task_fields,
    .field_count = ARRAY_LEN(task_fields),
    .base        = &task_base,
};
