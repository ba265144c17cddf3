/* A body from outside: read as a chat request, printed, and read again gives the same. */
#include "base/assert.h"
#include "llm-proxy/chat.h"
#include "llm-proxy/content.h"
#include "json/json_text.h"

enum { ARENA_MAX = 16 << 20, TEXT_MAX = 8 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str text                                 = {.ptr = (const char *)data, .len = size};
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    CLEANUP(json_unrefp) json body           = json_invalid();
    struct chat_request *request             = NULL;
    const struct chat_request wants_json     = {.format = FORMAT_JSON};
    CLEANUP(json_unrefp) json content        = json_invalid();
    (void)!content_read(&wants_json, text, &content, NULL);
    if (json_parse(text, NULL, &body, NULL, NULL) != STATUS_OK) return 0;
    struct chat_request *job = NULL;
    (void)!chat_from_job(body, arena, &job, NULL);
    if (chat_from_openai(body, arena, &request, NULL) != STATUS_OK) return 0;

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
