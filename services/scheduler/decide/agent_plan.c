/* What an agent goes by from its start to its end: `with` evaluated, tools described, messages. */
#include "scheduler/decide/agent_plan.h"
#include "base/money.h"
#include "scheduler/decide/agent_child.h"
#include "scheduler/decide/call_assistant.h"
#include "scheduler/run/assistant.h"
#include "schema/schema.h"

#include <math.h>

/* Arguments of the agent itself; all others are those of `llm.chat`. */
static bool is_own(str key)
{
    static const char *const own[] = {"instructions", "input", "maxTurns", "budget"};
    for (size_t i = 0; i < ARRAY_LEN(own); i++) {
        if (str_is(key, own[i])) return true;
    }
    return false;
}

/* --- what is asked of the model ----------------------------------------------------------------
 */

static json chat_new(json with)
{
    json chat         = json_object_new(json_count(with));
    json instructions = json_get_text(with, "instructions");
    for (size_t i = 0; i < json_count(with); i++) {
        if (is_own(json_key_at(with, i))) continue;
        json_object_put_key(&chat, json_key_value_at(with, i), json_ref(json_value_at(with, i)));
    }
    if (instructions.kind != JSON_INVALID) {
        json_object_put_text(&chat, "system", json_ref(instructions));
    }
    return chat;
}

/* Tools are tasks, so an agent has those that its assistant had when the workflow was registered.
 * A name without a version is the newest one as long as it has the same; else the one of then. */
static status find_assistant(struct scene *scene, json reference, json *ret_definition,
                             json *ret_name, json *ret_error)
{
    json pin                   = scene->task->agent.assistant;
    json kept                  = json_get_text(pin, "definition");
    struct assistant_name name = {};
    int64_t version            = 0; /* of the pin */
    bool is_pinned             = pin.kind != JSON_INVALID && json_is(reference, JSON_TEXT) &&
                     assistant_name_read(json_str(reference), &name);
    if (!is_pinned || name.version == 0) {
        status found = assistant_find(scene, reference, ret_definition, ret_name, ret_error);
        json tools   = json_get_text(*ret_definition, "tools");
        if (!is_pinned) {
            TRY(found);
            if (json_count(tools) == 0) return STATUS_OK;
            return scene_fail(scene, ERROR_CONFIGURATION,
                              "the assistant has tools, and was not there under this name when the "
                              "workflow was registered: write `assistant: <name>`, without an "
                              "expression, and register the workflow again",
                              ret_error);
        }
        if (found == STATUS_OK && json_equal(tools, json_get_text(kept, "tools"))) return found;
    }
    (void)json_to_int(json_get_text(pin, "version"), &version);
    json_replace(ret_definition, json_ref(kept));
    json_replace(ret_name, assistant_reference_new(name.name, (uint32_t)version));
    json_replace(ret_error, json_invalid());
    return STATUS_OK;
}

static status apply_assistant(struct scene *scene, json *chat, json *ret_error)
{
    json reference = json_get_text(*chat, "assistant");
    if (reference.kind == JSON_INVALID) return STATUS_OK;
    CLEANUP(json_unrefp) json definition = json_invalid();
    CLEANUP(json_unrefp) json pinned     = json_invalid();
    json applied                         = json_invalid();
    struct error error                   = {};
    TRY(find_assistant(scene, reference, &definition, &pinned, ret_error));
    arena_clear(scene->env->scratch);
    status code =
        assistant_apply(definition, json_str(pinned), *chat, scene->env->scratch, &applied, &error);
    if (code != STATUS_OK) return scene_fail(scene, ERROR_VALIDATION, error.text, ret_error);
    json_replace(chat, applied);
    return STATUS_OK;
}

static json message_new(const char *role, json content)
{
    json message = json_object_new(2);
    json_object_put_text(&message, "role", json_text_from(role));
    json_object_put_text(&message, "content", json_ref(content));
    return message;
}

static json messages_new(json system, json input)
{
    json messages = json_array_new(2);
    if (system.kind != JSON_INVALID) json_array_push(&messages, message_new("system", system));
    if (json_is(input, JSON_TEXT)) json_array_push(&messages, message_new("user", input));
    for (size_t i = 0; json_is(input, JSON_ARRAY) && i < json_count(input); i++) {
        json_array_push(&messages, json_ref(json_at(input, i)));
    }
    return messages;
}

/* Takes a member out of an object. Owned; JSON_INVALID: it was not there. */
static json take_out(json *object, const char *key)
{
    json value = json_ref(json_get_text(*object, key));
    (void)json_object_remove(object, str_from(key));
    return value;
}

/* --- tools -------------------------------------------------------------------------------------
 */

static bool is_fixed(json fixed, str key)
{
    return json_get(fixed, key).kind != JSON_INVALID;
}

/* The schema without what is fixed: the model neither sees nor sets it. Owned. */
static json visible_new(json schema, json fixed)
{
    json visible = json_is(schema, JSON_OBJECT) ? json_ref(schema) : json_object_new(1);
    if (json_get_text(visible, "type").kind == JSON_INVALID) {
        json_object_put_text(&visible, "type", json_text_from("object")); /* providers want it */
    }
    json properties = json_ref(json_get_text(schema, "properties"));
    json required   = json_get_text(schema, "required");
    json left       = json_array_new(json_count(required));
    for (size_t i = 0; json_is(fixed, JSON_OBJECT) && i < json_count(fixed); i++) {
        if (json_is(properties, JSON_OBJECT)) {
            (void)json_object_remove(&properties, json_key_at(fixed, i));
        }
    }
    for (size_t i = 0; json_is(required, JSON_ARRAY) && i < json_count(required); i++) {
        json key = json_at(required, i);
        if (!json_is(key, JSON_TEXT) || !is_fixed(fixed, json_str(key))) {
            json_array_push(&left, json_ref(key));
        }
    }
    if (properties.kind != JSON_INVALID) json_object_put_text(&visible, "properties", properties);
    if (required.kind != JSON_INVALID) {
        json_object_put_text(&visible, "required", left);
    } else {
        json_unref(left);
    }
    return visible;
}

