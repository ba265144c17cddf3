/*
 * What a server of MCP asks a person: the first line is its requests, the second an answer. What
 * can be asked has a form that compiles, and what the answer becomes can be sent.
 */
#include "base/assert.h"
#include "base/buf.h"
#include "schema/schema.h"
#include "tool-adapter/peers/mcp_input.h"
#include "json/json_text.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TEXT_MAX = 4 << 20 };

static json parsed(str text)
{
    const struct json_limits limits = {.depth_max = 64, .values_max = 100'000};
    json value                      = json_invalid();
    (void)!json_parse(text, &limits, &value, NULL, NULL);
    return value;
}

static void check_question(json question)
{
    CLEANUP(schema_freep) struct schema *schema = NULL;
    CLEANUP(buf_done) struct buf text           = buf_init(TEXT_MAX);
    const struct schema_options options         = {.assert_formats = true};
    json form                                   = json_get_text(question, "form");
    ASSERT(schema_compile(form, &options, NULL, &schema, NULL) == STATUS_OK);
    ASSERT(json_is(json_get_text(question, "title"), JSON_TEXT));
    ASSERT(json_is(json_get_text(question, "payload"), JSON_OBJECT));
    ASSERT(json_print(question, JSON_COMPACT, &text));
    ASSERT(!memchr(text.ptr, 0x1b, text.len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str text                            = {.ptr = (const char *)data, .len = size};
    const char *line                    = size > 0 ? memchr(text.ptr, '\n', size) : NULL;
    size_t first                        = line ? (size_t)(line - text.ptr) : size;
    CLEANUP(json_unrefp) json requests  = parsed(str_slice(text, 0, first));
    CLEANUP(json_unrefp) json answer    = parsed(str_slice(text, line ? first + 1 : first, size));
    CLEANUP(json_unrefp) json question  = json_invalid();
    CLEANUP(json_unrefp) json responses = json_invalid();
    const struct mcp_asker asker        = {.server = str_from("server"), .tool = str_from("tool")};
    status asked                        = mcp_input_question(requests, &asker, &question, NULL);
    if (asked == STATUS_OK) check_question(question);
    status answered = mcp_input_responses(requests, answer, &responses, NULL);
    if (answered != STATUS_OK) return 0;
    ASSERT(json_count(responses) == json_count(requests));
    return 0;
}
