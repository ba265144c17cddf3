#include "workflow/secrets.h"

#include "workflow/compile.h"

#include <stdio.h>

enum {
    NAME_MAX_LEN = 64, /* bytes of a secret's name, as in the configuration */
    PROGRAM_MAX  = NAME_MAX_LEN + 16,
};

/* --- declaring -------------------------------------------------------------------------------- */

bool secret_name_is_valid(str name)
{
    if (name.len == 0 || name.len > NAME_MAX_LEN || name.ptr[0] == '.') return false;
    for (size_t i = 0; i < name.len; i++) {
        char c    = name.ptr[i];
        bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '-' || c == '_' || c == '.';
        if (!good) return false;
    }
    return true;
}

static uint32_t index_of(const struct workflow *workflow, str name)
{
    for (uint32_t i = 0; i < workflow->secret_count; i++) {
        if (str_is(name, workflow->secrets[i])) return i;
    }
    return UINT32_MAX;
}

static void name_read(struct reader *reader, json value)
{
    struct workflow *workflow = reader->workflow;
    if (!expect_kind(reader, value, JSON_TEXT, "the name of a secret")) return;
    str name = json_str(value);
    if (!secret_name_is_valid(name)) {
        refuse(reader, "V06", value_place(reader),
               "the name of a secret has 1 to %d letters, digits, `-`, `_` and `.`", NAME_MAX_LEN);
    } else if (index_of(workflow, name) != UINT32_MAX) {
        refuse(reader, "V06", value_place(reader), "`" STR_FMT "` is declared twice",
               STR_ARG(shown(name)));
    } else {
        workflow->secrets[workflow->secret_count++] = name.ptr;
    }
}

void secrets_read(struct reader *reader, json value, void *)
{
    if (!json_is(value, JSON_ARRAY)) {
        struct diagnostic *finding =
            refuse(reader, "V06", value_place(reader), "`use.secrets` is a list of names, not %s",
                   kind_words(value.kind));
        hint(reader, finding, "`secrets: [ github ]`; their values stand in the configuration");
        return;
    }
    if (json_count(value) > WORKFLOW_SECRETS_MAX) {
        refuse(reader, "V01", value_place(reader), "a definition has at most %d secrets",
               WORKFLOW_SECRETS_MAX);
        return;
    }
    reader->workflow->secrets =
        reader_alloc(reader, json_count(value), sizeof *reader->workflow->secrets);
    for (size_t i = 0; i < json_count(value); i++) {
        size_t back = pointer_enter_index(reader, i);
        name_read(reader, json_at(value, i));
        pointer_leave(reader, back);
    }
}

/* --- using ------------------------------------------------------------------------------------ */

static void refuse_undeclared(struct reader *reader, struct yaml_place where, str name)
{
    const struct workflow *workflow = reader->workflow;
    struct diagnostic *finding =
        refuse(reader, "V13", where, "there is no secret `" STR_FMT "` in `use.secrets`",
               STR_ARG(shown(name)));
    const char *near = nearest_name(name, workflow->secrets, workflow->secret_count);
    if (near) {
        hint(reader, finding, "did you mean `%s`?", near);
    } else {
        hint(reader, finding, "declare it: `use: { secrets: [ " STR_FMT " ] }`",
             STR_ARG(shown(name)));
    }
}

struct naming {
    struct reader *reader;
    const struct program_text *text;
    uint64_t used;
};

static void named(str name, void *context)
{
    struct naming *naming = context;
    uint32_t index        = index_of(naming->reader->workflow, name);
    if (index != UINT32_MAX) {
        naming->used |= UINT64_C(1) << index;
    } else {
        refuse_undeclared(naming->reader,
                          member_place(naming->reader, naming->text, VARIABLE_SECRETS, name), name);
    }
}

static uint64_t all_of(const struct workflow *workflow)
{
    return workflow->secret_count == WORKFLOW_SECRETS_MAX
               ? UINT64_MAX
               : (UINT64_C(1) << workflow->secret_count) - 1;
}

uint64_t secrets_used(struct reader *reader, const struct expr *program,
                      const struct program_text *text)
{
    struct naming naming    = {.reader = reader, .text = text};
    struct yaml_place where = member_place(reader, text, VARIABLE_SECRETS, (str){});
    if (!expr_members_used(program, VARIABLE_SECRETS, named, &naming)) {
        naming.used = all_of(reader->workflow);
        if (naming.used == 0) refuse_undeclared(reader, where, str_from("<name>"));
    }
    reader->secrets_used |= naming.used;
    reader->secret_expressions++;
    if (reader->secret_use == SECRET_STORED) {
        struct diagnostic *finding = warn(reader, "V44", where,
                                          "what this yields is stored with the run, so `***` "
                                          "stands in it for every secret");
        hint(reader, finding, "use the secret where it is sent: in the `with` of a `call`");
    }
    return naming.used;
}

const struct template *secret_template(struct reader *reader, json name)
{
    if (!expect_kind(reader, name, JSON_TEXT, "the name of a secret")) return NULL;
    if (index_of(reader->workflow, json_str(name)) == UINT32_MAX) {
        refuse_undeclared(reader, value_place(reader), json_str(name));
        return NULL;
    }
    struct buf program = buf_init(PROGRAM_MAX);
    (void)buf_printf(&program, "$secrets[\"" STR_FMT "\"]", STR_ARG(json_str(name)));
    const struct expression *expression = expression_compile(reader, buf_str(&program), 0);
    buf_done(&program);
    return expression ? template_of_expression(reader, expression) : NULL;
}

void secrets_finish(struct reader *reader)
{
    const struct workflow *workflow = reader->workflow;
    if (reader->list->errors > reader->errors_before) return; /* who names it may be refused */
    for (uint32_t i = 0; i < workflow->secret_count; i++) {
        if (reader->secrets_used & UINT64_C(1) << i) continue;
        char pointer[64];
        (void)snprintf(pointer, sizeof pointer, "/use/secrets/%u", i);
        struct jump jump           = pointer_jump(reader, str_from(pointer));
        struct diagnostic *finding = warn(reader, "V43", value_place(reader),
                                          "nobody uses the secret `%s`", workflow->secrets[i]);
        hint(reader, finding, "remove it, or name it where it is meant");
        pointer_return(reader, &jump);
    }
}
