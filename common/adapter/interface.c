#include "adapter/interface_internal.h"

#include <stdio.h>
#include <string.h>

enum { ACTIONS_MAX = 8, NAMES_MAX = 12, SENTENCE_MAX = 200 };

struct interface_names {
    const char *params[NAMES_MAX];
    const char *output[NAMES_MAX];
};

struct interface_action {
    const char *name; /* NULL: there are no more */
    struct interface_names needed;
    struct interface_names wished; /* a call that gives or takes these does not work without */
};

/* docs/guide/memory.md: what stands there for `memory` and `qdrant` alike. */
static const struct interface {
    const char *name;
    struct interface_action actions[ACTIONS_MAX];
} interfaces[] = {
    {"memory",
     {{"remember",
       {{"namespace", "key", "content", "metadata", "vector"}, {"id"}},
       {{"subject", "model"}, {}}},
      {"remember_many", {{"namespace", "items"}, {"ids"}}, {{"document", "chunks"}, {"dropped"}}},
      {"recall",
       {{"namespace", "query", "vector", "limit", "min_score", "filter"}, {"items"}},
       {{"model", "subject", "document"}, {}}},
      {"get", {{"namespace", "key"}, {"item"}}, {}},
      {"delete", {{"namespace", "keys"}, {}}, {{"filter", "subject", "document"}, {"deleted"}}}}},
};

static const struct interface *interface_named(const char *name)
{
    for (size_t i = 0; i < sizeof interfaces / sizeof *interfaces; i++) {
        if (strcmp(interfaces[i].name, name) == 0) return &interfaces[i];
    }
    return NULL;
}

/* What of `names` is not in the map: an error, or a warning where one may do without. */
static void lint_names(struct reading *reading, json map, const char *const names[NAMES_MAX],
                       const char *what, bool is_needed)
{
    for (size_t i = 0; i < NAMES_MAX && names[i]; i++) {
        char text[SENTENCE_MAX];
        if (!json_is(json_get_text(map, names[i]), JSON_INVALID)) continue;
        (void)snprintf(text, sizeof text, "the interface `%s` has the %s `%s` here",
                       reading->manifest->implements, what, names[i]);
        if (is_needed) {
            (void)reading_refuse(reading, "M04", "%s", text);
        } else {
            reading_warn(reading, "M04", text);
        }
    }
}

static void lint_parts(struct reading *reading, json params, json output,
                       const struct interface_names *names, bool is_needed)
{
    lint_names(reading, params, names->params, "parameter", is_needed);
    /* An output that is one expression says nothing of its members. */
    if (json_is(output, JSON_OBJECT)) {
        lint_names(reading, output, names->output, "output", is_needed);
    }
}

static void lint_action(struct reading *reading, const struct interface_action *wanted)
{
    const struct manifest *manifest      = reading->manifest;
    const struct manifest_action *action = manifest_action(manifest, str_from(wanted->name));
    size_t back                          = reading_enter(reading, "actions");
    if (!action) {
        (void)reading_refuse(reading, "M04", "the interface `%s` has an action `%s`",
                             manifest->implements, wanted->name);
        reading_leave(reading, back);
        return;
    }
    json of_one   = json_get_text(json_get_text(manifest->root, "actions"), action->name);
    json output   = json_get_text(of_one, "output");
    json params   = json_get_text(action->params, "properties");
    size_t of_all = reading_enter(reading, action->name);
    lint_parts(reading, params, output, &wanted->needed, true);
    lint_parts(reading, params, output, &wanted->wished, false);
    reading_leave(reading, of_all);
    reading_leave(reading, back);
}

void interface_lint(struct reading *reading)
{
    const char *name = reading->manifest->implements;
    if (!name) return;
    const struct interface *found = interface_named(name);
    if (!found) {
        size_t back                = reading_enter(reading, "implements");
        struct diagnostic *finding = reading_refuse(reading, "M04", "there is no such interface");
        diagnostic_hint(reading->list, finding, "`memory` is one");
        reading_leave(reading, back);
        return;
    }
    for (size_t i = 0; i < ACTIONS_MAX && found->actions[i].name; i++) {
        lint_action(reading, &found->actions[i]);
    }
}
