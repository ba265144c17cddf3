/* Which bodies are only scanned, and that they go on, and are charged, as if they had been parsed.
 */
#include "llm-proxy/chat/chat_scan.h"

#include "json/json_text.h"

#include "cmocka.h"

enum { ARENA_MAX = 16 << 20, TEXT_MAX = 1 << 20 };

#define USER "{\"role\":\"user\",\"content\":\"hi\"}"

struct body {
    const char *name;
    const char *text;
    const char *sent; /* to an upstream whose model is `up`; NULL: it is to be parsed */
};

static const struct body bodies[] = {
    {"a plain one", "{\"model\":\"m\",\"messages\":[" USER "]}",
     "{\"model\":\"up\",\"messages\":[" USER "]}"},
    {"blanks stay", " { \"messages\" : [ " USER " ] , \"model\" : \"m\" } ",
     "{\"model\":\"up\",\"messages\" : [ " USER " ]}"},
    {"numbers as they are spelled",
     "{\"temperature\":1.50,\"seed\":1e2,\"model\":\"m\",\"n\":2,\"messages\":[" USER
     "],\"max_tokens\":7}",
     "{\"model\":\"up\",\"temperature\":1.50,\"seed\":1e2,\"n\":2,\"messages\":[" USER
     "],\"max_tokens\":7}"},
    {"what is ours is left out",
     "{\"x\":1,\"tutti\":{\"a\":1},\"y\":2,\"stream\":true,\"messages\":[" USER
     "],\"model\":\"m\",\"stream_options\":{\"include_usage\":false,\"z\":3}}",
     "{\"model\":\"up\",\"x\":1,\"y\":2,\"messages\":[" USER
     "],\"stream\":true,\"stream_options\":{\"z\":3,\"include_usage\":true}}"},
    {"parts and calls",
     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":"
     "\"\\u00e9\\n\"},{\"type\":\"image_url\",\"image_url\":{\"url\":\"http://x\"}},{\"refusal\":"
     "\"no\",\"type\":\"refusal\"}]},{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{"
     "\"id\":\"c1\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}}]},{\"role\":"
     "\"tool\",\"tool_call_id\":\"c1\",\"content\":\"20\"}]}",
     "{\"model\":\"up\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":"
     "\"\\u00e9\\n\"},{\"type\":\"image_url\",\"image_url\":{\"url\":\"http://x\"}},{\"refusal\":"
     "\"no\",\"type\":\"refusal\"}]},{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{"
     "\"id\":\"c1\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}}]},{\"role\":"
     "\"tool\",\"tool_call_id\":\"c1\",\"content\":\"20\"}]}"},
    {"a refusal beside content, and arguments that are an object",
     "{\"model\":\"m\",\"messages\":[{\"role\":\"assistant\",\"content\":\"a\",\"refusal\":"
     "\"no\\n\"},{\"role\":\"user\",\"refusal\":\"x\",\"content\":\"b\"},{\"role\":\"assistant\","
     "\"tool_calls\":[{\"id\":\"c1\",\"function\":{\"name\":\"f\",\"arguments\":{ \"a\" : 1.50, "
     "\"b\":\"\\u00e9\"}}}]}]}",
     "{\"model\":\"up\",\"messages\":[{\"role\":\"assistant\",\"content\":\"a\",\"refusal\":"
     "\"no\\n\"},{\"role\":\"user\",\"refusal\":\"x\",\"content\":\"b\"},{\"role\":\"assistant\","
     "\"tool_calls\":[{\"id\":\"c1\",\"function\":{\"name\":\"f\",\"arguments\":{ \"a\" : 1.50, "
     "\"b\":\"\\u00e9\"}}}]}]}"},
    {"tools and a format",
     "{\"model\":\"m\",\"messages\":[" USER "],\"tools\":[{\"type\":\"function\",\"function\":{"
     "\"name\":\"f\",\"description\":\"a\\tb \\/\",\"parameters\":{\"maximum\":1.0}}},{\"type\":"
     "\"custom\",\"custom\":{}}],\"tool_choice\":\"auto\",\"response_format\":{\"type\":"
     "\"json_object\"}}",
     "{\"model\":\"up\",\"messages\":[" USER "],\"tools\":[{\"type\":\"function\",\"function\":{"
     "\"name\":\"f\",\"description\":\"a\\tb \\/\",\"parameters\":{\"maximum\":1.0}}},{\"type\":"
     "\"custom\",\"custom\":{}}],\"tool_choice\":\"auto\",\"response_format\":{\"type\":"
     "\"json_object\"}}"},
    {"an id of the vault",
     "{\"model\":\"m\",\"messages\":[{\"role\":\"tool\",\"tool_call_id\":\"tc-0123456789ab-1\","
     "\"content\":\"\"}]}",
     NULL},
    {"a model with an escape is a value", "{\"model\":\"\\u006d\",\"messages\":[" USER "]}",
     "{\"model\":\"up\",\"messages\":[" USER "]}"},
    {"a key with an escape", "{\"\\u006dodel\":\"m\",\"messages\":[" USER "]}", NULL},
    {"no JSON", "{\"model\":\"m\",\"messages\":[" USER "],}", NULL},
    {"a key twice", "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"role\":\"user\"}]}", NULL},
    {"no model", "{\"messages\":[" USER "]}", NULL},
    {"no messages", "{\"model\":\"m\"}", NULL},
    {"no message", "{\"model\":\"m\",\"messages\":[]}", NULL},
    {"a message that is none", "{\"model\":\"m\",\"messages\":[1]}", NULL},
    {"an unknown role", "{\"model\":\"m\",\"messages\":[{\"role\":\"x\",\"content\":\"\"}]}", NULL},
    {"content of another type",
     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":1}]}", NULL},
    {"an unknown part",
     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"x\"}]}]}", NULL},
    {"a call without function",
     "{\"model\":\"m\",\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"a\"}]}]}",
     NULL},
    {"a tool without a name", "{\"model\":\"m\",\"messages\":[" USER "],\"tools\":[{}]}", NULL},
    {"a stream that is no boolean", "{\"model\":\"m\",\"messages\":[" USER "],\"stream\":1}", NULL},
    {"an unknown format",
     "{\"model\":\"m\",\"messages\":[" USER "],\"response_format\":{\"type\":\"x\"}}", NULL},
};

