#include "workflow/document.h"

#include "workflow/task_read.h"
#include "workflow/use.h"
#include "workflow/version.h"

enum { DSL_PATCH_MAX = 3 /* 1.0.3 is the newest that is known */ };

/* --- document --------------------------------------------------------------------------------- */

static void dsl_read(struct reader *reader, json value, void *)
{
    static const char prefix[] = "1.0.";
    struct diagnostic *finding = NULL;
    if (!json_is(value, JSON_TEXT)) {
        finding = refuse(reader, "V02", value_place(reader), "`dsl` is a text");
        hint(reader, finding, "`dsl: '1.0.3'`");
        return;
    }
    str text   = json_str(value);
    str patch  = str_slice(text, sizeof prefix - 1, text.len);
    bool is_ok = str_starts_with(text, str_from(prefix)) && patch.len == 1 && patch.ptr[0] >= '0' &&
                 patch.ptr[0] <= '0' + DSL_PATCH_MAX;
    if (is_ok) return;

    bool is_old = str_starts_with(text, str_from("0."));
    finding     = refuse(reader, "V02", value_place(reader),
                         "`" STR_FMT "` is not a version of the DSL "
                             "that is read here%s",
                         STR_ARG(shown(text)), is_old ? ": it is another grammar" : "");
    hint(reader, finding, "`dsl: '1.0.3'`");
}

static bool is_label(str text)
{
    if (text.len == 0 || text.len > WORKFLOW_NAME_MAX) return false;
    for (size_t i = 0; i < text.len; i++) {
        char c       = text.ptr[i];
        bool is_edge = i == 0 || i + 1 == text.len;
        bool good    = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    (c == '-' && !is_edge);
        if (!good) return false;
    }
    return true;
}

static void label_read(struct reader *reader, json value, void *target)
{
    if (json_is(value, JSON_TEXT) && is_label(json_str(value))) {
        *(const char **)target = json_str(value).ptr;
        return;
    }
    struct diagnostic *finding = NULL;
    if (!json_is(value, JSON_TEXT)) {
        finding = refuse(reader, "V03", value_place(reader), "this is a text, not %s",
                         kind_words(value.kind));
        hint(reader, finding, "put it in quotes");
        return;
    }
    finding = refuse(reader, "V03", value_place(reader), "`" STR_FMT "` is not a DNS label",
                     STR_ARG(shown(json_str(value))));
    hint(reader, finding, "letters, digits and `-` inside, at most %d characters",
         WORKFLOW_NAME_MAX);
}

static void version_read(struct reader *reader, json value, void *target)
{
    if (json_is(value, JSON_TEXT) && version_is_valid(json_str(value))) {
        *(const char **)target = json_str(value).ptr;
        return;
    }
    struct diagnostic *finding = refuse(reader, "V03", value_place(reader),
                                        "`version` is a semantic version: three numbers");
    hint(reader, finding, "`version: '1.2.0'`");
}

static void tags_read(struct reader *reader, json value, void *)
{
    (void)expect_kind(reader, value, JSON_OBJECT, "`tags`");
}

static void summary_read(struct reader *reader, json value, void *)
{
    const char *summary;
    text_read(reader, value, &summary);
}

static const struct field document_fields[] = {
    {"dsl", dsl_read, 0, REQUIRED},
    {"namespace", label_read, offsetof(struct workflow, namespace_), REQUIRED},
    {"name", label_read, offsetof(struct workflow, name), REQUIRED},
    {"version", version_read, offsetof(struct workflow, version), REQUIRED},
    {"title", text_read, offsetof(struct workflow, title), OPTIONAL},
    {"summary", summary_read, 0, OPTIONAL},
    {"tags", tags_read, 0, OPTIONAL},
    {"metadata", document_metadata_read, 0, OPTIONAL},
};
static const struct synonym document_synonyms[] = {
    {"description", "summary"}, {"id", "name"}, {"specVersion", "dsl"}, {"labels", "tags"}, {},
};
static const struct object_kind document_kind = {
    .what         = "`document`",
    .missing_code = "V03",
    .fields       = document_fields,
    .field_count  = ARRAY_LEN(document_fields),
    .synonyms     = document_synonyms,
};

static void head_read(struct reader *reader, json value, void *target)
{
    (void)object_read(reader, &document_kind, value, target);
}

