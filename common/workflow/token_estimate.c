#include "workflow/token_estimate.h"

#include "json/json_text.h"

enum {
    MESSAGE_TOKENS = 4,        /* around the texts of each */
    PRINTED_MAX    = 16 << 20, /* bytes */
    PRINTED_FIRST  = 2'000,    /* bytes: most lists of tools need no more */
};

static size_t text_size(json value)
{
    return json_is(value, JSON_TEXT) ? json_str(value).len : 0;
}

/* Of a text, or of a list of them. */
static size_t texts_size(json value)
{
    size_t size = text_size(value);
    for (size_t i = 0; json_is(value, JSON_ARRAY) && i < json_count(value); i++) {
        size += text_size(json_at(value, i));
    }
    return size;
}

/* Of what is embedded: a text, tokens, or a list of either. */
static size_t input_size(json value)
{
    size_t size = json_is_number(value) ? CHAT_BYTES_PER_TOKEN : text_size(value);
    for (size_t i = 0; json_is(value, JSON_ARRAY) && i < json_count(value); i++) {
        json item = json_at(value, i);
        size += json_is_number(item) ? CHAT_BYTES_PER_TOKEN : text_size(item);
        for (size_t t = 0; json_is(item, JSON_ARRAY) && t < json_count(item); t++) {
            size += json_is_number(json_at(item, t)) ? CHAT_BYTES_PER_TOKEN : 0;
        }
    }
    return size;
}

size_t chat_text_size(json messages)
{
    size_t size = 0;
    for (size_t i = 0; i < json_count(messages); i++) {
        json message = json_at(messages, i);
        json content = json_get_text(message, "content");
        json calls   = json_get_text(message, "tool_calls");
        size += text_size(content);
        for (size_t p = 0; json_is(content, JSON_ARRAY) && p < json_count(content); p++) {
            size += text_size(json_get_text(json_at(content, p), "text"));
        }
        for (size_t c = 0; json_is(calls, JSON_ARRAY) && c < json_count(calls); c++) {
            size +=
                text_size(json_get_text(json_get_text(json_at(calls, c), "function"), "arguments"));
        }
    }
    return size;
}

/* As OpenAI and Anthropic name them. */
static size_t count_images(json messages)
{
    size_t count = 0;
    for (size_t i = 0; i < json_count(messages); i++) {
        json content = json_get_text(json_at(messages, i), "content");
        for (size_t p = 0; json_is(content, JSON_ARRAY) && p < json_count(content); p++) {
            json type = json_get_text(json_at(content, p), "type");
            if (!json_is(type, JSON_TEXT)) continue;
            if (str_is(json_str(type), "image_url") || str_is(json_str(type), "image")) count++;
        }
    }
    return count;
}

/* Of what is sent as it stands. */
static size_t printed_size(json value)
{
    CLEANUP(buf_done) struct buf text = buf_init(PRINTED_MAX);
    if (json_is(value, JSON_INVALID)) return 0;
    (void)buf_reserve(&text, PRINTED_FIRST);
    return json_print(value, JSON_COMPACT, &text) ? text.len : PRINTED_MAX;
}

static int64_t output_of(json arguments)
{
    int64_t tokens = 0;
    int64_t count  = 1;
    bool is_said   = json_to_int(json_get_text(arguments, "max_completion_tokens"), &tokens) ||
                   json_to_int(json_get_text(arguments, "max_tokens"), &tokens);
    (void)json_to_int(json_get_text(arguments, "n"), &count);
    if (!is_said || tokens < 0) return -1;
    return count > 1 && __builtin_mul_overflow(tokens, count, &tokens) ? INT64_MAX : tokens;
}

struct token_estimate token_estimate_with(json rest, const struct token_messages *messages)
{
    static const char *const texts[]   = {"prompt", "system"};
    static const char *const printed[] = {"tools", "response_format", "schema"};
    size_t size                        = messages->size;
    size += input_size(json_get_text(rest, "input"));
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        size += texts_size(json_get_text(rest, texts[i]));
    }
    for (size_t i = 0; i < ARRAY_LEN(printed); i++) {
        size += printed_size(json_get_text(rest, printed[i]));
    }
    return (struct token_estimate){
        .input  = (int64_t)((size + CHAT_BYTES_PER_TOKEN - 1) / CHAT_BYTES_PER_TOKEN +
                           (messages->count + 1) * MESSAGE_TOKENS +
                           messages->images * CHAT_IMAGE_TOKENS),
        .output = output_of(rest),
    };
}

struct token_estimate token_estimate_of(json arguments, bool is_embedding)
{
    json list                    = json_get_text(arguments, "messages");
    struct token_messages counts = {};
    if (json_is(list, JSON_ARRAY)) {
        counts = (struct token_messages){
            .count = json_count(list), .size = chat_text_size(list), .images = count_images(list)};
    }
    struct token_estimate estimate = token_estimate_with(arguments, &counts);
    if (is_embedding) estimate.output = 0;
    return estimate;
}
