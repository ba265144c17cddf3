#include "tool-adapter/call/undo_list.h"

#include "adapter/scope.h"
#include "base/buf.h"
#include "base/hash.h"
#include "base/map.h"
#include "tool-adapter/call/once.h"
#include "workflow/errors.h"
#include "json/json_text.h"

#include <string.h>

enum { CALL_MAX = 1 << 20 /* bytes of a call as JSON */ };

struct undo_list {
    const struct manifest_action *action;
    const struct connection *connection;
    json *scope; /* with `item` while there is one */
    json calls;
    struct map *known; /* digests of `calls`; NULL: they may be alike */
    bool is_tentative; /* what cannot be made out was not done, and is left out */
    bool has_gap;      /* something was left out */
    bool is_full;      /* there is no room for what follows */
};

static status eval(const struct undo_list *list, const struct formula *formula, json *ret_value)
{
    return formula_eval(formula, *list->scope, scope_now_us(*list->scope), ret_value, NULL);
}

static bool holds(const struct undo_list *list, const struct formula *condition)
{
    return !condition || formula_test(condition, *list->scope, scope_now_us(*list->scope));
}

/* --- one call --------------------------------------------------------------------------------- */

/* `with` taken. */
static json call_new(const struct undo_list *list, const struct action_call *call, json with)
{
    const struct manifest *manifest   = list->action->manifest;
    CLEANUP(buf_done) struct buf name = buf_init(FUNCTION_NAME_MAX);
    (void)buf_printf(&name, "%s.%s", manifest->name, call->name);
    if (strcmp(list->connection->name, manifest->name) != 0) {
        json_object_put_text(&with, "connection", json_text_from(list->connection->name));
    }
    json made = json_object_new(2);
    json_object_put_text(&made, "function", json_text_new(buf_str(&name)));
    json_object_put_text(&made, "with", with);
    return made;
}

static bool has_default(const struct manifest_action *action, str name)
{
    for (size_t i = 0; i < action->defaults.count; i++) {
        if (str_is(name, action->defaults.items[i].name)) return true;
    }
    return false;
}

/* Says whether `with` names what is to be undone: an output that is not there yet was left out. */
static bool is_complete(const struct manifest_action *action, json with)
{
    json required = json_get_text(action->params, "required");
    if (!json_is(with, JSON_OBJECT)) return false;
    for (size_t i = 0; i < json_count(required); i++) {
        str name = json_str(json_at(required, i));
        if (json_is(json_get(with, name), JSON_INVALID) && !has_default(action, name)) return false;
    }
    return true;
}

/* Several steps may be undone by the same call. One that is too large to be told is made twice. */
static bool is_there(const struct undo_list *list, json made)
{
    CLEANUP(buf_done) struct buf text = buf_init(CALL_MAX);
    uint8_t digest[SHA256_SIZE];
    const str key = {.ptr = (const char *)digest, .len = sizeof digest};
    if (!list->known || !json_print(made, JSON_SORTED, &text)) return false;
    sha256(bytes_from(buf_str(&text)), digest);
    if (map_get(list->known, key)) return true;
    (void)map_put(list->known, key, list->known);
    return false;
}

/* Takes `made`. */
static void add(struct undo_list *list, json made)
{
    if (is_there(list, made)) {
        json_unref(made);
    } else {
        json_array_push(&list->calls, made);
    }
}

static void add_gap(struct undo_list *list)
{
    list->has_gap = true;
    if (!list->is_tentative) json_array_push(&list->calls, json_null());
}

static void add_call(struct undo_list *list, const struct action_call *call)
{
    json with = json_invalid();
    if (!holds(list, call->condition)) return;
    if (json_count(list->calls) >= UNDO_LIST_MAX) {
        list->is_full = true;
        return;
    }
    if (!call->with) with = json_object_new(1);
    if (call->with && eval(list, call->with, &with) != STATUS_OK) with = json_invalid();
    bool is_fit = list->is_tentative ? is_complete(call->action, with) : json_is(with, JSON_OBJECT);
    if (is_fit) {
        add(list, call_new(list, call, with));
    } else {
        json_unref(with);
        add_gap(list);
    }
}

static void add_each(struct undo_list *list, const struct action_call *call)
{
    CLEANUP(json_unrefp) json items = json_invalid();
    status code                     = eval(list, call->each, &items);
    if (code == STATUS_OK && json_is(items, JSON_NULL)) return;
    if (code != STATUS_OK || !json_is(items, JSON_ARRAY)) {
        add_gap(list);
        return;
    }
    for (size_t i = json_count(items); i-- > 0;) {
        scope_put(list->scope, "item", json_ref(json_at(items, i)));
        add_call(list, call);
    }
    (void)json_object_remove(list->scope, str_from("item"));
}

