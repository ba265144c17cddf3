#include "tool-adapter/undo_list.h"

#include "base/buf.h"

#include <string.h>

struct undo_list {
    const struct manifest_action *action;
    const struct connection *connection;
    json *scope; /* with `item` while there is one */
    json calls;
};

static status eval(const struct undo_list *list, const struct formula *formula, json *ret_value)
{
    return formula_eval(formula, *list->scope, scope_now_us(*list->scope), ret_value, NULL);
}

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

static void add_call(struct undo_list *list, const struct action_call *call)
{
    json with = json_invalid();
    if (call->condition &&
        !formula_test(call->condition, *list->scope, scope_now_us(*list->scope))) {
        return;
    }
    if (json_count(list->calls) == UNDO_LIST_MAX) return;
    if (!call->with) with = json_object_new(1);
    if (call->with && eval(list, call->with, &with) != STATUS_OK) with = json_invalid();
    bool is_map = json_is(with, JSON_OBJECT);
    json_array_push(&list->calls, is_map ? call_new(list, call, with) : json_null());
    if (!is_map) json_unref(with);
}

static void add_each(struct undo_list *list, const struct action_call *call)
{
    CLEANUP(json_unrefp) json items = json_invalid();
    status code                     = eval(list, call->each, &items);
    if (code == STATUS_OK && json_is(items, JSON_NULL)) return;
    if (code != STATUS_OK || !json_is(items, JSON_ARRAY)) {
        json_array_push(&list->calls, json_null());
        return;
    }
    for (size_t i = json_count(items); i-- > 0;) {
        scope_put(list->scope, "item", json_ref(json_at(items, i)));
        add_call(list, call);
    }
    (void)json_object_remove(list->scope, str_from("item"));
}

json undo_list_new(const struct manifest_action *action, const struct connection *connection,
                   json scope)
{
    CLEANUP(json_unrefp) json own = json_ref(scope);
    if (action->compensate.count == 0) return json_invalid();
    struct undo_list list = {.action     = action,
                             .connection = connection,
                             .scope      = &own,
                             .calls      = json_array_new(action->compensate.count)};
    for (size_t i = 0; i < action->compensate.count; i++) {
        const struct action_call *call = &action->compensate.items[i];
        if (call->each) {
            add_each(&list, call);
        } else {
            add_call(&list, call);
        }
    }
    if (json_count(list.calls) > 0) return list.calls;
    json_unref(list.calls);
    return json_invalid();
}
