#include "llm-proxy/chat/chat_loss.h"

#include "base/assert.h"
#include "base/attr.h"

#include <stdio.h>
#include <string.h>

enum { NAME_MAX_BYTES = 128 };

#define NO_EQUIVALENT "the upstream's protocol has nothing like it"

/* OpenAI, Anthropic, Gemini */
static const char *const paths[CHAT_MEMBER_COUNT][3] = {
    [CHAT_TEMPERATURE] = {"/temperature", "/temperature", "/generationConfig/temperature"},
    [CHAT_TOP_P]       = {"/top_p", "/top_p", "/generationConfig/topP"},
    [CHAT_TOP_K]       = {"/top_k", "/top_k", "/generationConfig/topK"},
    [CHAT_SEED]        = {"/seed", "/seed", "/generationConfig/seed"},
    [CHAT_COUNT]       = {"/n", "/n", "/generationConfig/candidateCount"},
    [CHAT_MAX_TOKENS]  = {"/max_completion_tokens", "/max_tokens",
                          "/generationConfig/maxOutputTokens"},
    [CHAT_STOP]        = {"/stop", "/stop_sequences", "/generationConfig/stopSequences"},
    [CHAT_USER]        = {"/user", "/metadata/user_id", "/labels"},
    [CHAT_EFFORT]      = {"/reasoning_effort", "/output_config/effort",
                          "/generationConfig/thinkingConfig/thinkingLevel"},
    [CHAT_THINKING]    = {"/reasoning_effort", "/thinking", "/generationConfig/thinkingConfig"},
    [CHAT_FORMAT]      = {"/response_format", "/output_config/format",
                          "/generationConfig/responseMimeType"},
    [CHAT_TOOLS]       = {"/tools", "/tools", "/tools"},
    [CHAT_TOOL_CHOICE] = {"/tool_choice", "/tool_choice", "/toolConfig/functionCallingConfig"},
    [CHAT_PARALLEL]    = {"/parallel_tool_calls", "/tool_choice/disable_parallel_tool_use",
                          "/toolConfig"},
};

/* clang-format off */
static const struct chat_member_fact openai_facts[] = {
    {"/model", NULL},               {"/messages", NULL},            {"/tools", NULL},
    {"/tool_choice", NULL},         {"/parallel_tool_calls", NULL}, {"/temperature", NULL},
    {"/top_p", NULL},               {"/top_k", NULL},               {"/seed", NULL},
    {"/max_tokens", NULL},          {"/n", NULL},                   {"/stop", NULL},
    {"/user", NULL},                {"/response_format", NULL},
    {"/max_completion_tokens", NULL},
    {"/stream", NULL},              {"/stream_options", NULL},      {"/tutti", NULL},
    {"/reasoning_effort", NULL},    {"/schema", NULL},              {"/system", NULL},
    {"/prompt", NULL},              {"/json", NULL},                {"/assistant", NULL},
    {"/variables", NULL},
    {"/audio", "other protocols answer with text"},
    {"/modalities", "other protocols answer with text"},
    {"/frequency_penalty", NO_EQUIVALENT},
    {"/presence_penalty", NO_EQUIVALENT},
    {"/logit_bias", "tokens are numbered by each model in its own way"},
    {"/logprobs", NO_EQUIVALENT},
    {"/top_logprobs", NO_EQUIVALENT},
    {"/metadata", "it labels stored completions, which only OpenAI keeps"},
    {"/store", "only OpenAI stores completions"},
    {"/moderation", NO_EQUIVALENT},
    {"/prediction", NO_EQUIVALENT},
    {"/prompt_cache_key", "other upstreams find a cached prompt by themselves or by markers"},
    {"/prompt_cache_options", "other upstreams find a cached prompt by themselves or by markers"},
    {"/prompt_cache_retention", "other upstreams find a cached prompt by themselves or by markers"},
    {"/safety_identifier", NO_EQUIVALENT},
    {"/service_tier", "tiers are each vendor's own"},
    {"/verbosity", NO_EQUIVALENT},
    {"/web_search_options", "searching is the upstream's own tool"},
    {"/function_call", "deprecated: use tool_choice"},
    {"/functions", "deprecated: use tools"},
    {}};

