/* What Anthropic and Gemini answer: recorded streams cut at every byte, whole answers and errors,
 * as the events they become. JSON stands in single quotes here. */
#include "base/buf.h"
#include "llm-proxy/providers/anthropic.h"
#include "llm-proxy/providers/gemini.h"
#include "llm-proxy/stream/decoder.h"

#include "cmocka.h"

enum { TEXT_MAX = 1 << 20 };

#define A PROTOCOL_ANTHROPIC
#define G PROTOCOL_GEMINI

struct row {
    const char *name;
    enum llm_protocol protocol;
    const char *said, *expected;
};

#define A_BEGIN                                                                                    \
    "event: message_start\ndata: {'type':'message_start','message':{'id':'m1','model':'claude',"   \
    "'usage':{'input_tokens':5,'cache_read_input_tokens':3,'output_tokens':1}}}\n\n"               \
    "event: ping\ndata: {'type':'ping'}\n\n"
#define A_STOP(REASON)                                                                             \
    "event: message_delta\ndata: {'type':'message_delta','delta':{'stop_reason':'" REASON          \
    "'},'usage':{'output_tokens':7}}\n\nevent: message_stop\ndata: {'type':'message_stop'}\n\n"
#define A_START_LOG "start m1 claude|usage 8/1|"

/* clang-format off */
static const struct row streams[] = {
    {"Anthropic: text", A,
     A_BEGIN
     "event: content_block_start\ndata: {'type':'content_block_start','index':0,'content_block':{'type':'text','text':''}}\n\n"
     "event: content_block_delta\ndata: {'type':'content_block_delta','index':0,'delta':{'type':'text_delta','text':'h\xc3\xa9'}}\n\n"
     "event: content_block_stop\ndata: {'type':'content_block_stop','index':0}\n\n" A_STOP("end_turn"),
     A_START_LOG "text 0.0 h\xc3\xa9|usage 8/7|finish 0 stop end_turn|end complete|"},
    {"Anthropic: thinking, sealed thoughts, parallel tools, one without arguments; CRLF", A,
     A_BEGIN
     "data: {'type':'content_block_start','index':0,'content_block':{'type':'thinking','thinking':'','signature':''}}\r\n\r\n"
     "data: {'type':'content_block_delta','index':0,'delta':{'type':'thinking_delta','thinking':'hm'}}\r\n\r\n"
     "data: {'type':'content_block_delta','index':0,'delta':{'type':'signature_delta','signature':'sig'}}\r\n\r\n"
     "data: {'type':'content_block_start','index':1,'content_block':{'type':'redacted_thinking','data':'xx'}}\r\n\r\n"
     "data: {'type':'content_block_start','index':2,'content_block':{'type':'tool_use','id':'t1','name':'f','input':{}}}\r\n\r\n"
     ": a comment\r\n\r\n"
     "data: {'type':'content_block_delta','index':2,'delta':{'type':'input_json_delta','partial_json':''}}\r\n\r\n"
     "data: {'type':'content_block_delta','index':2,'delta':{'type':'input_json_delta','partial_json':'{}'}}\r\n\r\n"
     "data: {'type':'content_block_stop','index':2}\r\n\r\n"
     "data: {'type':'content_block_start','index':3,'content_block':{'type':'tool_use','id':'t2','name':'g','input':{}}}\r\n\r\n"
     "data: {'type':'content_block_stop','index':3}\r\n\r\n" A_STOP("tool_use"),
     A_START_LOG "thinking 0.0 hm|opaque 0.0 signature sig|opaque 0.1 redacted_thinking xx|tool 0.2 t1 f|args 0.2 {}|tool 0.3 t2 g|args 0.3 {}|"
     "usage 8/7|finish 0 tool_calls tool_use|end complete|"},
    {"Anthropic: a tool's input all at once", A,
     A_BEGIN "data: {'type':'content_block_start','index':0,'content_block':{'type':'tool_use','id':'t1','name':'f','input':{'x':1}}}\n\n"
     "data: {'type':'content_block_stop','index':0}\n\n" A_STOP("tool_use"),
     A_START_LOG "tool 0.0 t1 f|args 0.0 {'x':1}|usage 8/7|finish 0 tool_calls tool_use|end complete|"},
    {"Anthropic: a tool that runs there is nobody's call", A,
     A_BEGIN "data: {'type':'content_block_start','index':0,'content_block':{'type':'server_tool_use','id':'t1','name':'web_search','input':{}}}\n\n"
     "data: {'type':'content_block_delta','index':0,'delta':{'type':'input_json_delta','partial_json':'{}'}}\n\n"
     "data: {'type':'content_block_stop','index':0}\n\n" A_STOP("pause_turn"),
     A_START_LOG "usage 8/7|finish 0 stop pause_turn|end complete|"},
    {"Anthropic: a refusal, and a full context", A, A_BEGIN A_STOP("refusal"), A_START_LOG "usage 8/7|finish 0 content_filter refusal|end complete|"},
    {"Anthropic: too long", A, A_BEGIN A_STOP("model_context_window_exceeded"), A_START_LOG "usage 8/7|finish 0 length model_context_window_exceeded|end complete|"},
    {"Anthropic: overloaded inside a 200", A,
     A_BEGIN "event: error\ndata: {'type':'error','error':{'type':'overloaded_error','message':'busy'}}\n\n" A_STOP("end_turn"),
     A_START_LOG "error overloaded busy|end cut|"},
    {"Anthropic: cut", A, A_BEGIN "data: {'type':'content_block_delta','index':0,'delta':{'type':'text_delta','text':'a'}}\n\n",
     A_START_LOG "text 0.0 a|error connect the upstream's stream was cut off|end cut|"},
    {"Anthropic: an end without a reason", A, A_BEGIN "data: {'type':'message_stop'}\n\n",
     A_START_LOG "error connect the upstream's stream ended without a reason|end cut|"},
    {"Anthropic: no beginning", A, "data: {'type':'content_block_stop','index':0}\n\n", "error connect the upstream's stream has no beginning|end cut|"},
    {"Anthropic: a second beginning is none", A, A_BEGIN A_BEGIN A_STOP("end_turn"), A_START_LOG "usage 8/7|finish 0 stop end_turn|end complete|"},
    {"Anthropic: nothing", A, "", "error connect the upstream's stream was cut off|end cut|"},

    {"Gemini: text and thoughts", G,
     "data: {'responseId':'r','modelVersion':'gem','candidates':[{'index':0,'content':{'parts':[{'text':'hm','thought':true}]}}]}\n\n"
     "data: {'candidates':[{'index':0,'content':{'parts':[{'text':'a'}]}}],'usageMetadata':{'promptTokenCount':4,'totalTokenCount':4}}\n\n"
     "data: {'candidates':[{'index':0,'content':{'parts':[{'text':'b'}]},'finishReason':'STOP'}],'usageMetadata':{'promptTokenCount':4,'candidatesTokenCount':2,'thoughtsTokenCount':3}}\n\n",
     "start r gem|thinking 0.0 hm|text 0.1 a|usage 4/-1|text 0.1 b|finish 0 stop STOP|usage 4/5|end complete|"},
    {"Gemini: parallel calls, one signed, an id of its own; CR alone", G,
     "data: {'responseId':'r','candidates':[{'content':{'parts':[{'functionCall':{'id':'c1','name':'f','args':{'x':1}},'thoughtSignature':'s'},{'functionCall':{'id':'c2','name':'g'}}]},'finishReason':'STOP'}]}\r\r",
     "start r |opaque 0.0 thought_signature s|tool 0.0 c1 f|args 0.0 {'x':1}|tool 0.1 c2 g|args 0.1 {}|finish 0 tool_calls STOP|end complete|"},
    {"Gemini: two candidates", G,
     "data: {'candidates':[{'index':1,'content':{'parts':[{'text':'b'}]},'finishReason':'MAX_TOKENS'},{'index':0,'content':{'parts':[{'text':'a'}]}}]}\n\n"
     "data: {'candidates':[{'index':0,'finishReason':'SAFETY'}]}\n\n",
     "start  |text 1.0 b|finish 1 length MAX_TOKENS|text 0.0 a|finish 0 content_filter SAFETY|end complete|"},
    {"Gemini: a blocked prompt", G, "data: {'promptFeedback':{'blockReason':'SAFETY'}}\n\n", "start  |finish 0 content_filter SAFETY|end complete|"},
    {"Gemini: an error inside a 200", G, "data: {'error':{'code':503,'message':'busy','status':'UNAVAILABLE'}}\n\n", "error overloaded busy|end cut|"},
    {"Gemini: a call it could not write", G, "data: {'candidates':[{'finishReason':'MALFORMED_FUNCTION_CALL'}]}\n\n", "start  |error server the model's tool call is malformed|end cut|"},
    {"Gemini: no reason to end is a cut", G, "data: {'candidates':[{'content':{'parts':[{'text':'a'}]}}]}\n\n", "start  |text 0.0 a|error connect the upstream's stream was cut off|end cut|"},
    {"Gemini: the last empty line is left out", G, "data: {'candidates':[{'content':{'parts':[{'text':'a'}]},'finishReason':'STOP'}]}", "start  |text 0.0 a|finish 0 stop STOP|end complete|"},
};

