/* The rules between the parts of a manifest: what its shape alone cannot say. */
#include "adapter/interface_internal.h"

enum { NAMES_MAX = 64 }; /* that are compared for "did you mean" */

static bool is_write(const struct manifest_action *action)
{
    return action->effect != EFFECT_READ;
}

static json properties_of(const struct manifest_action *action)
{
    return json_get_text(action->params, "properties");
}

static bool is_required(const struct manifest_action *action, str name)
{
    json required = json_get_text(action->params, "required");
    for (size_t i = 0; i < json_count(required); i++) {
        if (str_equal(json_str(json_at(required, i)), name)) return true;
    }
    return false;
}

static bool has_default(const struct manifest_action *action, str name)
{
    for (size_t i = 0; i < action->defaults.count; i++) {
        if (str_is(name, action->defaults.items[i].name)) return true;
    }
    return false;
}

/* --- effects ---------------------------------------------------------------------------------- */

static void lint_read(struct reading *reading, const struct manifest_action *action)
{
    const char *extra = action->idempotency.is_given  ? "idempotency"
                        : action->has_before          ? "before"
                        : manifest_undo_at(action, 0) ? "compensate"
                                                      : NULL;
    if (!extra) return;
    size_t back = reading_enter(reading, extra);
    (void)reading_refuse(reading, "M06", "an action that reads has no `%s`", extra);
    reading_leave(reading, back);
}

static void lint_write(struct reading *reading, const struct manifest_action *action)
{
    bool makes  = action->effect == EFFECT_CREATE || action->effect == EFFECT_SEND;
    bool undoes = manifest_undo_at(action, 0) || action->irreversible;
    bool finds  = action->idempotency.kind == IDEMPOTENCY_LOOKUP ||
                 action->idempotency.kind == IDEMPOTENCY_COMPARE;
    if (!action->idempotency.is_given) {
        struct diagnostic *finding = reading_refuse(
            reading, "M06", "an action that writes needs `idempotency`: what if it is done twice?");
        diagnostic_hint(reading->list, finding,
                        "`natural`, `none`, `{header: …}`, `{body: …}`, `{lookup: […]}` or "
                        "`{skip_when: …, output: …}`");
    }
    if (makes && !undoes) {
        struct diagnostic *finding = reading_refuse(
            reading, "M06", "what an action with the effect `%s` does must be undone",
            effect_name(action->effect));
        diagnostic_hint(reading->list, finding, "`compensate: […]`, or `irreversible: why`");
    }
    if (finds && manifest_undo_at(action, 0) && action->compensate.count == 0) {
        (void)reading_refuse(reading, "M06",
                             "what is found to be done has no outputs of steps: the action needs a "
                             "`compensate` of its own beside those of its steps");
    }
    if (action->idempotency.kind == IDEMPOTENCY_COMPARE && !action->has_before) {
        (void)reading_refuse(reading, "M06", "`skip_when` compares with what `before` has read");
    }
    if (action->cache_ms > 0) {
        (void)reading_refuse(reading, "M06", "only an action that reads can be cached");
    }
}

/* --- other actions ---------------------------------------------------------------------------- */

static void refuse_action(struct reading *reading, const char *name)
{
    const struct manifest *manifest = reading->manifest;
    const char *names[NAMES_MAX];
    size_t count = 0;
    for (size_t i = 0; i < manifest->action_count && count < NAMES_MAX; i++) {
        names[count++] = manifest->actions[i].name;
    }
    size_t back                = reading_enter(reading, "action");
    struct diagnostic *finding = reading_refuse(reading, "M04", "there is no action `%s`", name);
    const char *near           = nearest_name(str_from(name), names, count);
    if (near) diagnostic_hint(reading->list, finding, "did you mean `%s`?", near);
    reading_leave(reading, back);
}

static void lint_given(struct reading *reading, const struct manifest_action *other, json with)
{
    json properties = properties_of(other);
    const char *names[NAMES_MAX];
    size_t count = 0;
    for (size_t i = 0; i < json_count(properties) && count < NAMES_MAX; i++) {
        names[count++] = json_key_at(properties, i).ptr;
    }
    for (size_t i = 0; i < json_count(with); i++) {
        str name = json_key_at(with, i);
        if (!json_is(json_get(properties, name), JSON_INVALID)) continue;
        size_t back = reading_enter(reading, name.ptr);
        struct diagnostic *finding =
            reading_refuse(reading, "M04", "`%s` has no parameter `%s`", other->name, name.ptr);
        const char *near = nearest_name(name, names, count);
        if (near) diagnostic_hint(reading->list, finding, "did you mean `%s`?", near);
        reading_leave(reading, back);
    }
    json required = json_get_text(other->params, "required");
    for (size_t i = 0; i < json_count(required); i++) {
        str name = json_str(json_at(required, i));
        if (!json_is(json_get(with, name), JSON_INVALID) || has_default(other, name)) continue;
        (void)reading_refuse(reading, "M05", "`%s` needs the parameter `%s`", other->name,
                             name.ptr);
    }
}

