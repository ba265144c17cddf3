/* Tasks that choose what comes next: switch, try. */
#include "workflow/task_read.h"

/* --- switch ----------------------------------------------------------------------------------- */

static const struct field case_fields[] = {
    {"when", expression_read, offsetof(struct switch_case, when), OPTIONAL},
    {"then", flow_read, offsetof(struct switch_case, then), REQUIRED},
};
static const struct synonym case_synonyms[] = {
    {"if", "when"}, {"condition", "when"}, {"do", "then"}, {"next", "then"}, {},
};
static const struct object_kind case_kind = {
    .what        = "a case of `switch`",
    .fields      = case_fields,
    .field_count = ARRAY_LEN(case_fields),
    .synonyms    = case_synonyms,
};

static void case_read(struct reader *reader, json item, struct switch_case *result)
{
    if (!json_is(item, JSON_OBJECT) || json_count(item) != 1) {
        struct diagnostic *finding =
            refuse(reader, "V06", value_place(reader), "a case is a map with one key, its name");
        hint(reader, finding, "`- big: { when: .size > 10, then: ship }`");
        return;
    }
    size_t back  = pointer_enter(reader, json_key_at(item, 0));
    result->name = json_str(json_key_value_at(item, 0)).ptr;
    (void)object_read(reader, &case_kind, json_value_at(item, 0), result);
    pointer_leave(reader, back);
}

/* Whether a case has no `when` is asked of the document: one that does not compile has one too. */
static bool is_default(json item)
{
    return json_is(json_get_text(json_value_at(item, 0), "when"), JSON_INVALID);
}

static void cases_read(struct reader *reader, json value, void *target)
{
    struct task *task = target;
    if (!expect_kind(reader, value, JSON_ARRAY, "`switch`")) return;
    size_t count = json_count(value);
    if (count == 0) {
        struct diagnostic *finding =
            refuse(reader, "V16", value_place(reader), "`switch` has no case");
        hint(reader, finding, "`- big: { when: .size > 10, then: ship }`");
    }

    const char *first_default = NULL;
    task->choice.cases        = reader_alloc(reader, count, sizeof *task->choice.cases);
    task->choice.case_count   = (uint32_t)count;
    for (size_t i = 0; i < count; i++) {
        json item   = json_at(value, i);
        size_t back = pointer_enter_index(reader, i);
        case_read(reader, item, &task->choice.cases[i]);
        const char *name = task->choice.cases[i].name;
        if (name && is_default(item) && first_default) {
            struct diagnostic *finding = refuse(
                reader, "V16", value_place(reader),
                "`%s` and `%s` both have no `when`: there is one default", first_default, name);
            hint(reader, finding, "give one of them a `when`, or remove it");
        } else if (name && is_default(item)) {
            first_default = name;
        }
        pointer_leave(reader, back);
    }
}

static const struct field switch_fields[] = {
    {"switch", cases_read, 0, REQUIRED},
};

const struct object_kind switch_task = {
    .what        = "a `switch`",
    .fields      = switch_fields,
    .field_count = ARRAY_LEN(switch_fields),
    .base        = &task_base,
};

/* --- try -------------------------------------------------------------------------------------- */

/* `as` names a variable of all other members, so catch_read() looks at it before them. */
static void as_skip(struct reader *, json, void *)
{
}

static const struct field errors_fields[]     = {{.key = "with", .read = error_filter_read}};
static const struct synonym errors_synonyms[] = {
    {"type", "with: { type: … }"},
    {"status", "with: { status: … }"},
    {},
};
static const struct object_kind errors_kind = {
    .what        = "`catch.errors`",
    .fields      = errors_fields,
    .field_count = ARRAY_LEN(errors_fields),
    .synonyms    = errors_synonyms,
};

static void errors_read(struct reader *reader, json value, void *target)
{
    (void)object_read(reader, &errors_kind, value, target);
}

static void handler_read(struct reader *reader, json value, void *target)
{
    struct try_body *body = target;
    body->has_handler     = true;
    (void)task_list_read(reader, value, &body->handler, reader->scope);
}

static void catch_then_read(struct reader *reader, json value, void *target)
{
    struct try_body *body = target;
    body->has_then        = true;
    flow_read(reader, value, &body->then);
}

static const struct field catch_fields[] = {
    {"errors", errors_read, offsetof(struct try_body, with), OPTIONAL},
    {"when", expression_read, offsetof(struct try_body, when), OPTIONAL},
    {"exceptWhen", expression_read, offsetof(struct try_body, except_when), OPTIONAL},
    {"retry", retry_read, offsetof(struct try_body, retry), OPTIONAL},
    {"do", handler_read, 0, OPTIONAL},
    {"then", catch_then_read, 0, OPTIONAL},
    {"as", as_skip, 0, OPTIONAL},
};
static const struct synonym catch_synonyms[] = {
    {"error", "errors"},
    {"with", "errors: { with: … }"},
    {"if", "when"},
    {"unless", "exceptWhen"},
    {},
};
static const struct object_kind catch_kind = {
    .what        = "`catch`",
    .fields      = catch_fields,
    .field_count = ARRAY_LEN(catch_fields),
    .synonyms    = catch_synonyms,
};

/* `$error` (or `as`) is there in the conditions of the catch, in its retry and in its `do`. */
static void catch_read(struct reader *reader, json value, void *target)
{
    struct draft *draft   = reader->draft;
    struct try_body *body = target;
    body->as              = "error";
    json as               = json_get_text(value, "as");
    if (!json_is(as, JSON_INVALID)) {
        size_t back = pointer_enter(reader, str_from("as"));
        variable_name_read(reader, as, &body->as);
        pointer_leave(reader, back);
    }
    const struct scope_variable own = {
        .name = body->as, .task = draft->task.index, .kind = SCOPE_ERROR};
    reader->scope = scope_extend(reader, &own, 1);
    (void)object_read(reader, &catch_kind, value, body);
    reader->scope = draft->scope;
}

static const struct field try_fields[] = {
    {"try", body_read, offsetof(struct task, try_.body), REQUIRED},
    {"catch", catch_read, offsetof(struct task, try_), REQUIRED},
};

const struct object_kind try_task = {
    .what        = "a `try`",
    .fields      = try_fields,
    .field_count = ARRAY_LEN(try_fields),
    .base        = &task_base,
};