static json purpose_new(const struct agent_tool *tool, const struct child_description *child)
{
    if (tool->description) return json_text_lossy(str_from(tool->description));
    bool is_said = json_is(child->summary, JSON_TEXT);
    return is_said ? json_ref(child->summary) : json_text_from(tool->name);
}

json agent_tool_new(json name, json description, json schema, json fixed)
{
    json function = json_object_new(3);
    json entry    = json_object_new(2);
    json_object_put_text(&function, "name", name);
    json_object_put_text(&function, "description", json_ref(description));
    json_object_put_text(&function, "parameters", visible_new(schema, fixed));
    json_object_put_text(&entry, "type", json_text_from("function"));
    json_object_put_text(&entry, "function", function);
    return entry;
}

static json tool_new(const struct agent_tool *tool, const struct child_description *child,
                     json fixed)
{
    bool is_child                     = child->version[0] != '\0';
    CLEANUP(json_unrefp) json purpose = purpose_new(tool, child);
    return agent_tool_new(json_text_from(tool->name), purpose,
                          is_child ? child->schema : tool->schema, fixed);
}

static status put_tools(struct scene *scene, json *plan, json *ret_error)
{
    const struct agent_body *body  = &scene->task->agent;
    CLEANUP(json_unrefp) json all  = json_array_new(body->tool_count);
    CLEANUP(json_unrefp) json sets = json_array_new(body->tool_count);
    CLEANUP(json_unrefp) json pins = json_array_new(body->tool_count);
    bool has_pins                  = false;
    for (uint32_t i = 0; i < body->tool_count; i++) {
        const struct agent_tool *tool                                  = &body->tools[i];
        CLEANUP(json_unrefp) json fixed                                = json_null();
        CLEANUP(child_description_done) struct child_description child = {};
        TRY(agent_child_describe(scene, tool, &child, ret_error));
        if (tool->fixed) TRY(scene_eval(scene, tool->fixed, scene->input, &fixed, ret_error));
        bool is_child = child.version[0] != '\0';
        if (!tool->connection) json_array_push(&all, tool_new(tool, &child, fixed));
        json_array_push(&sets, json_take(&fixed));
        json_array_push(&pins, is_child ? json_text_from(child.version) : json_null());
        has_pins = has_pins || is_child;
    }
    json_object_put_text(plan, "tools", json_take(&all));
    json_object_put_text(plan, "fixed", json_take(&sets));
    if (has_pins) json_object_put_text(plan, "versions", json_take(&pins));
    return STATUS_OK;
}

/* --- limits ------------------------------------------------------------------------------------
 */

static void put_limits(json with, json *plan)
{
    json turns    = json_get_text(with, "maxTurns");
    json budget   = json_get_text(with, "budget");
    json tokens   = json_get_text(budget, "tokens");
    json usd      = json_get_text(budget, "usd");
    int64_t nanos = 0;
    bool is_given = turns.kind != JSON_INVALID;
    json_object_put_text(plan, "turns_max",
                         is_given ? json_ref(turns) : json_int(AGENT_TURNS_DEFAULT));
    if (tokens.kind != JSON_INVALID) json_object_put_text(plan, "budget_tokens", json_ref(tokens));
    if (json_is_number(usd)) nanos = llround(json_number(usd) * 1e9);
    if (json_is(usd, JSON_TEXT) && !money_parse(json_str(usd), &nanos)) nanos = 0;
    if (nanos > 0) json_object_put_text(plan, "budget_nanos", json_int(nanos));
}

static status check_schema(struct scene *scene, json schema, json *ret_error)
{
    CLEANUP(schema_freep) struct schema *compiled = NULL;
    struct error error                            = {};
    if (schema_compile(schema, NULL, NULL, &compiled, &error) == STATUS_OK) return STATUS_OK;
    return scene_fail(scene, ERROR_VALIDATION, error.text, ret_error);
}

/* --- the plan ----------------------------------------------------------------------------------
 */

status agent_plan(struct scene *scene, json *ret_plan, json *ret_error)
{
    const struct agent_body *body    = &scene->task->agent;
    CLEANUP(json_unrefp) json with   = json_invalid();
    CLEANUP(json_unrefp) json plan   = json_object_new(8);
    CLEANUP(json_unrefp) json system = json_invalid();
    CLEANUP(json_unrefp) json schema = json_invalid();
    TRY(scene_eval(scene, body->with, scene->input, &with, ret_error));
    TRY(scene_check(scene, body->with_schema, with, "with", ret_error));

    CLEANUP(json_unrefp) json chat = chat_new(with);
    TRY(apply_assistant(scene, &chat, ret_error));
    if (json_get_text(chat, "model").kind == JSON_INVALID) {
        return scene_fail(scene, ERROR_VALIDATION, "with: needs `model` or `assistant`", ret_error);
    }
    system = take_out(&chat, "system");
    schema = take_out(&chat, "schema");
    if (schema.kind != JSON_INVALID) TRY(check_schema(scene, schema, ret_error));
    json_object_put_text(&plan, "messages", messages_new(system, json_get_text(with, "input")));
    json_object_put_text(&plan, "chat", json_take(&chat));
    if (schema.kind != JSON_INVALID) json_object_put_text(&plan, "schema", json_take(&schema));
    TRY(put_tools(scene, &plan, ret_error));
    put_limits(with, &plan);
    *ret_plan = json_take(&plan);
    return STATUS_OK;
}