/* A call of another action: that there is one, what it does, what it is given. */
static void lint_call(struct reading *reading, struct action_call *call, json map, bool must_read)
{
    call->action = manifest_action(reading->manifest, str_from(call->name));
    if (!call->action) {
        refuse_action(reading, call->name);
        return;
    }
    if (must_read == is_write(call->action)) {
        size_t back = reading_enter(reading, "action");
        (void)reading_refuse(reading, "M06",
                             must_read ? "`%s` writes; only an action that reads can stand here"
                                       : "`%s` only reads: it undoes nothing",
                             call->name);
        reading_leave(reading, back);
    }
    size_t back = reading_enter(reading, "with");
    lint_given(reading, call->action, json_get_text(map, "with"));
    reading_leave(reading, back);
}

static void lint_calls(struct reading *reading, struct action_calls *calls, json map,
                       const char *key, bool must_read)
{
    json list   = json_get_text(map, key);
    size_t back = reading_enter(reading, key);
    for (size_t i = 0; i < calls->count; i++) {
        size_t of_one = reading_enter_index(reading, i);
        lint_call(reading, &calls->items[i], json_at(list, i), must_read);
        reading_leave(reading, of_one);
    }
    reading_leave(reading, back);
}

static void lint_before(struct reading *reading, struct manifest_action *action, json map)
{
    if (!action->has_before) return;
    size_t back = reading_enter(reading, "before");
    lint_call(reading, &action->before, json_get_text(map, "before"), true);
    reading_leave(reading, back);
}

/* --- requests --------------------------------------------------------------------------------- */

static void lint_variable(struct reading *reading, const struct manifest_action *action, str name)
{
    if (name.len > 0 && name.ptr[0] == '+') name = str_slice(name, 1, name.len);
    bool is_known = !json_is(json_get(properties_of(action), name), JSON_INVALID);
    if (!is_known) {
        (void)reading_refuse(reading, "M04",
                             "the path names the parameter `" STR_FMT "`, which there is not",
                             STR_ARG(name));
    } else if (!is_required(action, name) && !has_default(action, name)) {
        (void)reading_refuse(reading, "M05",
                             "`" STR_FMT
                             "` stands in the path, so it must be required or have a default",
                             STR_ARG(name));
    }
}

static void lint_path(struct reading *reading, const struct manifest_action *action,
                      const char *path)
{
    size_t back = reading_enter(reading, "path");
    for (const char *at = strchr(path, '{'); at; at = strchr(at, '{')) {
        const char *close = strchr(at, '}');
        if (!close) {
            (void)reading_refuse(reading, "M02", "a brace of the path is not closed");
            break;
        }
        lint_variable(reading, action, (str){.ptr = at + 1, .len = (size_t)(close - at) - 1});
        at = close;
    }
    reading_leave(reading, back);
}

static void lint_blob(struct reading *reading, const struct manifest_action *action,
                      const char *name)
{
    json format = json_get_text(json_get_text(properties_of(action), name), "format");
    if (json_is(format, JSON_TEXT) && str_is(json_str(format), "blob")) return;
    size_t back = reading_enter(reading, "body_blob");
    (void)reading_refuse(reading, "M04", "`%s` is no parameter with `format: blob`", name);
    reading_leave(reading, back);
}

static void lint_step(struct reading *reading, const struct manifest_action *action,
                      const struct manifest_step *step)
{
    const struct manifest_request *request = &step->request;
    bool is_http = request->kind == REQUEST_HTTP || request->kind == REQUEST_GRAPHQL;
    size_t back  = reading_enter(reading, "request");
    if (is_http && !reading->manifest->base_url) {
        (void)reading_refuse(reading, "M04", "a request needs `http.base_url` at the top");
    }
    if (request->path) lint_path(reading, action, request->path);
    if (request->body_blob) lint_blob(reading, action, request->body_blob);
    reading_leave(reading, back);
}

static void lint_steps(struct reading *reading, struct manifest_action *action, json map)
{
    json steps = json_get_text(map, "steps");
    if (json_is(steps, JSON_INVALID)) {
        lint_step(reading, action, &action->steps[0]);
        return;
    }
    size_t back = reading_enter(reading, "steps");
    for (size_t i = 0; i < action->step_count; i++) {
        size_t of_one = reading_enter_index(reading, i);
        lint_step(reading, action, &action->steps[i]);
        lint_calls(reading, &action->steps[i].compensate, json_at(steps, i), "compensate", false);
        reading_leave(reading, of_one);
    }
    reading_leave(reading, back);
}

/* `embed: <sibling>`: the service makes a vector of that text. */
static void lint_embeds(struct reading *reading, const struct manifest_action *action)
{
    json properties = properties_of(action);
    size_t back     = reading_enter(reading, "params");
    size_t inner    = reading_enter(reading, "properties");
    for (size_t i = 0; i < json_count(properties); i++) {
        json source = json_get_text(json_value_at(properties, i), "embed");
        if (!json_is(source, JSON_TEXT)) continue;
        if (!json_is(json_get(properties, json_str(source)), JSON_INVALID)) continue;
        size_t of_one = reading_enter(reading, json_key_at(properties, i).ptr);
        (void)reading_refuse(reading, "M04", "`embed` names `%s`, which is no parameter",
                             json_str(source).ptr);
        reading_leave(reading, of_one);
    }
    reading_leave(reading, inner);
    reading_leave(reading, back);
}