static void compare(const struct chat_scanned *scanned, json body,
                    const struct chat_request *parsed)
{
    const struct token_estimate estimate = token_estimate_of(body, false);
    assert_int_equal(scanned->estimate.input, estimate.input);
    assert_int_equal(scanned->estimate.output, estimate.output);
    assert_int_equal(chat_request_size(scanned->request), chat_request_size(parsed));
    assert_int_equal(chat_request_images(scanned->request), chat_request_images(parsed));
    assert_true(str_equal(scanned->request->model, parsed->model));
    assert_int_equal(scanned->request->is_stream, parsed->is_stream);
    assert_int_equal(scanned->request->wants_usage, parsed->wants_usage);
    assert_int_equal(scanned->request->count, parsed->count);
    assert_int_equal(scanned->request->max_tokens, parsed->max_tokens);
    assert_int_equal(scanned->request->format, parsed->format);
}

static void is_read(void **state)
{
    const struct body *row                   = *state;
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    CLEANUP(buf_done) struct buf sent        = buf_init(TEXT_MAX);
    CLEANUP(json_unrefp) json body           = json_invalid();
    struct chat_request *parsed              = NULL;
    struct chat_scanned scanned              = {};
    bool is_scanned = chat_scan_openai(str_from(row->text), 0, arena, &scanned);
    assert_int_equal(is_scanned, row->sent != NULL);
    if (!is_scanned) return;
    assert_int_equal(json_parse(str_from(row->text), NULL, &body, NULL, NULL), STATUS_OK);
    assert_int_equal(chat_from_openai(body, arena, &parsed, NULL), STATUS_OK);
    compare(&scanned, body, parsed);
    assert_true(chat_print_openai(scanned.request, str_from("up"), FLAVOR_COMPATIBLE, NULL, &sent));
    assert_string_equal(sent.ptr, row->sent);
    json_unref(scanned.rest);
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(bodies)];
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        tests[i] = row_test(bodies[i].name, is_read, &bodies[i]);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