static const struct row answers[] = {
    {"Anthropic: all kinds of blocks", A,
     "{'id':'m1','model':'claude','content':[{'type':'thinking','thinking':'hm','signature':'s'},{'type':'text','text':'a'},{'type':'tool_use','id':'t','name':'f','input':{'x':1}},"
     "{'type':'tool_use','id':'u','name':'g'}],'stop_reason':'tool_use','usage':{'input_tokens':1,'cache_creation_input_tokens':2,'cache_read_input_tokens':4,'output_tokens':9}}",
     "start m1 claude|thinking 0.0 hm|opaque 0.0 signature s|text 0.1 a|tool 0.2 t f|args 0.2 {'x':1}|tool 0.3 u g|args 0.3 {}|usage 7/9|finish 0 tool_calls tool_use|end complete|"},
    {"Anthropic: an error in a 200", A, "{'type':'error','error':{'type':'overloaded_error','message':'busy'}}", "error overloaded busy|end cut|"},
    {"Anthropic: no reason", A, "{'content':[]}", "error connect the upstream's answer is malformed|end cut|"},
    {"Anthropic: no JSON", A, "<html>", "error connect the upstream's answer is malformed|end cut|"},
    {"Gemini: text", G, "{'responseId':'r','modelVersion':'gem','candidates':[{'content':{'parts':[{'text':'a'}]},'finishReason':'STOP'}],'usageMetadata':{'promptTokenCount':4,'toolUsePromptTokenCount':1,'candidatesTokenCount':2}}",
     "start r gem|text 0.0 a|finish 0 stop STOP|usage 5/2|end complete|"},
    {"Gemini: no candidates", G, "{}", "start  |error connect the upstream's answer is malformed|end cut|"},
    {"Gemini: vectors", G, "{'embeddings':[{'values':[1,2]},{'values':[3,4]}]}", "start  |vector 8|vector 8|end complete|"},
    {"Gemini: no vector", G, "{'embeddings':[{'values':['x']}]}", "start  |error connect the upstream's answer is malformed|end cut|"},
};
/* clang-format on */