static void lint_files(struct reading *reading, json properties)
{
    for (size_t i = 0; i < json_count(properties); i++) {
        size_t back = reading_enter(reading, json_key_at(properties, i).ptr);
        files_lint(reading, json_value_at(properties, i));
        reading_leave(reading, back);
    }
}

static void lint_params(struct reading *reading, json params)
{
    size_t back  = reading_enter(reading, "params");
    size_t inner = reading_enter(reading, "properties");
    lint_files(reading, json_get_text(params, "properties"));
    reading_leave(reading, inner);
    reading_leave(reading, back);
}

static void lint_aliases(struct reading *reading, const struct manifest_action *action)
{
    size_t back = reading_enter(reading, "aliases");
    for (size_t i = 0; i < json_count(action->aliases); i++) {
        str alias = json_str(json_at(action->aliases, i));
        if (manifest_action(reading->manifest, alias) == action) continue;
        size_t of_one = reading_enter_index(reading, i);
        (void)reading_refuse(reading, "M04", "another action has the name `%s`", alias.ptr);
        reading_leave(reading, of_one);
    }
    reading_leave(reading, back);
}

static void lint_budgets(struct reading *reading)
{
    const struct rate_limit *limit = &reading->manifest->rate_limit;
    size_t back                    = reading_enter(reading, "rate_limit");
    size_t inner                   = reading_enter(reading, "budgets");
    for (size_t i = 0; i < limit->budget_count; i++) {
        json names     = limit->budgets[i].actions;
        size_t of_one  = reading_enter_index(reading, i);
        size_t of_list = reading_enter(reading, "actions");
        for (size_t k = 0; k < json_count(names); k++) {
            str name                             = json_str(json_at(names, k));
            const struct manifest_action *action = manifest_action(reading->manifest, name);
            if (action && str_is(name, action->name)) continue;
            size_t of_name = reading_enter_index(reading, k);
            (void)reading_refuse(reading, "M04", "there is no action `%s`", name.ptr);
            reading_leave(reading, of_name);
        }
        reading_leave(reading, of_list);
        reading_leave(reading, of_one);
    }
    reading_leave(reading, inner);
    reading_leave(reading, back);
}

/* The adapter's own. */
static void lint_names(struct reading *reading)
{
    const struct manifest *manifest = reading->manifest;
    size_t back                     = reading_enter(reading, "aliases");
    for (size_t i = 0; i < json_count(manifest->aliases); i++) {
        if (!str_is(json_str(json_at(manifest->aliases, i)), manifest->name)) continue;
        size_t of_one = reading_enter_index(reading, i);
        (void)reading_refuse(reading, "M04", "`%s` is the name of the adapter", manifest->name);
        reading_leave(reading, of_one);
    }
    reading_leave(reading, back);
}

/* Nothing holds such requests against what the other side takes. */
static void lint_spec(struct reading *reading)
{
    const struct manifest *manifest = reading->manifest;
    bool is_described               = !json_is(json_get_text(manifest->root, "spec"), JSON_INVALID);
    if (is_described || !manifest->base_url) return;
    reading_warn(reading, "M08", "no `spec` names the official description of the API");
}

/* --- the whole -------------------------------------------------------------------------------- */

static void lint_action(struct reading *reading, struct manifest_action *action, json map)
{
    if (is_write(action)) {
        lint_write(reading, action);
    } else {
        lint_read(reading, action);
    }
    lint_aliases(reading, action);
    lint_embeds(reading, action);
    lint_params(reading, json_get_text(map, "params"));
    lint_steps(reading, action, map);
    lint_before(reading, action, map);
    size_t back = reading_enter(reading, "idempotency");
    lint_calls(reading, &action->idempotency.lookup, json_get_text(map, "idempotency"), "lookup",
               true);
    reading_leave(reading, back);
    lint_calls(reading, &action->compensate, map, "compensate", false);
}

void manifest_lint(struct reading *reading)
{
    struct manifest *manifest = reading->manifest;
    json actions              = json_get_text(manifest->root, "actions");
    lint_names(reading);
    size_t back = reading_enter(reading, "common_params");
    lint_files(reading, json_get_text(manifest->root, "common_params"));
    reading_leave(reading, back);
    back = reading_enter(reading, "actions");
    for (size_t i = 0; i < manifest->action_count; i++) {
        size_t of_one = reading_enter(reading, manifest->actions[i].name);
        lint_action(reading, &manifest->actions[i], json_value_at(actions, i));
        reading_leave(reading, of_one);
    }
    reading_leave(reading, back);
    lint_budgets(reading);
    interface_lint(reading);
    if (!reading->is_known) {
        members_lint(reading);
        lint_spec(reading);
    }
    if (reading->list->errors == 0 && !reading->is_known) examples_check(reading);
}
