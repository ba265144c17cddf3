/*
 * Compiles expressions: the table of which variable exists where (docs/reference/workflow.md), and
 * findings at the offending token. All names are known to the compiler everywhere, so that one used
 * in the wrong place is told apart from one that does not exist.
 */
#include "base/assert.h"
#include "workflow/compile.h"
#include "workflow/portability.h"
#include "workflow/secrets.h"
#include "workflow/steps.h"
#include "workflow/task_read.h"

static const char *const standard_names[VARIABLE_STANDARD_COUNT] = {
    [VARIABLE_CONTEXT] = "context", [VARIABLE_INPUT] = "input",
    [VARIABLE_OUTPUT] = "output",   [VARIABLE_SECRETS] = "secrets",
    [VARIABLE_TASK] = "task",       [VARIABLE_WORKFLOW] = "workflow",
    [VARIABLE_RUNTIME] = "runtime", [VARIABLE_AUTHORIZATION] = "authorization",
    [VARIABLE_STEPS] = "steps",
};

enum {
    CONTEXT       = 1 << VARIABLE_CONTEXT,
    INPUT         = 1 << VARIABLE_INPUT,
    OUTPUT        = 1 << VARIABLE_OUTPUT,
    TASK          = 1 << VARIABLE_TASK,
    WORKFLOW      = 1 << VARIABLE_WORKFLOW,
    SECRETS       = 1 << VARIABLE_SECRETS,
    RUNTIME       = 1 << VARIABLE_RUNTIME,
    AUTHORIZATION = 1 << VARIABLE_AUTHORIZATION,
    STEPS         = 1 << VARIABLE_STEPS,
    STANDARD      = (1 << VARIABLE_STANDARD_COUNT) - 1,
    IN_TASK       = CONTEXT | INPUT | SECRETS | TASK | WORKFLOW | RUNTIME | AUTHORIZATION | STEPS,
};

static const struct {
    const char *words;
    uint32_t available;
} places[PLACE_COUNT] = {
    [PLACE_WORKFLOW_INPUT]  = {"the workflow's `input.from` and `timeout`",
                               SECRETS | WORKFLOW | RUNTIME},
    [PLACE_TASK_INPUT]      = {"`if`, `input.from` and an extension's `when`",
                               CONTEXT | SECRETS | TASK | WORKFLOW | RUNTIME | STEPS},
    [PLACE_TASK]            = {"the definition of a task", IN_TASK},
    [PLACE_TASK_OUTPUT]     = {"`output.as`", IN_TASK},
    [PLACE_TASK_EXPORT]     = {"`export.as`", IN_TASK | OUTPUT},
    [PLACE_WORKFLOW_OUTPUT] = {"the workflow's `output.as`",
                               CONTEXT | SECRETS | WORKFLOW | RUNTIME | STEPS},
    [PLACE_START_KEY]       = {"the document's `idempotencyKey`", WORKFLOW},
    [PLACE_SCHEDULE]        = {"`schedule.on`", 0},
    [PLACE_DOCUMENT]        = {"what is read when the workflow is registered", SECRETS},
};

/* What to use instead, by variable. */
static const char *const unavailable_advice[VARIABLE_STANDARD_COUNT] = {
    [VARIABLE_CONTEXT]       = "there is no run yet: `.`",
    [VARIABLE_INPUT]         = "`.`, or `$workflow.input` for what the run was started with",
    [VARIABLE_OUTPUT]        = "`$output` exists in `export.as` only; in `output.as` it is `.`",
    [VARIABLE_SECRETS]       = "there is no run yet: name the secret in a task",
    [VARIABLE_TASK]          = "it exists in tasks; of the whole there is `$workflow`",
    [VARIABLE_WORKFLOW]      = "there is no run yet: compare with a value",
    [VARIABLE_RUNTIME]       = "there is no run yet: compare with a value",
    [VARIABLE_AUTHORIZATION] = "it exists in a task, from its definition to `export.as`",
    [VARIABLE_STEPS]         = "no task has run yet: `.`",
};

