/*
 * What a server of MCP of the older era asks in the middle of a call, and how its call ends: the
 * first line is a request of it, the second what it answers in the end, {result} or {error}. Each
 * request has one answer, and what is wanted in the end can be put into words.
 */
#include "base/assert.h"
#include "base/buf.h"
#include "tool-adapter/peers/mcp_input.h"
#include "tool-adapter/peers/mcp_wanted.h"
#include "json/json_text.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static json parsed(str text)
{
    const struct json_limits limits = {.depth_max = 64, .values_max = 100'000};
    json value                      = json_invalid();
    (void)!json_parse(text, &limits, &value, NULL, NULL);
    return value;
}

static void check_answer(json answer)
{
    bool is_error  = json_is(json_get_text(answer, "error"), JSON_OBJECT);
    bool is_result = json_is(json_get_text(answer, "result"), JSON_OBJECT);
    ASSERT(is_error != is_result);
}

static void play(json message, json end, enum mcp_offer offer)
{
    const struct mcp_handlers nobody                  = {};
    CLEANUP(mcp_wanted_done) struct mcp_wanted wanted = {};
    CLEANUP(json_unrefp) json asked                   = json_invalid();
    CLEANUP(json_unrefp) json answer = mcp_wanted_answer(&wanted, message, offer, &nobody);
    struct mcp_result result         = {.result = json_get_text(end, "result"),
                                        .error  = json_get_text(end, "error")};
    check_answer(answer);
    mcp_wanted_settle(&wanted, offer, &nobody, &result, &asked);
    ASSERT((result.code == STATUS_OK) == json_is(asked, JSON_INVALID));
    ASSERT(offer != MCP_OFFERS_NOTHING || result.code == STATUS_OK);
    if (result.code == STATUS_OK) return;
    size_t count = json_count(json_get_text(asked, "requests"));
    ASSERT(count > 0 && count <= MCP_INPUTS_MAX && result.why.text[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str text                          = {.ptr = (const char *)data, .len = size};
    const char *line                  = size > 0 ? memchr(text.ptr, '\n', size) : NULL;
    size_t first                      = line ? (size_t)(line - text.ptr) : size;
    CLEANUP(json_unrefp) json message = parsed(str_slice(text, 0, first));
    CLEANUP(json_unrefp) json end     = parsed(str_slice(text, line ? first + 1 : first, size));
    if (json_is(json_get_text(message, "id"), JSON_INVALID)) return 0; /* no request */
    for (int offer = MCP_OFFERS_NOTHING; offer <= MCP_OFFERS_ADDRESSES; offer++) {
        play(message, end, (enum mcp_offer)offer);
    }
    return 0;
}