static const struct chat_member_fact anthropic_facts[] = {
    {"/model", NULL},          {"/messages", NULL},      {"/max_tokens", NULL},
    {"/system", NULL},         {"/tools", NULL},         {"/tool_choice", NULL},
    {"/temperature", NULL},    {"/top_p", NULL},         {"/top_k", NULL},
    {"/stop_sequences", NULL}, {"/stream", NULL},        {"/thinking", NULL},
    {"/output_config", NULL},  {"/metadata", NULL},      {"/output_format", NULL},
    {"/cache_control", "other upstreams find a cached prompt by themselves"},
    {"/service_tier", "tiers are each vendor's own"},
    {"/inference_geo", NO_EQUIVALENT},
    {"/container", "containers live at Anthropic"},
    {"/context_management", NO_EQUIVALENT},
    {"/mcp_servers", "they are called by Anthropic itself"},
    {"/speed", NO_EQUIVALENT},
    {"/diagnostics", NO_EQUIVALENT},
    {"/fallbacks", "fallbacks are the route's"},
    {"/betas", "betas are Anthropic's own"},
    {"/user_profile_id", NO_EQUIVALENT},
    {"/workspace_id", "workspaces are Anthropic's own"},
    {}};

static const struct chat_member_fact gemini_facts[] = {
    {"/contents", NULL},           {"/systemInstruction", NULL}, {"/tools", NULL},
    {"/toolConfig", NULL},         {"/generationConfig", NULL},  {"/model", NULL},
    {"/safetySettings", NO_EQUIVALENT},
    {"/cachedContent", "cached contents live at Google"},
    {"/labels", NO_EQUIVALENT},
    {"/store", "only Google would store it"},
    {"/serviceTier", "tiers are each vendor's own"},
    {"/modelArmorConfig", NO_EQUIVALENT},
    {"/continuationToken", NO_EQUIVALENT},
    {"/automaticContinuation", NO_EQUIVALENT},
    {"/generationOutputConfig", NO_EQUIVALENT},
    {"/generationConfig/temperature", NULL},     {"/generationConfig/topP", NULL},
    {"/generationConfig/topK", NULL},            {"/generationConfig/maxOutputTokens", NULL},
    {"/generationConfig/stopSequences", NULL},   {"/generationConfig/candidateCount", NULL},
    {"/generationConfig/seed", NULL},            {"/generationConfig/responseMimeType", NULL},
    {"/generationConfig/responseSchema", NULL},  {"/generationConfig/responseJsonSchema", NULL},
    {"/generationConfig/thinkingConfig", NULL},
    {"/generationConfig/presencePenalty", NO_EQUIVALENT},
    {"/generationConfig/frequencyPenalty", NO_EQUIVALENT},
    {"/generationConfig/responseLogprobs", NO_EQUIVALENT},
    {"/generationConfig/logprobs", NO_EQUIVALENT},
    {"/generationConfig/responseModalities", "other protocols answer with text"},
    {"/generationConfig/speechConfig", "other protocols answer with text"},
    {"/generationConfig/imageConfig", "other protocols answer with text"},
    {"/generationConfig/mediaResolution", NO_EQUIVALENT},
    {"/generationConfig/audioTimestamp", NO_EQUIVALENT},
    {"/generationConfig/audioTranscriptionConfig", NO_EQUIVALENT},
    {"/generationConfig/enableAffectiveDialog", NO_EQUIVALENT},
    {"/generationConfig/enableEnhancedCivicAnswers", NO_EQUIVALENT},
    {"/generationConfig/modelSelectionConfig", NO_EQUIVALENT},
    {"/generationConfig/routingConfig", NO_EQUIVALENT},
    {"/generationConfig/responseFormat", NO_EQUIVALENT},
    {"/generationConfig/translationConfig", NO_EQUIVALENT},
    {}};
/* clang-format on */

static size_t column_of(const struct chat_request *request)
{
    return request->protocol == PROTOCOL_NONE ? 0 : (size_t)request->protocol - PROTOCOL_OPENAI;
}

const struct chat_member_fact *chat_member_facts(enum llm_protocol protocol)
{
    switch (protocol) {
    case PROTOCOL_ANTHROPIC: return anthropic_facts;
    case PROTOCOL_GEMINI: return gemini_facts;
    default: return openai_facts;
    }
}

void chat_lose(const struct chat_request *request, struct losses *losses, enum chat_member member,
               enum loss_action action, const char *note)
{
    ASSERT(member < CHAT_MEMBER_COUNT);
    losses_add(losses, action, paths[member][column_of(request)], note);
}

