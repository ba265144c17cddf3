#include "llm-proxy/catalog/route_defaults.h"

static bool is_open(json number)
{
    return json_is(number, JSON_INVALID);
}

bool route_defaults_are_needed(const struct route_defaults *defaults,
                               const struct chat_request *request)
{
    if (request->input_count > 0) return false;
    return (defaults->has_temperature && is_open(request->temperature)) ||
           (defaults->has_top_p && is_open(request->top_p)) ||
           (defaults->max_tokens > 0 && request->max_tokens == 0);
}

/* The members in the words of a protocol; NULL: it always says it itself. */
struct words {
    const char *temperature, *top_p, *max_tokens;
};

static struct words words_of(enum llm_protocol protocol, enum chat_flavor flavor)
{
    switch (protocol) {
    case PROTOCOL_GEMINI: return (struct words){"temperature", "topP", "maxOutputTokens"};
    case PROTOCOL_ANTHROPIC: return (struct words){"temperature", "top_p", NULL};
    default: break;
    }
    return (struct words){"temperature", "top_p",
                          flavor == FLAVOR_OPENAI ? "max_completion_tokens" : "max_tokens"};
}

void route_defaults_fill(const struct route_defaults *defaults, enum chat_flavor flavor,
                         struct chat_request *request, json *ret_source)
{
    const struct words words = words_of(request->protocol, flavor);
    bool is_passed           = json_is(request->source, JSON_OBJECT);
    bool is_nested           = is_passed && request->protocol == PROTOCOL_GEMINI;
    json source              = is_passed ? json_ref(request->source) : json_invalid();
    const char *config_key   = "generationConfig";
    json config              = json_invalid();
    if (is_nested) {
        json given = json_get_text(source, config_key);
        if (!json_is(given, JSON_OBJECT)) {
            given = json_get_text(source, "generation_config");
            if (json_is(given, JSON_OBJECT)) config_key = "generation_config";
        }
        config = json_is(given, JSON_OBJECT) ? json_ref(given) : json_object_new(3);
    }
    json *members = is_nested ? &config : &source;
    if (defaults->has_temperature && is_open(request->temperature)) {
        request->temperature = json_real(defaults->temperature);
        if (is_passed) json_object_put_text(members, words.temperature, request->temperature);
    }
    if (defaults->has_top_p && is_open(request->top_p)) {
        request->top_p = json_real(defaults->top_p);
        if (is_passed) json_object_put_text(members, words.top_p, request->top_p);
    }
    if (defaults->max_tokens > 0 && request->max_tokens == 0) {
        request->max_tokens = defaults->max_tokens;
        if (is_passed && words.max_tokens) {
            json_object_put_text(members, words.max_tokens, json_int(defaults->max_tokens));
        }
    }
    if (is_nested) json_object_put_text(&source, config_key, config);
    request->source = source;
    request->bytes  = (str){};
    *ret_source     = source;
}
