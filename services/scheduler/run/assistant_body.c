#include "scheduler/run/assistant_body.h"

#include "base/buf.h"
#include "json/json_text.h"

/* --- members -----------------------------------------------------------------------------------
 */

static bool has(json object, const char *key)
{
    return json_get_text(object, key).kind != JSON_INVALID;
}

/* Where the object has none. Takes `value`. */
static void put_new(json *object, const char *key, json value)
{
    if (value.kind == JSON_INVALID || has(*object, key)) {
        json_unref(value);
        return;
    }
    json_object_put_text(object, key, value);
}

/* `first` before what is there, a list or one object: a list of its own. Takes `first`. */
static json before(json first, json rest)
{
    bool is_list = json_is(rest, JSON_ARRAY);
    json list    = json_array_new(json_count(rest) + 1);
    json_array_push(&list, first);
    if (json_is(rest, JSON_OBJECT)) json_array_push(&list, json_ref(rest));
    for (size_t i = 0; is_list && i < json_count(rest); i++) {
        json_array_push(&list, json_ref(json_at(rest, i)));
    }
    return list;
}

/* {key: value}. Takes `value`. */
static json member(const char *key, json value)
{
    json object = json_object_new(2);
    json_object_put_text(&object, key, value);
    return object;
}

/* The same parameter by another name. */
struct renamed {
    const char *from, *to;
};

static void put_renamed(json *object, json applied, const struct renamed *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        put_new(object, names[i].to, json_ref(json_get_text(applied, names[i].from)));
    }
}

/* A text, or a list of them, as a list. */
static json texts_of(json value)
{
    if (!json_is(value, JSON_TEXT)) return json_ref(value);
    json list = json_array_new(1);
    json_array_push(&list, json_ref(value));
    return list;
}

/* --- OpenAI ------------------------------------------------------------------------------------
 */

/* The prompt goes before the messages, whatever they begin with. */
static void put_prompt(json *body)
{
    json system = json_get_text(*body, "system");
    if (!json_is(system, JSON_TEXT)) return;
    json message = member("role", json_text_from("system"));
    json_object_put_text(&message, "content", json_ref(system));
    json_object_put_text(body, "messages", before(message, json_get_text(*body, "messages")));
}

static void put_format(json *body)
{
    json schema = json_get_text(*body, "schema");
    if (json_is(schema, JSON_OBJECT)) {
        json named  = member("name", json_text_from("answer"));
        json format = member("type", json_text_from("json_schema"));
        json_object_put_text(&named, "schema", json_ref(schema));
        json_object_put_text(&format, "json_schema", named);
        put_new(body, "response_format", format);
    } else if (json_is_truthy(json_get_text(*body, "json"))) {
        put_new(body, "response_format", member("type", json_text_from("json_object")));
    }
}

static status apply_openai(json definition, json body, struct arena *scratch, json *ret_body,
                           struct error *reterr)
{
    static const char *const own[]  = {"assistant", "system", "schema",          "json",
                                       "fallbacks", "cache",  "repair_attempts", "variables"};
    CLEANUP(json_unrefp) json given = json_ref(body);
    CLEANUP(json_unrefp) json whole = json_invalid();
    (void)json_object_remove(&given, str_from("model")); /* it names the assistant */
    TRY(assistant_apply(definition, (str){}, given, scratch, &whole, reterr));
    put_prompt(&whole);
    put_format(&whole);
    for (size_t i = 0; i < ARRAY_LEN(own); i++) {
        (void)json_object_remove(&whole, str_from(own[i]));
    }
    *ret_body = json_take(&whole);
    return STATUS_OK;
}

/* --- Anthropic ---------------------------------------------------------------------------------
 */

static json text_block(json text)
{
    json block = member("type", json_text_from("text"));
    json_object_put_text(&block, "text", json_ref(text));
    return block;
}

/* A system prompt of the client's, a text or blocks, goes behind that of the assistant. */
static void put_anthropic_system(json *body, json system)
{
    json given = json_get_text(*body, "system");
    if (!json_is(system, JSON_TEXT)) return;
    if (!json_is(given, JSON_TEXT) && !json_is(given, JSON_ARRAY)) {
        json_object_put_text(body, "system", json_ref(system));
        return;
    }
    json blocks = json_is(given, JSON_TEXT) ? json_array_new(1) : json_ref(given);
    if (json_is(given, JSON_TEXT)) json_array_push(&blocks, text_block(given));
    json all = before(text_block(system), blocks);
    json_unref(blocks);
    json_object_put_text(body, "system", all);
}

static void put_anthropic_format(json *body, json schema)
{
    json given = json_get_text(*body, "output_config");
    if (!json_is(schema, JSON_OBJECT)) return;
    json config = json_is(given, JSON_OBJECT) ? json_ref(given) : json_object_new(1);
    json format = member("type", json_text_from("json_schema"));
    json_object_put_text(&format, "schema", json_ref(schema));
    put_new(&config, "format", format);
    json_object_put_text(body, "output_config", config);
}