static void quote(const char *text, struct buf *out)
{
    for (const char *c = text; *c; c++) (void)buf_put_byte(out, *c == '\'' ? '"' : *c);
}

/* In single quotes again, so that logs read as the table does; the error texts' apostrophe stays.
 */
static void put_plain(struct buf *log, str text)
{
    for (size_t i = 0; i < text.len; i++) {
        (void)buf_put_byte(log, text.ptr[i] == '"' ? '\'' : text.ptr[i]);
    }
}

static void take(const struct llm_event *event, void *context)
{
    struct buf *log                   = context;
    static const char *const pieces[] = {
        [LLM_TEXT] = "text", [LLM_THINKING] = "thinking", [LLM_TOOL_ARGS] = "args"};
    switch (event->kind) {
    case LLM_START:
        (void)buf_printf(log, "start " STR_FMT " " STR_FMT, STR_ARG(event->id),
                         STR_ARG(event->model));
        break;
    case LLM_TEXT:
    case LLM_THINKING:
    case LLM_TOOL_ARGS:
        (void)buf_printf(log, "%s %u.%u ", pieces[event->kind], event->choice, event->part);
        put_plain(log, event->bytes);
        break;
    case LLM_OPAQUE:
        (void)buf_printf(log, "opaque %u.%u " STR_FMT " " STR_FMT, event->choice, event->part,
                         STR_ARG(event->name), STR_ARG(event->bytes));
        break;
    case LLM_TOOL_START:
        (void)buf_printf(log, "tool %u.%u " STR_FMT " " STR_FMT, event->choice, event->part,
                         STR_ARG(event->id), STR_ARG(event->name));
        break;
    case LLM_VECTOR: (void)buf_printf(log, "vector %zu", event->bytes.len); break;
    case LLM_USAGE:
        (void)buf_printf(log, "usage %lld/%lld", (long long)event->usage.input_tokens,
                         (long long)event->usage.output_tokens);
        break;
    case LLM_FINISH:
        (void)buf_printf(log, "finish %u %s " STR_FMT, event->choice,
                         llm_finish_name(event->finish), STR_ARG(event->name));
        break;
    case LLM_ERROR:
        (void)buf_printf(log, "error %s " STR_FMT, llm_error_class_name(event->error.class),
                         STR_ARG(event->error.text));
        break;
    case LLM_END: (void)buf_printf(log, "end %s", llm_end_name(event->end)); break;
    default: return;
    }
    (void)buf_put_byte(log, '|');
}

