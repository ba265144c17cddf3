/*
 * The request model as Anthropic's `POST /v1/messages`. Turns alternate there: what follows each
 * other on one side (results of tools, the user) is one message, and system messages stand apart.
 */
#include "llm-proxy/providers/anthropic.h"

#include "llm-proxy/chat/chat_loss.h"
#include "llm-proxy/providers/anthropic_parts.h"

#include <string.h>

enum { BUDGET_MIN = 1'024 /* tokens of thinking */ };

#define JSON_INSTRUCTION "Answer with one JSON object and nothing else."
#define FOREIGN_TOOL     "it runs at an upstream of the client's own protocol"

/* --- messages ----------------------------------------------------------------------------------
 */

static bool is_user_side(const struct chat_message *message)
{
    return message->role != ROLE_ASSISTANT;
}

static void print_messages(struct anthropic_printing *p)
{
    const struct chat_message *open = NULL;
    bool has_turns                  = chat_has_turns(p->request);
    json_member(&p->w, "messages");
    json_begin_array(&p->w);
    for (uint32_t i = 0; i < p->request->message_count; i++) {
        const struct chat_message *message = &p->request->messages[i];
        if ((message->role == ROLE_SYSTEM && has_turns) || chat_is_silent(message)) continue;
        if (!open || is_user_side(open) != is_user_side(message)) {
            if (open) json_end_array(&p->w);
            if (open) json_end_object(&p->w);
            json_begin_object(&p->w);
            json_put_text(&p->w, "role", str_from(is_user_side(message) ? "user" : "assistant"));
            json_member(&p->w, "content");
            json_begin_array(&p->w);
        }
        open = message;
        if (message->role == ROLE_TOOL) {
            anthropic_print_tool_result(p, message);
            continue;
        }
        for (uint32_t k = 0; k < message->part_count; k++) {
            anthropic_print_part(p, message, &message->parts[k]);
        }
    }
    if (open) json_end_array(&p->w);
    if (open) json_end_object(&p->w);
    json_end_array(&p->w);
}

static void print_system(struct anthropic_printing *p)
{
    const struct chat_request *request = p->request;
    bool has_turns                     = chat_has_turns(request);
    bool has_begun                     = false;
    for (uint32_t i = 0; i < request->message_count; i++) {
        const struct chat_message *message = &request->messages[i];
        if (message->role != ROLE_SYSTEM || chat_is_silent(message)) continue;
        if (!has_turns) {
            chat_lose_message(p->losses, message);
            continue;
        }
        if (!has_begun) json_member(&p->w, "system");
        if (!has_begun) json_begin_array(&p->w);
        has_begun = true;
        for (uint32_t k = 0; k < message->part_count; k++) {
            anthropic_print_part(p, message, &message->parts[k]);
        }
    }
    if (request->format == FORMAT_JSON) {
        const struct chat_part instruction = {.text = str_from(JSON_INSTRUCTION)};
        if (!has_begun) json_member(&p->w, "system");
        if (!has_begun) json_begin_array(&p->w);
        has_begun = true;
        anthropic_print_text(p, &instruction);
        chat_lose(request, p->losses, CHAT_FORMAT, LOSS_APPROXIMATED,
                  "asked for by an instruction");
    }
    if (has_begun) json_end_array(&p->w);
}

/* --- tools -------------------------------------------------------------------------------------
 */

static void print_tool(struct anthropic_printing *p, const struct chat_tool *tool)
{
    json_begin_object(&p->w);
    json_put_text(&p->w, "name", tool->name);
    if (tool->description.len > 0) json_put_text(&p->w, "description", tool->description);
    json_member(&p->w, "input_schema");
    if (json_is(tool->schema, JSON_OBJECT)) {
        json_write_value(&p->w, tool->schema);
    } else {
        json_write_raw(&p->w, str_from("{\"type\":\"object\",\"properties\":{}}"));
    }
    if (tool->is_strict) json_put_bool(&p->w, "strict", true);
    anthropic_put_value(p, "cache_control", tool->cache);
    json_end_object(&p->w);
}

static uint32_t print_tools(struct anthropic_printing *p)
{
    const struct chat_request *request = p->request;
    uint32_t count                     = 0;
    for (uint32_t i = 0; i < request->tool_count; i++) {
        const struct chat_tool *tool = &request->tools[i];
        if (tool->is_foreign) {
            chat_lose_tool(request, p->losses, i, "", LOSS_DROPPED, FOREIGN_TOOL);
        } else if (chat_may_call(request, tool->name)) {
            if (count == 0) json_member(&p->w, "tools");
            if (count == 0) json_begin_array(&p->w);
            print_tool(p, tool);
            count++;
        }
    }
    if (count > 0) json_end_array(&p->w);
    return count;
}

static void print_choice(struct anthropic_printing *p)
{
    static const char *const words[]   = {[CHOICE_UNSET]    = "auto",
                                          [CHOICE_AUTO]     = "auto",
                                          [CHOICE_NONE]     = "none",
                                          [CHOICE_REQUIRED] = "any",
                                          [CHOICE_FUNCTION] = "tool"};
    const struct chat_request *request = p->request;
    bool is_single                     = json_is(request->parallel_tools, JSON_FALSE);
    if (request->choice == CHOICE_UNSET && !is_single) return;
    json_member(&p->w, "tool_choice");
    json_begin_object(&p->w);
    anthropic_put_type(p, words[request->choice]);
    if (request->choice == CHOICE_FUNCTION) json_put_text(&p->w, "name", request->choice_name);
    if (is_single && request->choice != CHOICE_NONE) {
        json_put_bool(&p->w, "disable_parallel_tool_use", true);
    }
    json_end_object(&p->w);
}

/* --- the rest ----------------------------------------------------------------------------------
 */

static void print_number(struct anthropic_printing *p, const char *key, json value,
                         enum chat_member member, bool is_refused)
{
    if (json_is(value, JSON_INVALID)) return;
    if (is_refused) {
        chat_lose(p->request, p->losses, member, LOSS_DROPPED,
                  "this version of Anthropic's API refuses it");
    } else if (member == CHAT_TEMPERATURE && json_number(value) > 1) {
        anthropic_put_value(p, key, json_int(1));
        chat_lose(p->request, p->losses, member, LOSS_APPROXIMATED, "1 is the most there");
    } else {
        anthropic_put_value(p, key, value);
    }
}

static bool is_blank(str text)
{
    return str_trim(text, STR_BLANKS "\r\n").len == 0;
}

/* Blank ones are refused there. */
static void print_stops(struct anthropic_printing *p)
{
    const struct chat_request *request = p->request;
    bool has_begun                     = false;
    for (uint32_t i = 0; i < request->stop_count; i++) {
        if (is_blank(request->stops[i])) {
            chat_lose(request, p->losses, CHAT_STOP, LOSS_DROPPED,
                      "Anthropic takes no blank stop sequences");
            continue;
        }
        if (!has_begun) json_member(&p->w, "stop_sequences");
        if (!has_begun) json_begin_array(&p->w);
        has_begun = true;
        json_write_text(&p->w, request->stops[i]);
    }
    if (has_begun) json_end_array(&p->w);
}

static void print_sampling(struct anthropic_printing *p, str version)
{
    const struct chat_request *request = p->request;
    str limit                          = str_from(ANTHROPIC_VERSION_NEW);
    bool refuses = version.len == limit.len && memcmp(version.ptr, limit.ptr, limit.len) >= 0;
    print_number(p, "temperature", request->temperature, CHAT_TEMPERATURE, refuses);
    print_number(p, "top_p", request->top_p, CHAT_TOP_P, refuses);
    print_number(p, "top_k", request->top_k, CHAT_TOP_K, refuses);
    if (!json_is(request->seed, JSON_INVALID)) {
        chat_lose(request, p->losses, CHAT_SEED, LOSS_DROPPED, "Anthropic takes no seed");
    }
    if (request->count > 1) {
        chat_lose(request, p->losses, CHAT_COUNT, LOSS_DROPPED, "Anthropic gives one answer");
    }
    if (request->user.len > 0) {
        json_member(&p->w, "metadata");
        json_begin_object(&p->w);
        json_put_text(&p->w, "user_id", request->user);
        json_end_object(&p->w);
    }
    print_stops(p);
}

static int64_t tokens_max(const struct chat_request *request)
{
    return request->max_tokens > 0 ? request->max_tokens : ANTHROPIC_TOKENS_DEFAULT;
}

/* A budget of thinking is part of the bound of the answer. */
static void print_budget(struct anthropic_printing *p)
{
    const struct chat_request *request = p->request;
    int64_t budget                     = request->thinking_budget;
    int64_t limit                      = tokens_max(request) - 1;
    if (budget < BUDGET_MIN) budget = BUDGET_MIN;
    if (budget > limit) budget = limit;
    if (budget != request->thinking_budget) {
        chat_lose(request, p->losses, CHAT_THINKING,
                  budget < BUDGET_MIN ? LOSS_DROPPED : LOSS_APPROXIMATED,
                  "a budget of thinking is at least 1024 tokens and below that of the answer");
    }
    if (budget < BUDGET_MIN) return;
    json_member(&p->w, "thinking");
    json_begin_object(&p->w);
    anthropic_put_type(p, "enabled");
    json_put_int(&p->w, "budget_tokens", budget);
    json_end_object(&p->w);
}

/* In the middle of a turn, that is if the results of tools come last, a thinking model wants to see
 * its own thoughts before the calls. */
static bool lacks_thoughts(const struct chat_request *request)
{
    uint32_t last = request->message_count;
    while (last > 0 && request->messages[last - 1].role == ROLE_TOOL) last--;
    if (last == request->message_count || last == 0) return false;
    const struct chat_message *message = &request->messages[last - 1];
    for (uint32_t i = 0; i < message->part_count; i++) {
        if (message->parts[i].is_own) return false;
    }
    return message->role == ROLE_ASSISTANT;
}

static void print_thinking(struct anthropic_printing *p)
{
    enum chat_thinking thinking = p->request->thinking;
    if (thinking >= THINKING_BUDGET && lacks_thoughts(p->request)) {
        chat_lose(p->request, p->losses, CHAT_THINKING, LOSS_DROPPED,
                  "the thoughts before the last calls are not at hand, so this turn has none");
        return;
    }
    if (str_is(p->request->effort, "none")) thinking = THINKING_OFF;
    if (thinking == THINKING_BUDGET) {
        print_budget(p);
    } else if (thinking != THINKING_UNSET) {
        json_member(&p->w, "thinking");
        json_begin_object(&p->w);
        anthropic_put_type(p, thinking == THINKING_OFF ? "disabled" : "adaptive");
        json_end_object(&p->w);
    }
}

/* Effort and schema stand in one member. */
static void print_output(struct anthropic_printing *p)
{
    const struct chat_request *request = p->request;
    str effort                         = request->effort;
    bool has_effort                    = effort.len > 0 && !str_is(effort, "none");
    if (!has_effort && request->format != FORMAT_SCHEMA) return;
    if (str_is(effort, "minimal")) {
        effort = str_from("low");
        chat_lose(request, p->losses, CHAT_EFFORT, LOSS_APPROXIMATED, "low is the least there");
    }
    json_member(&p->w, "output_config");
    json_begin_object(&p->w);
    if (has_effort) json_put_text(&p->w, "effort", effort);
    if (request->format == FORMAT_SCHEMA) {
        json_member(&p->w, "format");
        json_begin_object(&p->w);
        anthropic_put_type(p, "json_schema");
        anthropic_put_value(p, "schema", request->schema);
        json_end_object(&p->w);
    }
    json_end_object(&p->w);
}

static void print_translated(struct anthropic_printing *p, str model, str version)
{
    const struct chat_request *request = p->request;
    json_put_text(&p->w, "model", model);
    json_put_int(&p->w, "max_tokens", tokens_max(request));
    if (request->max_tokens == 0) {
        chat_lose(request, p->losses, CHAT_MAX_TOKENS, LOSS_DEFAULTED,
                  "Anthropic wants a bound: 4096 was sent");
    }
    print_system(p);
    print_messages(p);
    if (print_tools(p) > 0) print_choice(p);
    print_sampling(p, version);
    print_thinking(p);
    print_output(p);
    if (request->is_stream) json_put_bool(&p->w, "stream", true);
    chat_lose_extra(request, p->losses);
}

bool anthropic_print(const struct chat_request *request, str model, str version,
                     struct losses *losses, struct buf *out)
{
    struct anthropic_printing p = {
        .request = request, .losses = losses, .w = json_writer_init(out)};
    json_begin_object(&p.w);
    if (request->protocol == PROTOCOL_ANTHROPIC && json_is(request->source, JSON_OBJECT)) {
        chat_print_source(request, model, &p.w);
        if (request->is_stream) json_put_bool(&p.w, "stream", true);
    } else {
        print_translated(&p, model, version);
    }
    json_end_object(&p.w);
    return !out->is_full;
}
