/* A body from outside: read as a chat request of each protocol and printed as each of the others it
 * is JSON; printed as its own and read again it is the same; what is only scanned is as what is
 * parsed. */
#include "base/assert.h"
#include "llm-proxy/chat/chat.h"
#include "llm-proxy/chat/chat_scan.h"
#include "llm-proxy/chat/content.h"
#include "llm-proxy/providers/anthropic.h"
#include "llm-proxy/providers/gemini.h"
#include "llm-proxy/vault/recall.h"
#include "json/json_text.h"

enum { ARENA_MAX = 16 << 20, TEXT_MAX = 8 << 20 };

/* Of what is printed: a body as deep as one may be (json_parse()) stands some levels deeper in the
 * words of another protocol, arguments that were a text of their own do, and more is said. */
static const struct json_limits printed_limits = {.depth_max = 80, .values_max = 1'000'000};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_json(struct buf *text)
{
    CLEANUP(json_unrefp) json value = json_invalid();
    ASSERT(json_parse(buf_str(text), &printed_limits, &value, NULL, NULL) == STATUS_OK ||
           text->is_full);
    buf_clear(text);
}

static void print_all(const struct chat_request *request, struct arena *arena)
{
    CLEANUP(buf_done) struct buf text = buf_init(TEXT_MAX);
    struct losses losses              = {.arena = arena};
    str model                         = str_from("gemini-3");
    (void)chat_print_openai(request, model, FLAVOR_OPENAI, &losses, &text);
    check_json(&text);
    (void)anthropic_print(request, model, str_from(ANTHROPIC_VERSION_NEW), &losses, &text);
    check_json(&text);
    (void)gemini_print(request, model, &losses, &text);
    check_json(&text);
}

static void read_others(json body, struct arena *arena)
{
    struct chat_request *request = NULL;
    if (chat_from_anthropic(body, false, arena, &request, NULL) == STATUS_OK) {
        print_all(request, arena);
    }
    if (chat_from_gemini(body, str_from("m"), false, arena, &request, NULL) == STATUS_OK) {
        print_all(request, arena);
        chat_request_done(request);
    }
}

/* The body for an upstream, as a value. */
static json printed_of(const struct chat_request *request)
{
    CLEANUP(buf_done) struct buf text = buf_init(TEXT_MAX);
    json value                        = json_invalid();
    ASSERT(chat_print_openai(request, str_from("m"), FLAVOR_COMPATIBLE, NULL, &text));
    ASSERT(json_parse(buf_str(&text), NULL, &value, NULL, NULL) == STATUS_OK);
    return value;
}

static bool are_same(json a, json b)
{
    bool is_none = json_is(a, JSON_INVALID) || json_is(b, JSON_INVALID);
    return is_none ? a.kind == b.kind : json_compare(a, b) == 0;
}

static void check_same(const struct chat_scanned *scanned, const struct chat_request *parsed,
                       json body)
{
    const struct chat_request *request   = scanned->request;
    const struct token_estimate estimate = token_estimate_of(body, false);
    CLEANUP(json_unrefp) json sent       = printed_of(request);
    CLEANUP(json_unrefp) json expected   = printed_of(parsed);
    ASSERT(json_equal(sent, expected));
    ASSERT(scanned->estimate.input == estimate.input);
    ASSERT(scanned->estimate.output == estimate.output);
    ASSERT(chat_request_size(request) == chat_request_size(parsed));
    ASSERT(str_equal(request->model, parsed->model));
    ASSERT(request->is_stream == parsed->is_stream);
    ASSERT(request->wants_usage == parsed->wants_usage);
    ASSERT(request->max_tokens == parsed->max_tokens && request->count == parsed->count);
    ASSERT(are_same(request->temperature, parsed->temperature));
    ASSERT(are_same(request->top_p, parsed->top_p));
    ASSERT(request->format == parsed->format);
    ASSERT(!recall_is_needed(parsed));
}

static void scan(str text, struct arena *arena)
{
    struct chat_scanned scanned     = {};
    struct chat_request *parsed     = NULL;
    CLEANUP(json_unrefp) json value = json_invalid();
    if (!chat_scan_openai(text, 0, arena, &scanned)) return;
    ASSERT(json_parse(text, NULL, &value, NULL, NULL) == STATUS_OK);
    ASSERT(chat_from_openai(value, arena, &parsed, NULL) == STATUS_OK);
    parsed->bytes = text; /* as client_request.c has it: 1e400 goes on as that */
    check_same(&scanned, parsed, value);
    json_unref(scanned.rest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str text                                 = {.ptr = (const char *)data, .len = size};
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    CLEANUP(json_unrefp) json body           = json_invalid();
    struct chat_request *request             = NULL;
    const struct chat_request wants_json     = {.format = FORMAT_JSON};
    CLEANUP(json_unrefp) json content        = json_invalid();
    (void)!content_read(&wants_json, text, &content, NULL);
    scan(text, arena);
    if (json_parse(text, NULL, &body, NULL, NULL) != STATUS_OK) return 0;
    read_others(body, arena);
    struct chat_request *job = NULL;
    (void)!chat_from_job(body, arena, &job, NULL);
    if (chat_from_openai(body, arena, &request, NULL) != STATUS_OK) return 0;

    print_all(request, arena);
    CLEANUP(buf_done) struct buf printed = buf_init(TEXT_MAX);
    if (!chat_print_openai(request, request->model, FLAVOR_COMPATIBLE, NULL, &printed)) return 0;
    CLEANUP(json_unrefp) json again = json_invalid();
    struct chat_request *second     = NULL;
    ASSERT(json_parse(buf_str(&printed), NULL, &again, NULL, NULL) == STATUS_OK);
    ASSERT(chat_from_openai(again, arena, &second, NULL) == STATUS_OK);
    ASSERT(second->message_count == request->message_count);
    ASSERT(second->tool_count == request->tool_count);
    return 0;
}