const char *variable_advice(str name)
{
    static const struct {
        const char *name, *advice;
    } advices[] = {
        {"now", "`now`, without `$`"},
        {"env", "a secret of `use.secrets`, or the workflow's input"},
        {"ENV", "a secret of `use.secrets`, or the workflow's input"},
        {"vars", "`$context`, or `$steps.<task>`"},
        {"data", "`$context`, or `$steps.<task>`"},
        {"ctx", "`$context`"},
        {"step", "`$steps`"},
        {"inputs", "`$input` or `$workflow.input`"},
        {"err", "`$error`"},
        {"error", "it exists in a `catch`, under the name that `as` gives it"},
        {"item", "it exists in the body of a `for` or `foreach`, under the name given there"},
        {"index", "it exists in the body of a `for` or `foreach`, under the name given there"},
    };
    for (size_t i = 0; i < ARRAY_LEN(advices); i++) {
        if (str_is(name, advices[i].name)) return advices[i].advice;
    }
    return NULL;
}

/* --- findings --------------------------------------------------------------------------------- */

static bool is_name_part(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* Whether what follows the name of a variable at `at` is `.member` or `["member"]`. */
static bool is_member_at(str source, size_t at, str member)
{
    str rest = str_slice(source, at, source.len);
    if (str_starts_with(rest, str_from("[\""))) {
        rest = str_slice(rest, 2, rest.len);
    } else if (str_starts_with(rest, str_from("."))) {
        rest = str_slice(rest, 1, rest.len);
    } else {
        return false;
    }
    return str_starts_with(rest, member) &&
           (rest.len == member.len || !is_name_part(rest.ptr[member.len]));
}

/* Where `$name` stands in the source, with this member if it is not empty; its first place if the
 * member is not to be found, the start of the source if the variable is not. */
static size_t variable_offset(str source, str name, str member)
{
    size_t first  = 0;
    bool is_found = false;
    for (size_t i = 0; i + 1 + name.len <= source.len; i++) {
        if (source.ptr[i] != '$' || !str_equal(str_slice(source, i + 1, i + 1 + name.len), name)) {
            continue;
        }
        size_t after = i + 1 + name.len;
        if (after < source.len && is_name_part(source.ptr[after])) continue;
        if (member.len == 0 || is_member_at(source, after, member)) return i;
        if (!is_found) first = i;
        is_found = true;
    }
    return first;
}

struct yaml_place member_place(const struct reader *reader, const struct program_text *text,
                               enum variable variable, str member)
{
    size_t at = variable_offset(text->source, str_from(standard_names[variable]), member);
    return text_place(reader, text->offset + at);
}

/* A compensation also sees what the task had that it undoes, and nobody's authorization. */
static bool is_undo(const struct reader *reader)
{
    return reader->draft && reader->draft->task.is_compensation;
}

static uint32_t variables_available(const struct reader *reader)
{
    uint32_t available = places[reader->place].available;
    return is_undo(reader) ? (available | INPUT | OUTPUT) & ~(uint32_t)AUTHORIZATION : available;
}

static void refuse_unavailable(struct reader *reader, const struct program_text *text,
                               enum variable variable)
{
    struct yaml_place where = member_place(reader, text, variable, (str){});
    struct diagnostic *finding =
        refuse(reader, "V21", where, "`$%s` is not available in %s", standard_names[variable],
               is_undo(reader) ? "a compensation" : places[reader->place].words);
    const char *advice = unavailable_advice[variable];
    if (variable == VARIABLE_CONTEXT && reader->place == PLACE_WORKFLOW_INPUT) {
        advice = "the context begins as what this yields; `.` is the input";
    }
    if (variable == VARIABLE_AUTHORIZATION && is_undo(reader)) {
        advice = "what a compensation calls has an authentication of its own";
    }
    hint(reader, finding, "%s", advice);
}

static void refuse_variable(struct reader *reader, const char *const *names, uint32_t count,
                            str name, struct yaml_place where)
{
    struct diagnostic *finding = refuse(
        reader, "V21", where, "there is no variable `$" STR_FMT "` here", STR_ARG(shown(name)));
    const char *advice = variable_advice(name);
    if (advice) {
        hint(reader, finding, "%s", advice);
        return;
    }
    const char *near = nearest_name(name, names, count);
    if (near) {
        hint(reader, finding, "did you mean `$%s`?", near);
    } else {
        hint(reader, finding, "`$context`, `$input`, `$steps`, …, or a name that `as` gives");
    }
}

static void refuse_fault(struct reader *reader, const char *const *names, uint32_t count,
                         size_t offset, const struct expr_fault *fault)
{
    struct yaml_place where = text_place(reader, offset + fault->offset);
    str name                = str_from(fault->name ? fault->name : "");
    if (fault->kind == EXPR_FAULT_VARIABLE) {
        refuse_variable(reader, names, count, name, where);
        return;
    }
    const char *code           = fault->kind == EXPR_FAULT_FUNCTION ? "V22" : "V20";
    struct diagnostic *finding = refuse(reader, code, where, "%s", fault->detail);
    if (fault->hint && fault->hint[0]) hint(reader, finding, "%s", fault->hint);
}

static bool is_within_limits(struct reader *reader, str source, size_t offset)
{
    reader->expression_count++;
    reader->expression_bytes += source.len;
    if (reader->expression_count <= EXPRESSIONS_MAX && reader->expression_bytes <= SOURCE_MAX) {
        return true;
    }
    refuse(reader, "V01", text_place(reader, offset),
           "a definition has at most %d expressions of %d bytes in all", EXPRESSIONS_MAX,
           SOURCE_MAX);
    return false;
}

static size_t blanks_before(str source)
{
    size_t count = 0;
    while (count < source.len && source.ptr[count] && strchr(" \t\r\n", source.ptr[count])) count++;
    return count;
}

static bool is_blank(str source)
{
    return blanks_before(source) == source.len;
}

struct start_key {
    struct reader *reader;
    struct yaml_place where;
    bool is_refused;
};

static void start_key_refuse(struct start_key *key)
{
    if (key->is_refused) return;
    key->is_refused            = true;
    struct diagnostic *finding = refuse(key->reader, "V21", key->where,
                                        "of `$workflow` the document's `idempotencyKey` sees only "
                                        "`$workflow.input`: there is no run yet");
    hint(key->reader, finding, "`${ .order }`, from the input that the run is started with");
}

static void start_key_member(str member, void *context)
{
    if (!str_is(member, "input")) start_key_refuse(context);
}

/* What differs from start to start, such as the id of the run, would make every key a new one. */
static void check_start_key(struct reader *reader, const struct expr *program,
                            struct yaml_place where)
{
    struct start_key key = {.reader = reader, .where = where};
    if (!expr_members_used(program, VARIABLE_WORKFLOW, start_key_member, &key)) {
        start_key_refuse(&key);
    }
}

/* --- compiling -------------------------------------------------------------------------------- */

/* The names in the order of the variables. One that an inner task declares again is hidden: it gets
 * a name that no program can write. */
static uint32_t names_fill(const struct scope *scope, const char *names[EXPR_VARIABLES_MAX])
{
    memcpy(names, standard_names, sizeof standard_names);
    for (uint32_t i = 0; i < scope->count; i++) {
        const char *name = scope->variables[i].name;
        for (uint32_t k = i + 1; k < scope->count; k++) {
            if (strcmp(name, scope->variables[k].name) == 0) name = "";
        }
        names[VARIABLE_STANDARD_COUNT + i] = name;
    }
    return VARIABLE_STANDARD_COUNT + scope->count;
}

static void check_variables(struct reader *reader, const struct program_text *text, uint32_t used)
{
    uint32_t unavailable = used & ~variables_available(reader);
    for (uint32_t v = 0; v < VARIABLE_STANDARD_COUNT; v++) {
        if (unavailable & (1U << v)) refuse_unavailable(reader, text, (enum variable)v);
    }
}

bool expression_compiles(struct reader *reader, str source)
{
    const char *names[EXPR_VARIABLES_MAX];
    struct expr_names known = {.names = names, .count = names_fill(&reader->scope, names)};
    struct expr *program    = NULL;
    bool is_fine            = !is_blank(source) && source.len <= EXPR_SOURCE_MAX;
    if (!is_fine || expr_compile(source, &known, reader->scratch, &program, NULL, NULL)) {
        return false;
    }
    is_fine = (expr_variables_used(program) & STANDARD & ~variables_available(reader)) == 0;
    expr_free(program);
    return is_fine;
}

const struct expression *expression_compile(struct reader *reader, str source, size_t offset)
{
    ASSERT(reader->place != PLACE_INHERIT);
    if (!is_within_limits(reader, source, offset)) return NULL;
    if (is_blank(source)) {
        struct diagnostic *finding =
            refuse(reader, "V20", text_place(reader, offset), "the expression is empty");
        hint(reader, finding, "`${ . }` for the value itself");
        return NULL;
    }

    const char *names[EXPR_VARIABLES_MAX];
    struct expr_names known = {.names = names, .count = names_fill(&reader->scope, names)};
    struct expr *program    = NULL;
    struct expr_fault fault = {};
    if (expr_compile(source, &known, reader->scratch, &program, &fault, NULL) != STATUS_OK) {
        refuse_fault(reader, names, known.count, offset, &fault);
        return NULL;
    }
    reader_hold(reader, HOLDING_EXPR)->expr = program;

    uint32_t used                  = expr_variables_used(program);
    const struct program_text text = {.source = source, .offset = offset};
    check_variables(reader, &text, used);
    struct yaml_place where = text_place(reader, offset + blanks_before(source));
    if (expr_yield_of(program) == EXPR_YIELDS_ANY) {
        struct diagnostic *finding = warn(
            reader, "V41", where, "this may yield several values or none; only the first counts");
        hint(reader, finding, "`[…]` for a list of all, `first(…)` if one is meant");
    }
    portability_of_expression(reader, source, offset, used);
    if (reader->place == PLACE_START_KEY && (used & WORKFLOW)) {
        check_start_key(reader, program, member_place(reader, &text, VARIABLE_WORKFLOW, (str){}));
    }
    if (used & STEPS) steps_used(reader, program, &text);
    bool has_secrets = (used & variables_available(reader) & SECRETS) != 0;
    uint64_t secrets = has_secrets ? secrets_used(reader, program, &text) : 0;
    if (used & AUTHORIZATION && reader->secret_use == SECRET_SENT) reader->secret_expressions++;

    struct expression *expression = reader_alloc(reader, 1, sizeof *expression);
    char *copy                    = reader_alloc(reader, source.len + 1, 1);
    memcpy(copy, source.ptr, source.len);
    *expression = (struct expression){
        .program        = program,
        .variables_used = used,
        .scope          = reader->scope.variables,
        .scope_count    = reader->scope.count,
        .secrets_used   = secrets,
        .source         = copy,
        .line           = where.line,
        .column         = where.column,
    };
    return expression;
}

void expression_value_read(struct reader *reader, json value, void *target)
{
    const struct expression **expression = target;
    if (!json_is(value, JSON_TEXT)) {
        struct diagnostic *finding =
            refuse(reader, "V06", value_place(reader), "an expression is a text, not %s",
                   kind_words(value.kind));
        hint(reader, finding, "put it in quotes");
        return;
    }
    struct text_form form = text_form_always(reader, json_str(value));
    if (form.kind == TEXT_EXPRESSION) {
        *expression = expression_compile(reader, form.source, form.offset);
    }
}

void expression_read(struct reader *reader, json value, void *target)
{
    unsigned use       = reader->secret_use;
    reader->secret_use = SECRET_TESTED;
    expression_value_read(reader, value, target);
    reader->secret_use = use;
}