/* --- many of them ----------------------------------------------------------------------------- */

static void add_calls(struct undo_list *list, const struct action_calls *calls)
{
    for (size_t i = 0; i < calls->count; i++) {
        const struct action_call *call = &calls->items[i];
        if (call->each) {
            add_each(list, call);
        } else {
            add_call(list, call);
        }
    }
}

static bool is_done(json scope, const struct manifest_step *step)
{
    json steps = json_get_text(scope, "steps");
    return step->id && !json_is(json_get_text(steps, step->id), JSON_INVALID);
}

static void add_steps(struct undo_list *list)
{
    for (size_t i = list->action->step_count; i-- > 0;) {
        const struct manifest_step *step = &list->action->steps[i];
        if (is_done(*list->scope, step)) add_calls(list, &step->compensate);
    }
}

/* Whoever is to undo it must hear that there is more than can be said. */
static json overflow_new(const struct undo_list *list)
{
    CLEANUP(buf_done) struct buf text = buf_init(ERROR_TEXT_MAX);
    json overflow                     = json_object_new(1);
    (void)buf_printf(&text, "%s.%s: more than %d calls would undo it: the rest is left as it is",
                     list->action->manifest->name, list->action->name, UNDO_LIST_MAX);
    json_object_put_text(&overflow, "error",
                         error_new(ERROR_CONFIGURATION, 0, buf_str(&text), (str){}));
    return overflow;
}

/* Owned. */
static json calls_of(struct undo_list *list)
{
    map_free(list->known);
    if (list->is_full) json_array_push(&list->calls, overflow_new(list));
    if (json_count(list->calls) > 0) return list->calls;
    json_unref(list->calls);
    return json_invalid();
}

static struct map *known_new(bool is_of_steps)
{
    return is_of_steps ? map_new(UNDO_LIST_MAX) : NULL;
}

json undo_list_new(const struct manifest_action *action, const struct connection *connection,
                   json scope)
{
    CLEANUP(json_unrefp) json own = json_ref(scope);
    if (!manifest_undo_at(action, 0)) return json_invalid();
    struct undo_list list = {.action     = action,
                             .connection = connection,
                             .scope      = &own,
                             .calls      = json_array_new(1),
                             .known      = known_new(action->compensate.count == 0)};
    if (action->compensate.count > 0) {
        add_calls(&list, &action->compensate);
    } else {
        add_steps(&list);
    }
    return calls_of(&list);
}

/* --- a part ----------------------------------------------------------------------------------- */

static bool has_own_undo(const struct manifest_action *action)
{
    for (size_t i = 0; i < action->step_count; i++) {
        if (action->steps[i].compensate.count > 0) return true;
    }
    return false;
}

/* The one behind those that are done; NULL: all are. */
static const struct manifest_step *step_at_work(const struct undo_list *list)
{
    for (size_t i = 0; i < list->action->step_count; i++) {
        const struct manifest_step *step = &list->action->steps[i];
        if (!is_done(*list->scope, step) && holds(list, step->condition)) return step;
    }
    return NULL;
}

/* False: what undoes it cannot be said. */
static bool add_doubtful(struct undo_list *list, const struct manifest_step *step)
{
    list->is_tentative = true;
    add_calls(list, &step->compensate);
    list->is_tentative = false;
    return json_count(list->calls) > 0 && !list->has_gap;
}

/* What the action would put out if it ended here. */
static void put_output(struct undo_list *list)
{
    json output = json_invalid();
    if (eval(list, list->action->output, &output) == STATUS_OK) {
        scope_put(list->scope, "output", output);
    }
}

json undo_list_part_new(const struct manifest_action *action, const struct connection *connection,
                        json scope, bool is_doubtful, bool *ret_is_whole)
{
    CLEANUP(json_unrefp) json own        = json_ref(scope);
    bool has_changed                     = once_has_changed(action, json_get_text(scope, "steps"));
    bool is_of_steps                     = has_own_undo(action);
    struct undo_list list                = {.action       = action,
                                            .connection   = connection,
                                            .scope        = &own,
                                            .calls        = json_array_new(1),
                                            .known        = known_new(is_of_steps),
                                            .is_tentative = !is_of_steps};
    const struct manifest_step *doubtful = is_doubtful ? step_at_work(&list) : NULL;
    *ret_is_whole                        = !doubtful;
    if (is_of_steps) {
        if (doubtful) *ret_is_whole = add_doubtful(&list, doubtful);
        if (has_changed) add_steps(&list);
    } else if (has_changed) {
        put_output(&list);
        add_calls(&list, &action->compensate);
    }
    return calls_of(&list);
}
