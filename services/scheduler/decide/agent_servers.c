/* What the tools of MCP servers are for an agent's model, and where a call of one goes. */
#include "scheduler/decide/agent_servers.h"

#include "scheduler/decide/agent_plan.h"
#include "json/json_text.h"

#include <stdio.h>

enum {
    NAME_MAX  = 64,  /* characters, as OpenAI's API has it */
    SHOWN_MAX = 100, /* bytes of a name in a message */
};

/* What is made. */
struct offer {
    json tools, origins; /* owned */
    size_t size;         /* bytes of `tools` */
};

static bool is_listed(json names, json name)
{
    for (size_t i = 0; i < json_count(names); i++) {
        if (json_equal(json_at(names, i), name)) return true;
    }
    return false;
}

/* The tools that a server has listed; anything else has none. */
static json listed_tools(const struct run *run, const struct activation *activation, uint32_t index)
{
    const struct agent_step step = {AGENT_NO_TURN, AGENT_LISTING, index};
    const struct scope *scope    = agent_scope(run, activation, agent_index(&step));
    json output                  = scope ? scope->data : json_invalid();
    json tools                   = json_get_text(output, "tools");
    return json_is(tools, JSON_ARRAY) ? tools : json_invalid();
}

static bool is_trusted(const struct run *run, const struct activation *activation, uint32_t index)
{
    const struct agent_step step = {AGENT_NO_TURN, AGENT_LISTING, index};
    const struct scope *scope    = agent_scope(run, activation, agent_index(&step));
    return scope && json_is(json_get_text(scope->data, "trusted"), JSON_TRUE);
}

/* --- one tool ----------------------------------------------------------------------------------
 */

/* Owned. */
static json offered_name_new(const struct agent_tool *server, str name)
{
    char text[NAME_MAX + 1];
    int length = snprintf(text, sizeof text, "%s_%.*s", server->name, (int)name.len, name.ptr);
    size_t end = length < 0 ? 0 : (size_t)length;
    if (end > NAME_MAX) end = NAME_MAX;
    for (size_t i = 0; i < end; i++) {
        char c       = text[i];
        bool is_fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '_' || c == '-';
        if (!is_fine) text[i] = '_';
    }
    return json_text_new((str){.ptr = text, .len = end});
}

/* Twice is the same as once, if the server is believed: it reads, or says so. What it destroys or
 * not (destructiveHint) does not matter here: adding twice is no better. */
static bool is_repeatable(json annotations)
{
    return json_is(json_get_text(annotations, "readOnlyHint"), JSON_TRUE) ||
           json_is(json_get_text(annotations, "idempotentHint"), JSON_TRUE);
}

static json origin_new(uint32_t index, json tool, bool trusts)
{
    json origin = json_object_new(4);
    json schema = json_get_text(tool, "outputSchema");
    bool again  = trusts && is_repeatable(json_get_text(tool, "annotations"));
    json_object_put_text(&origin, "tool", json_int(index));
    json_object_put_text(&origin, "name", json_ref(json_get_text(tool, "name")));
    if (trusts) json_object_put_text(&origin, "idempotent", json_bool(again));
    if (json_is(schema, JSON_OBJECT)) {
        json_object_put_text(&origin, "output_schema", json_ref(schema));
    }
    return origin;
}

/* Takes both. */
static status offer_add(struct offer *offer, json tool, json origin, struct error *reterr)
{
    CLEANUP(json_unrefp) json text = json_to_text_new(tool);
    json name                      = json_get_text(json_get_text(tool, "function"), "name");
    bool is_known                  = false;
    for (size_t i = 0; i < json_count(offer->tools) && !is_known; i++) {
        json function = json_get_text(json_at(offer->tools, i), "function");
        is_known      = json_equal(json_get_text(function, "name"), name);
    }
    offer->size += json_str(text).len;
    json_array_push(&offer->tools, tool);
    json_array_push(&offer->origins, origin);
    if (is_known) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "two tools come out as `" STR_FMT "`: give the server another `name`, or say "
                    "which of its tools are meant with `only`",
                    STR_ARG(json_str(name)));
    }
    if (json_count(offer->tools) > AGENT_TOOLS_MAX || offer->size > AGENT_OFFER_MAX) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED,
                    "an agent has at most %d tools and %d bytes of them, those of its servers "
                    "included: say which are meant with `only`",
                    AGENT_TOOLS_MAX, AGENT_OFFER_MAX);
    }
    return STATUS_OK;
}

/* --- a server ----------------------------------------------------------------------------------
 */

static status check_only(const struct agent_tool *server, json tools, struct error *reterr)
{
    for (size_t i = 0; i < json_count(server->only); i++) {
        json wanted   = json_at(server->only, i);
        bool is_there = false;
        for (size_t k = 0; k < json_count(tools) && !is_there; k++) {
            is_there = json_equal(json_get_text(json_at(tools, k), "name"), wanted);
        }
        if (is_there) continue;
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "the server of the connection `%.*s` has no tool `%.*s`, which `only` names",
                    SHOWN_MAX, server->connection, SHOWN_MAX, json_str(wanted).ptr);
    }
    return STATUS_OK;
}

static status server_add(struct offer *offer, const struct run *run,
                         const struct activation *activation, uint32_t index, struct error *reterr)
{
    const struct agent_tool *server = &activation_task(run, activation)->agent.tools[index];
    json tools                      = listed_tools(run, activation, index);
    bool trusts                     = is_trusted(run, activation, index);
    TRY(check_only(server, tools, reterr));
    for (size_t i = 0; i < json_count(tools); i++) {
        json tool = json_at(tools, i);
        json name = json_get_text(tool, "name");
        if (!json_is(name, JSON_TEXT) || json_str(name).len == 0) continue;
        if (json_is(server->only, JSON_ARRAY) && !is_listed(server->only, name)) continue;
        json said   = json_get_text(tool, "description");
        json seen   = json_is(said, JSON_TEXT) ? said : name;
        json schema = json_get_text(tool, "inputSchema");
        json made =
            agent_tool_new(offered_name_new(server, json_str(name)), seen, schema, json_invalid());
        TRY(offer_add(offer, made, origin_new(index, tool, trusts), reterr));
    }
    return STATUS_OK;
}

/* --- all ---------------------------------------------------------------------------------------
 */

static status add_all(struct offer *offer, const struct run *run,
                      const struct activation *activation, struct error *reterr)
{
    const struct agent_body *body = &activation_task(run, activation)->agent;
    json planned                  = json_get_text(activation->items, "tools");
    size_t next                   = 0; /* of those that stand there one by one */
    for (uint32_t i = 0; i < body->tool_count; i++) {
        if (body->tools[i].connection) {
            TRY(server_add(offer, run, activation, i, reterr));
            continue;
        }
        json origin = json_object_new(1);
        json_object_put_text(&origin, "tool", json_int(i));
        TRY(offer_add(offer, json_ref(json_at(planned, next++)), origin, reterr));
    }
    return STATUS_OK;
}

status agent_offer(const struct run *run, const struct activation *activation, json *ret_offer,
                   struct error *reterr)
{
    struct offer offer = {.tools = json_array_new(8), .origins = json_array_new(8)};
    status code        = add_all(&offer, run, activation, reterr);
    if (code != STATUS_OK) {
        json_unref(offer.tools);
        json_unref(offer.origins);
        return code;
    }
    json made = json_object_new(2);
    json_object_put_text(&made, "tools", offer.tools);
    json_object_put_text(&made, "origins", offer.origins);
    *ret_offer = made;
    return STATUS_OK;
}
