/* The variables that tasks declare for what is in them: `each` and `at` of a `for`, `as` of a
 * catch. */
#include "workflow/task_read.h"

static bool is_identifier(str name)
{
    if (name.len == 0 || (name.ptr[0] >= '0' && name.ptr[0] <= '9')) return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool good =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
        if (!good) return false;
    }
    return true;
}

void variable_name_read(struct reader *reader, json value, void *target)
{
    static const char *const reserved[] = {"context", "input",    "output",  "secrets",
                                           "task",    "workflow", "runtime", "authorization",
                                           "steps",   "ENV",      "__loc__"};
    const char *name                    = NULL;
    text_read(reader, value, &name);
    if (!name) return;

    struct diagnostic *finding = NULL;
    if (name[0] == '$') {
        finding =
            refuse(reader, "V15", value_place(reader), "`%s` is a name, written without `$`", name);
        hint(reader, finding, "`%s`", name + 1);
        return;
    }
    if (!is_identifier(str_from(name))) {
        finding = refuse(reader, "V15", value_place(reader),
                         "`" STR_FMT "` is no name of a variable", STR_ARG(shown(str_from(name))));
        hint(reader, finding, "letters, digits and `_`, not beginning with a digit");
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(reserved); i++) {
        if (strcmp(name, reserved[i]) != 0) continue;
        finding = refuse(reader, "V15", value_place(reader),
                         "`$%s` would hide the standard variable", name);
        hint(reader, finding, "rename it");
        return;
    }
    *(const char **)target = name;
}

struct scope scope_extend(struct reader *reader, const struct scope_variable *added, uint32_t count)
{
    struct scope outer = reader->scope;
    if (outer.count + count > SCOPE_MAX) {
        refuse(reader, "V15", value_place(reader),
               "more than %d variables of enclosing tasks are in scope here", (int)SCOPE_MAX);
        return outer;
    }
    struct scope_variable *variables = reader_alloc(reader, outer.count + count, sizeof *variables);
    if (outer.count > 0) memcpy(variables, outer.variables, outer.count * sizeof *variables);
    memcpy(variables + outer.count, added, count * sizeof *variables);
    return (struct scope){.variables = variables, .count = outer.count + count};
}
