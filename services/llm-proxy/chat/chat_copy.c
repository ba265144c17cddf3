#include "llm-proxy/chat/chat.h"

#include <string.h>

static void *copy_of(struct arena *arena, const void *items, size_t count, size_t size,
                     bool *is_whole)
{
    void *copy = arena_alloc(arena, (count + 1) * size); /* `count` is bounded by the readers */
    if (!copy) *is_whole = false;
    if (copy && count > 0) memcpy(copy, items, count * size);
    return copy;
}

struct chat_request *chat_copy(const struct chat_request *request, struct arena *arena)
{
    bool is_whole             = true;
    struct chat_request *copy = copy_of(arena, request, 1, sizeof *request, &is_whole);
    if (!copy) return NULL;
    copy->messages = copy_of(arena, request->messages, request->message_count,
                             sizeof *request->messages, &is_whole);
    copy->tools =
        copy_of(arena, request->tools, request->tool_count, sizeof *request->tools, &is_whole);
    if (request->allowed) {
        copy->allowed = copy_of(arena, request->allowed, request->allowed_count,
                                sizeof *request->allowed, &is_whole);
    }
    for (uint32_t i = 0; is_whole && i < copy->message_count; i++) {
        struct chat_message *message = &copy->messages[i];
        message->parts =
            copy_of(arena, message->parts, message->part_count, sizeof *message->parts, &is_whole);
    }
    return is_whole ? copy : NULL;
}