static void feed(const struct row *row, str said, size_t cut, size_t step, struct buf *log)
{
    struct decoder *decoder =
        decoder_new(row->protocol == A ? &anthropic_stream : &gemini_stream, take, log);
    buf_clear(log);
    if (step > 0) {
        for (size_t i = 0; i < said.len; i += step) {
            decoder_feed(decoder, str_slice(said, i, i + step));
        }
    } else {
        decoder_feed(decoder, str_slice(said, 0, cut));
        decoder_feed(decoder, str_slice(said, cut, said.len));
    }
    decoder_end(decoder);
    assert_true(decoder_is_over(decoder));
    decoder_free(decoder);
}

static void is_the_same_however_it_is_cut(void **state)
{
    const struct row *row             = *state;
    CLEANUP(buf_done) struct buf said = buf_init(TEXT_MAX);
    CLEANUP(buf_done) struct buf log  = buf_init(TEXT_MAX);
    quote(row->said, &said);
    feed(row, buf_str(&said), 0, 1, &log);
    assert_string_equal(buf_str(&log).ptr, row->expected);
    for (size_t cut = 0; cut <= said.len; cut++) {
        feed(row, buf_str(&said), cut, 0, &log);
        assert_string_equal(buf_str(&log).ptr, row->expected);
    }
}

static const struct provider_kind *kind_of(enum llm_protocol protocol)
{
    return protocol == A ? &provider_anthropic : &provider_gemini;
}

static void is_decoded(void **state)
{
    const struct row *row             = *state;
    CLEANUP(buf_done) struct buf said = buf_init(TEXT_MAX);
    CLEANUP(buf_done) struct buf log  = buf_init(TEXT_MAX);
    quote(row->said, &said);
    const struct http_result result = {
        .code = STATUS_OK, .answer = {.http_status = 200}, .body = buf_str(&said)};
    kind_of(row->protocol)->decode(&result, take, &log);
    assert_string_equal(buf_str(&log).ptr, row->expected);
}

/* --- errors ------------------------------------------------------------------------------------
 */

struct failing {
    const char *name;
    enum llm_protocol protocol;
    int http_status;
    const char *body;
    enum llm_error_class class;
    int64_t retry_after_ms;
};

