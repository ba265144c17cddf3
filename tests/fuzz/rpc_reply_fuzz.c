/*
 * What a stranger answers to JSON-RPC: the first byte says document or stream, the second how it is
 * cut. Cut or whole it must mean the same.
 */
#include "base/assert.h"
#include "base/attr.h"
#include "tool-adapter/peers/mcp_message.h"
#include "tool-adapter/peers/rpc_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ID = 7, MESSAGE_MAX = 512 };

struct seen {
    struct rpc_reply reply;
    unsigned messages;
    status code;
};

static void count(json message, void *context)
{
    struct seen *seen = context;
    ASSERT(json_is(message, JSON_OBJECT));
    seen->messages++;
}

static void seen_done(struct seen *seen)
{
    rpc_reply_done(&seen->reply);
}

static void read(struct seen *seen, bool is_stream, str text, size_t piece)
{
    rpc_reply_init(&seen->reply, ID, MESSAGE_MAX, count, seen);
    rpc_reply_begin(&seen->reply, str_from(is_stream ? "text/event-stream" : "application/json"));
    for (size_t at = 0; at < text.len && seen->code == STATUS_OK; at += piece) {
        size_t end = at + piece < text.len ? at + piece : text.len;
        seen->code = rpc_reply_feed(&seen->reply, str_slice(text, at, end), NULL);
    }
    if (seen->code == STATUS_OK) seen->code = rpc_reply_end(&seen->reply, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) return 0;
    str text                             = {.ptr = (const char *)data + 2, .len = size - 2};
    bool is_stream                       = data[0] % 2 != 0;
    CLEANUP(seen_done) struct seen whole = {};
    CLEANUP(seen_done) struct seen cut   = {};
    read(&whole, is_stream, text, text.len + 1);
    read(&cut, is_stream, text, (size_t)data[1] + 1);
    ASSERT(whole.code == cut.code);
    ASSERT(whole.messages == cut.messages);
    ASSERT(whole.reply.is_answered == cut.reply.is_answered);
    ASSERT(json_equal(whole.reply.result, cut.reply.result));
    ASSERT(json_equal(whole.reply.error, cut.reply.error));
    json tools = json_get_text(whole.reply.result, "tools");
    for (size_t i = 0; json_is(tools, JSON_ARRAY) && i < json_count(tools); i++) {
        (void)mcp_tool_is_callable(json_at(tools, i));
    }
    return 0;
}