/* --- input, output ---------------------------------------------------------------------------- */

static const struct field input_fields[] = {
    {"schema", schema_read, offsetof(struct workflow, input_schema), OPTIONAL},
    {"from", transform_read, offsetof(struct workflow, input_from), PLACE_WORKFLOW_INPUT},
};
static const struct object_kind input_kind = {
    .what = "`input`", .fields = input_fields, .field_count = ARRAY_LEN(input_fields)};

static void input_read(struct reader *reader, json value, void *target)
{
    (void)object_read(reader, &input_kind, value, target);
}

static const struct field output_fields[] = {
    {"as", transform_read, offsetof(struct workflow, output_as), PLACE_WORKFLOW_OUTPUT},
    {"schema", schema_read, offsetof(struct workflow, output_schema), OPTIONAL},
};
static const struct object_kind output_kind = {
    .what = "`output`", .fields = output_fields, .field_count = ARRAY_LEN(output_fields)};

static void output_read(struct reader *reader, json value, void *target)
{
    (void)object_read(reader, &output_kind, value, target);
}

static void do_read(struct reader *reader, json value, void *target)
{
    (void)task_list_read(reader, value, target, (struct scope){});
}

/* --- evaluate --------------------------------------------------------------------------------- */

static void language_read(struct reader *reader, json value, void *)
{
    if (!expect_kind(reader, value, JSON_TEXT, "`language`") || str_is(json_str(value), "jq")) {
        return;
    }
    struct diagnostic *finding =
        refuse(reader, "V05", value_place(reader),
               "the language `" STR_FMT "` is not supported yet", STR_ARG(shown(json_str(value))));
    hint(reader, finding, "`language: jq`");
}

static void mode_read(struct reader *reader, json value, void *)
{
    static const char *const modes[] = {"strict", "loose"};
    size_t index;
    if (!choice_read(reader, value, modes, ARRAY_LEN(modes), &index) || index == 0) return;
    reader->is_loose = true;
    struct diagnostic *finding =
        warn(reader, "V43", value_place(reader),
             "in mode `loose` every text that happens to be an expression is evaluated");
    hint(reader, finding, "leave it out, and write `${ … }` where an expression is meant");
}

static const struct field evaluate_fields[] = {
    {"language", language_read, 0, OPTIONAL},
    {"mode", mode_read, 0, OPTIONAL},
};
static const struct object_kind evaluate_kind = {
    .what = "`evaluate`", .fields = evaluate_fields, .field_count = ARRAY_LEN(evaluate_fields)};

static void evaluate_read(struct reader *reader, json value, void *target)
{
    (void)object_read(reader, &evaluate_kind, value, target);
}

/* --- the whole -------------------------------------------------------------------------------- */

/* `evaluate` before all expressions; `use` before what names its members; `do` before `output`,
 * which sees the tasks' names. */
static const struct field root_fields[] = {
    {"evaluate", evaluate_read, 0, OPTIONAL},
    {"document", head_read, 0, REQUIRED},
    {"use", use_read, 0, OPTIONAL},
    {"input", input_read, 0, OPTIONAL},
    {"timeout", timeout_read, offsetof(struct workflow, timeout), PLACE_WORKFLOW_INPUT},
    {"do", do_read, offsetof(struct workflow, root), REQUIRED},
    {"output", output_read, 0, OPTIONAL},
    {"schedule", schedule_read, offsetof(struct workflow, schedule), OPTIONAL},
};
static const struct synonym root_synonyms[] = {
    {"tasks", "do"},
    {"steps", "do"},
    {"states", "do"},
    {"timeouts", "timeout"},
    {"functions", "use: { functions: … }"},
    {"retries", "use: { retries: … }"},
    {"errors", "use: { errors: … }"},
    {"id", "document: { name: … }"},
    {"name", "document: { name: … }"},
    {"version", "document: { version: … }"},
    {"inputs", "input"},
    {"outputs", "output"},
    {},
};
static const struct object_kind root_kind = {
    .what        = "a workflow",
    .fields      = root_fields,
    .field_count = ARRAY_LEN(root_fields),
    .synonyms    = root_synonyms,
};

void document_read(struct reader *reader, json root)
{
    reader->place = PLACE_TASK;
    (void)object_read(reader, &root_kind, root, reader->workflow);
}