void chat_lose_part(const struct chat_request *request, struct losses *losses,
                    const struct chat_message *message, const struct chat_part *part,
                    const char *suffix, enum loss_action action, const char *note)
{
    const char *list = request->protocol == PROTOCOL_GEMINI      ? "parts"
                       : request->protocol == PROTOCOL_ANTHROPIC ? "content"
                       : part->kind == PART_TOOL_CALL            ? "tool_calls"
                                                                 : "content";
    losses_add_at(losses, action, note, "%s/%s/%u%s", message->path ? message->path : "", list,
                  part->position, suffix);
}

void chat_lose_message(struct losses *losses, const struct chat_message *message)
{
    losses_add_at(losses, LOSS_APPROXIMATED,
                  "the upstream wants a user's message: it is sent as one", "%s",
                  message->path ? message->path : "");
}

void chat_lose_tool(const struct chat_request *request, struct losses *losses, uint32_t position,
                    const char *suffix, enum loss_action action, const char *note)
{
    const struct chat_tool *tool = &request->tools[position];
    losses_add_at(losses, action, note, "%s%s", tool->path ? tool->path : "/tools", suffix);
}

/* --- what the model does not hold --------------------------------------------------------------
 */

/* Google takes inline_data for inlineData. */
static void name_of(const struct chat_request *request, const char *prefix, str key,
                    char ret_name[static NAME_MAX_BYTES])
{
    int length = snprintf(ret_name, NAME_MAX_BYTES, "%s/", prefix);
    size_t at  = (size_t)length;
    for (size_t i = 0; i < key.len && at < NAME_MAX_BYTES - 1; i++) {
        bool is_joint = request->protocol == PROTOCOL_GEMINI && key.ptr[i] == '_' &&
                        i + 1 < key.len && key.ptr[i + 1] >= 'a' && key.ptr[i + 1] <= 'z';
        if (is_joint) {
            i++;
            ret_name[at++] = (char)(key.ptr[i] - ('a' - 'A'));
        } else {
            ret_name[at++] = key.ptr[i];
        }
    }
    ret_name[at] = '\0';
}

static void lose_unknown(const struct chat_request *request, struct losses *losses,
                         const char *prefix, json object)
{
    const struct chat_member_fact *facts = chat_member_facts(request->protocol);
    for (size_t i = 0; i < json_count(object); i++) {
        if (json_is(json_value_at(object, i), JSON_NULL)) continue;
        char name[NAME_MAX_BYTES];
        name_of(request, prefix, json_key_at(object, i), name);
        const struct chat_member_fact *fact = facts;
        while (fact->name && strcmp(fact->name, name) != 0) fact++;
        if (fact->name && !fact->reason) continue;
        losses_add(losses, LOSS_DROPPED, name,
                   fact->reason ? fact->reason : "this member is not known here");
    }
}

/* Of OpenAI's: names of those who speak, and how closely a picture is looked at. */
static void lose_of_messages(const struct chat_request *request, struct losses *losses)
{
    for (uint32_t i = 0; i < request->message_count; i++) {
        const struct chat_message *message = &request->messages[i];
        if (message->name.len > 0) {
            losses_add_at(losses, LOSS_DROPPED, NO_EQUIVALENT, "%s/name",
                          message->path ? message->path : "");
        }
        for (uint32_t k = 0; k < message->part_count; k++) {
            const struct chat_part *part = &message->parts[k];
            json image                   = json_get_text(part->raw, "image_url");
            json detail                  = json_get_text(image, "detail");
            bool is_own = json_is(detail, JSON_TEXT) && !str_is(json_str(detail), "auto");
            if (part->kind != PART_IMAGE || !is_own) continue;
            chat_lose_part(request, losses, message, part, "/image_url/detail", LOSS_DROPPED,
                           NO_EQUIVALENT);
        }
    }
}

void chat_lose_extra(const struct chat_request *request, struct losses *losses)
{
    if (losses && request->protocol == PROTOCOL_OPENAI) lose_of_messages(request, losses);
    json object = json_is(request->source, JSON_OBJECT) ? request->source : request->extra;
    if (!losses || !json_is(object, JSON_OBJECT)) return;
    lose_unknown(request, losses, "", object);
    if (request->protocol != PROTOCOL_GEMINI) return;
    json config = json_get_text(object, "generationConfig");
    if (!json_is(config, JSON_OBJECT)) config = json_get_text(object, "generation_config");
    if (json_is(config, JSON_OBJECT)) lose_unknown(request, losses, "/generationConfig", config);
}