static void apply_anthropic(json applied, bool is_counted, json *body)
{
    static const struct renamed names[] = {
        {"temperature", "temperature"},
        {"top_p", "top_p"},
        {"max_tokens", "max_tokens"},
        {"max_completion_tokens", "max_tokens"},
    };
    json_object_put_text(body, "model", json_ref(json_get_text(applied, "model")));
    put_anthropic_system(body, json_get_text(applied, "system"));
    if (is_counted) return;
    put_renamed(body, applied, names, ARRAY_LEN(names));
    put_new(body, "stop_sequences", texts_of(json_get_text(applied, "stop")));
    put_anthropic_format(body, json_get_text(applied, "schema"));
}

/* --- Gemini ------------------------------------------------------------------------------------
 */

/* Its members have two spellings. */
static json either(json object, const char *name, const char *other)
{
    return has(object, name) ? json_get_text(object, name) : json_get_text(object, other);
}

static void put_gemini_system(json *body, json system)
{
    json given = either(*body, "systemInstruction", "system_instruction");
    if (!json_is(system, JSON_TEXT)) return;
    json part  = member("text", json_ref(system));
    json parts = before(part, json_get_text(given, "parts"));
    json whole = json_is(given, JSON_OBJECT) ? json_ref(given) : json_object_new(1);
    json_object_put_text(&whole, "parts", parts);
    (void)json_object_remove(body, str_from("system_instruction"));
    json_object_put_text(body, "systemInstruction", whole);
}

static void put_gemini_format(json *config, json applied)
{
    json schema  = json_get_text(applied, "schema");
    bool has_own = has(*config, "responseSchema") || has(*config, "responseJsonSchema") ||
                   has(*config, "responseMimeType");
    bool is_shape = json_is(schema, JSON_OBJECT);
    if (has_own || (!is_shape && !json_is_truthy(json_get_text(applied, "json")))) return;
    json_object_put_text(config, "responseMimeType", json_text_from("application/json"));
    if (is_shape) json_object_put_text(config, "responseJsonSchema", json_ref(schema));
}

static void apply_gemini(json applied, json *body)
{
    static const struct renamed names[] = {
        {"temperature", "temperature"},
        {"top_p", "topP"},
        {"max_tokens", "maxOutputTokens"},
        {"max_completion_tokens", "maxOutputTokens"},
        {"seed", "seed"},
        {"presence_penalty", "presencePenalty"},
        {"frequency_penalty", "frequencyPenalty"},
    };
    json given  = either(*body, "generationConfig", "generation_config");
    json config = json_is(given, JSON_OBJECT) ? json_ref(given) : json_object_new(ARRAY_LEN(names));
    put_renamed(&config, applied, names, ARRAY_LEN(names));
    put_new(&config, "stopSequences", texts_of(json_get_text(applied, "stop")));
    put_gemini_format(&config, applied);
    (void)json_object_remove(body, str_from("generation_config"));
    json_object_put_text(body, "generationConfig", config);
    put_gemini_system(body, json_get_text(applied, "system"));
}

/* --- all ---------------------------------------------------------------------------------------
 */

/* What the assistant says to a request without anything of its own. */
static status apply_alone(json definition, json body, struct arena *scratch, json *ret_applied,
                          struct error *reterr)
{
    CLEANUP(json_unrefp) json bare = json_object_new(1);
    put_new(&bare, "variables", json_ref(json_get_text(body, "variables")));
    return assistant_apply(definition, (str){}, bare, scratch, ret_applied, reterr);
}

status assistant_apply_body(json definition, enum assistant_protocol protocol, json body,
                            struct arena *scratch, json *ret_body, struct error *reterr)
{
    const char *messages              = protocol == ASSISTANT_GEMINI ? "contents" : "messages";
    CLEANUP(json_unrefp) json applied = json_invalid();
    CLEANUP(json_unrefp) json whole   = json_ref(body);
    if (!json_is(json_get_text(body, messages), JSON_ARRAY)) {
        return fail_code(reterr, STATUS_INVALID_ARGUMENT, "input_invalid", "/%s: must be a list",
                         messages);
    }
    if (protocol == ASSISTANT_OPENAI) {
        return apply_openai(definition, body, scratch, ret_body, reterr);
    }
    TRY(apply_alone(definition, body, scratch, &applied, reterr));
    (void)json_object_remove(&whole, str_from("variables"));
    if (protocol == ASSISTANT_GEMINI) {
        apply_gemini(applied, &whole);
    } else {
        apply_anthropic(applied, protocol == ASSISTANT_COUNT, &whole);
    }
    *ret_body = json_take(&whole);
    return STATUS_OK;
}