/* clang-format off */
static const struct failing failing[] = {
    {"Anthropic: a bad request",   A, 400, "{'error':{'type':'invalid_request_error','message':'no'}}", LLM_ERROR_REQUEST, 0},
    {"Anthropic: a bad key",       A, 401, "{'error':{'type':'authentication_error','message':'no'}}", LLM_ERROR_KEY, 0},
    {"Anthropic: no money",        A, 402, "{'error':{'type':'billing_error','message':'no'}}", LLM_ERROR_KEY, 0},
    {"Anthropic: a limit",         A, 429, "{'error':{'type':'rate_limit_error','message':'no'}}", LLM_ERROR_RATE_LIMITED, 0},
    {"Anthropic: a spend limit",   A, 429, "{'error':{'type':'rate_limit_error','message':'no','details':{'error_code':'enforced_spend_limit_reached'}}}", LLM_ERROR_QUOTA, 0},
    {"Anthropic: overloaded",      A, 529, "{'error':{'type':'overloaded_error','message':'no'}}", LLM_ERROR_OVERLOADED, 0},
    {"Anthropic: no JSON",         A, 500, "oops", LLM_ERROR_SERVER, 0},
    {"Gemini: a bad request",      G, 400, "{'error':{'code':400,'message':'no','status':'INVALID_ARGUMENT'}}", LLM_ERROR_REQUEST, 0},
    {"Gemini: a bad key is a 400", G, 400, "{'error':{'code':400,'message':'no','status':'INVALID_ARGUMENT','details':[{'reason':'API_KEY_INVALID'}]}}", LLM_ERROR_KEY, 0},
    {"Gemini: a limit, with the time", G, 429, "{'error':{'code':429,'message':'no','status':'RESOURCE_EXHAUSTED','details':[{},{'retryDelay':'16.5s'}]}}", LLM_ERROR_RATE_LIMITED, 17'000},
    {"Gemini: overloaded",         G, 503, "{'error':{'code':503,'message':'no','status':'UNAVAILABLE'}}", LLM_ERROR_OVERLOADED, 0},
    {"Gemini: in a list",          G, 403, "[{'error':{'code':403,'message':'no','status':'PERMISSION_DENIED'}}]", LLM_ERROR_KEY, 0},
    {"Gemini: no JSON",            G, 502, "<html>", LLM_ERROR_SERVER, 0},
};
/* clang-format on */

struct seen {
    struct llm_error error;
    enum llm_end end;
};

static void take_error(const struct llm_event *event, void *context)
{
    struct seen *seen = context;
    if (event->kind == LLM_ERROR) seen->error = event->error;
    if (event->kind == LLM_END) seen->end = event->end;
}

static void fails_as(void **state)
{
    const struct failing *row         = *state;
    struct seen seen                  = {.end = END_COMPLETE};
    CLEANUP(buf_done) struct buf said = buf_init(TEXT_MAX);
    quote(row->body, &said);
    const struct http_result result = {
        .code = STATUS_OK, .answer = {.http_status = row->http_status}, .body = buf_str(&said)};
    kind_of(row->protocol)->decode(&result, take_error, &seen);
    assert_int_equal(seen.end, END_CUT);
    assert_string_equal(llm_error_class_name(seen.error.class), llm_error_class_name(row->class));
    assert_int_equal(seen.error.retry_after_ms, row->retry_after_ms);
}

/* --- what is sent ------------------------------------------------------------------------------
 */

static bool has_header(const struct http_request *http, const char *name, const char *value)
{
    for (size_t i = 0; i < http->header_count; i++) {
        if (str_is(http->headers[i].name, name)) return str_is(http->headers[i].value, value);
    }
    return false;
}

static void paths_and_keys(void **)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(1 << 20);
    struct chat_part part                    = {.kind = PART_TEXT, .text = str_from("x")};
    struct chat_message message              = {.role = ROLE_USER, .parts = &part, .part_count = 1};
    struct chat_request request              = {
                     .arena = arena, .messages = &message, .message_count = 1, .model = str_from("route")};
    const struct provider_key key  = {.name = "k", .value = str_from("sk-1")};
    const struct provider provider = {.base_url = "https://h"};
    struct http_request http       = {};
    struct provider_request what   = {
          .provider = &provider, .key = &key, .chat = &request, .model = str_from("m")};
    assert_int_equal(provider_anthropic.encode(&what, arena, &http, NULL), STATUS_OK);
    assert_true(str_is(http.url, "https://h/v1/messages"));
    assert_true(has_header(&http, "x-api-key", "sk-1"));
    assert_true(has_header(&http, "anthropic-version", ANTHROPIC_VERSION_NEW));
    assert_int_equal(provider_gemini.encode(&what, arena, &http, NULL), STATUS_OK);
    assert_true(str_is(http.url, "https://h/models/m:generateContent"));
    assert_true(has_header(&http, "x-goog-api-key", "sk-1"));
    request.is_stream = true;
    what.key          = NULL;
    assert_int_equal(provider_gemini.encode(&what, arena, &http, NULL), STATUS_OK);
    assert_true(str_is(http.url, "https://h/models/m:streamGenerateContent?alt=sse"));
    assert_int_equal(http.header_count, 1);
    str input           = str_from("text");
    request.inputs      = &input;
    request.input_count = 1;
    assert_int_equal(provider_gemini.encode(&what, arena, &http, NULL), STATUS_OK);
    assert_true(str_is(http.url, "https://h/models/m:batchEmbedContents"));
    assert_int_equal(provider_anthropic.encode(&what, arena, &http, NULL), STATUS_INVALID_ARGUMENT);
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(streams) + ARRAY_LEN(answers) + ARRAY_LEN(failing) + 1];
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_LEN(streams); i++) {
        tests[count++] = row_test(streams[i].name, is_the_same_however_it_is_cut, &streams[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        tests[count++] = row_test(answers[i].name, is_decoded, &answers[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(failing); i++) {
        tests[count++] = row_test(failing[i].name, fails_as, &failing[i]);
    }
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(paths_and_keys);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
