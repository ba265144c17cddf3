/* Streams of OpenAI's protocol: recorded ones cut at every byte, as the events they become and as
 * what a client is sent of them; and events of other protocols in OpenAI's words. JSON stands in
 * single quotes here. */
#include "base/attr.h"
#include "base/buf.h"
#include "llm-proxy/dialects/dialect.h"
#include "llm-proxy/providers/compatible.h"
#include "llm-proxy/stream/decoder.h"

#include "cmocka.h"

enum { TEXT_MAX = 4 << 20 };

struct row {
    const char *name;
    const char *said;     /* by the upstream */
    const char *expected; /* events */
    const char *sent;     /* to a client that does not ask for usage; NULL: not looked at */
};

#define HEAD           "'id':'c1','model':'gpt','created':5"
#define CHUNK(CHOICES) "data: {" HEAD ",'choices':[" CHOICES "]}\n\n"
#define TEXT(WORDS)    CHUNK("{'index':0,'delta':{'content':'" WORDS "'},'finish_reason':null}")
#define SAID(CHOICE, KEY, WORDS)                                                                   \
    CHUNK("{'index':" #CHOICE ",'delta':{'" KEY "':'" WORDS "'},'finish_reason':null}")
#define NONE(WORDS)                                                                                \
    "data: {" HEAD ",'choices':[{'index':0,'delta':{'content':'" WORDS                             \
    "'},'finish_reason':null}],'usage':null}\n\n"
#define STOP  CHUNK("{'index':0,'delta':{},'finish_reason':'stop'}")
#define DONE  "data: [DONE]\n\n"
#define START "start c1 gpt 5000000|"

/* clang-format off */
static const struct row rows[] = {
    {"text, usage at the end", CHUNK("{'index':0,'delta':{'role':'assistant','content':''}}") TEXT("h\xc3\xa9") TEXT("y") STOP
     "data: {" HEAD ",'choices':[],'usage':{'prompt_tokens':3,'completion_tokens':2,'prompt_tokens_details':{'cached_tokens':1}}}\n\n" DONE,
     START "text 0.0 h\xc3\xa9|text 0.0 y|finish 0 stop stop|usage 3/2/1|end complete|",
     CHUNK("{'index':0,'delta':{'role':'assistant','content':''}}") TEXT("h\xc3\xa9") TEXT("y") STOP},
    {"CRLF, comments, a byte-order mark, data over two lines", "\xef\xbb\xbf: hi\r\n\r\ndata: {" HEAD ",\r\ndata: 'choices':[{'index':0,'delta':{'content':'a'},'finish_reason':'stop'}]}\r\n\r\n: ping\r\ndata: [DONE]\r\n\r\n",
     START "text 0.0 a|finish 0 stop stop|end complete|", NULL},
    {"CR alone, and no empty line at the end", "data: {" HEAD ",'choices':[{'index':0,'delta':{'content':'a'}}]}\r\rdata: [DONE]",
     START "text 0.0 a|end complete|", NULL},
    {"usage beside choices, twice: the last counts", "data: {" HEAD ",'usage':{'prompt_tokens':3,'completion_tokens':1},'choices':[{'index':0,'delta':{'content':'a'}}]}\n\n"
     "data: {" HEAD ",'usage':{'prompt_tokens':3,'completion_tokens':9},'choices':[{'index':0,'delta':{},'finish_reason':'length'}]}\n\n" DONE,
     START "text 0.0 a|usage 3/1/-1|finish 0 length length|usage 3/9/-1|end complete|",
     "data: {" HEAD ",'choices':[{'index':0,'delta':{'content':'a'}}]}\n\ndata: {" HEAD ",'choices':[{'index':0,'delta':{},'finish_reason':'length'}]}\n\n"},
    {"parallel tools, mixed", CHUNK("{'index':0,'delta':{'tool_calls':[{'index':0,'id':'t1','type':'function','function':{'name':'f','arguments':''}},{'index':1,'id':'t2','function':{'name':'g','arguments':'{'}}]}}")
     CHUNK("{'index':0,'delta':{'tool_calls':[{'index':1,'function':{'arguments':'}'}},{'index':0,'function':{'arguments':'{}'}}]}}") CHUNK("{'index':0,'delta':{},'finish_reason':'tool_calls'}") DONE,
     START "tool 0.1 t1 f|tool 0.2 t2 g|args 0.2 {|args 0.2 }|args 0.1 {}|finish 0 tool_calls tool_calls|end complete|", NULL},
    {"tools without an index", CHUNK("{'index':0,'delta':{'tool_calls':[{'id':'t1','function':{'name':'f','arguments':'{}'}}]}}") CHUNK("{'index':0,'delta':{'tool_calls':[{'id':'t2','function':{'name':'g','arguments':'{'}}]}}")
     CHUNK("{'index':0,'delta':{'tool_calls':[{'function':{'arguments':'}'}}]}}") STOP DONE,
     START "tool 0.1 t1 f|args 0.1 {}|tool 0.2 t2 g|args 0.2 {|args 0.2 }|finish 0 stop stop|end complete|", NULL},
    {"all tools of index 0, the last of them without an id, arguments that are an object", CHUNK("{'index':0,'delta':{'tool_calls':[{'index':0,'id':'t1','function':{'name':'f','arguments':{'x':1}}}]}}")
     CHUNK("{'index':0,'delta':{'tool_calls':[{'index':0,'id':'t2','function':{'name':'g','arguments':'{'}}]}}") CHUNK("{'index':0,'delta':{'tool_calls':[{'index':0,'id':'t2','function':{'arguments':'}'}}]}}")
     CHUNK("{'index':0,'delta':{'tool_calls':[{'index':7,'function':{'name':'h'}}]}}") STOP DONE,
     START "tool 0.1 t1 f|args 0.1 {\"x\":1}|tool 0.2 t2 g|args 0.2 {|args 0.2 }|tool 0.8 call_b58029bad31296297e806c04 h|finish 0 stop stop|end complete|", NULL},
    {"parts, thoughts among them", CHUNK("{'index':0,'delta':{'content':[{'type':'thinking','thinking':[{'type':'text','text':'hm'}]},{'type':'text','text':'a'}]}}") STOP DONE,
     START "thinking 0.0 hm|text 0.0 a|finish 0 stop stop|end complete|", NULL},
    {"two choices, a refusal, thoughts in two words", CHUNK("{'index':1,'delta':{'refusal':'no'}},{'index':0,'delta':{'reasoning_content':'hm'}},{'index':0,'delta':{'reasoning':'ah'}}") STOP DONE,
     START "refusal 1.0 no|thinking 0.0 hm|thinking 0.0 ah|finish 0 stop stop|end complete|", NULL},
    {"members nobody knows", "data: {" HEAD ",'x':[1,{'y':null}],'choices':[{'index':0,'delta':{'content':'a','z':1.5},'logprobs':{'content':[]}}],'obfuscation':'q'}\n\n" STOP DONE,
     START "text 0.0 a|finish 0 stop stop|end complete|",
     "data: {" HEAD ",'x':[1,{'y':null}],'choices':[{'index':0,'delta':{'content':'a','z':1.5},'logprobs':{'content':[]}}],'obfuscation':'q'}\n\n" STOP},
    {"alike but for their texts, with and without escapes", TEXT("one") TEXT("two") TEXT("thr\\'ee\\n") TEXT("") TEXT("f\xc3\xb6ur") TEXT("2\\u0035") TEXT("six") STOP DONE,
     START "text 0.0 one|text 0.0 two|text 0.0 thr\"ee\n|text 0.0 f\xc3\xb6ur|text 0.0 25|text 0.0 six|finish 0 stop stop|end complete|",
     TEXT("one") TEXT("two") TEXT("thr\\'ee\\n") TEXT("") TEXT("f\xc3\xb6ur") TEXT("2\\u0035") TEXT("six") STOP},
    {"alike, but the text is not UTF-8", TEXT("one") TEXT("two") TEXT("\xff") STOP DONE,
     START "text 0.0 one|text 0.0 two|error connect an event of the upstream's stream is malformed|end cut|", TEXT("one") TEXT("two")},
    {"alike, but more than a text differs", TEXT("a") TEXT("b") TEXT("c'},'finish_reason':'length'},{'index':1,'delta':{'content':'d") STOP DONE,
     START "text 0.0 a|text 0.0 b|text 0.0 c|finish 0 length length|text 1.0 d|finish 0 stop stop|end complete|", NULL},
    {"choices by turns, thoughts before words", SAID(0, "reasoning_content", "hm") SAID(0, "reasoning_content", "so") SAID(1, "reasoning", "ah") SAID(1, "reasoning", "yes") SAID(0, "content", "a") SAID(1, "content", "b")
     SAID(0, "content", "c") SAID(1, "content", "d") STOP DONE,
     START "thinking 0.0 hm|thinking 0.0 so|thinking 1.0 ah|thinking 1.0 yes|text 0.0 a|text 1.0 b|text 0.0 c|text 1.0 d|finish 0 stop stop|end complete|", NULL},
    {"usage: null is not asked for", NONE("a") NONE("b") NONE("c") STOP DONE, START "text 0.0 a|text 0.0 b|text 0.0 c|finish 0 stop stop|end complete|", TEXT("a") TEXT("b") TEXT("c") STOP},
    {"as it was spelled", "data: { 'id' : 'c1', 'n': 1.50, 'choices': [{'delta': {'content':'a'}}] }\n\n" "data: { 'id' : 'c1', 'n': 1.50, 'choices': [{'delta': {'content':'b'}}] }\n\n" STOP DONE,
     "start c1  0|text 0.0 a|text 0.0 b|finish 0 stop stop|end complete|",
     "data: { 'id' : 'c1', 'n': 1.50, 'choices': [{'delta': {'content':'a'}}] }\n\n" "data: { 'id' : 'c1', 'n': 1.50, 'choices': [{'delta': {'content':'b'}}] }\n\n" STOP},
    {"a usage that is spelled otherwise", "data: {'usage' : null, 'choices':[{'delta':{'content':'a'}}]}\n\n" "data: {'usage' : null, 'choices':[{'delta':{'content':'b'}}]}\n\n" "data: {'usage' : null, 'choices':[{'delta':{'content':'c'}}]}\n\n" STOP DONE,
     "start   0|text 0.0 a|text 0.0 b|text 0.0 c|finish 0 stop stop|end complete|",
     "data: {'choices':[{'delta':{'content':'a'}}]}\n\n" "data: {'choices':[{'delta':{'content':'b'}}]}\n\n" "data: {'choices':[{'delta':{'content':'c'}}]}\n\n" STOP},
    {"a usage further in stays", "data: {'x':{'y':1,'usage':null},'choices':[{'delta':{'content':'a'}}],'usage':null}\n\n" STOP DONE,
     "start   0|text 0.0 a|finish 0 stop stop|end complete|", "data: {'x':{'y':1,'usage':null},'choices':[{'delta':{'content':'a'}}]}\n\n" STOP},
    {"no [DONE], but an end", TEXT("a") STOP, START "text 0.0 a|finish 0 stop stop|end complete|", NULL},
    {"what comes after the end means nothing", TEXT("a") STOP DONE TEXT("b") "data: oops\n\n", START "text 0.0 a|finish 0 stop stop|end complete|", TEXT("a") STOP},
    {"cut between events", TEXT("a"), START "text 0.0 a|error connect the upstream's stream was cut off|end cut|", TEXT("a")},
    {"cut inside an event", TEXT("a") "data: {'id'", START "text 0.0 a|error connect an event of the upstream's stream is malformed|end cut|", TEXT("a")},
    {"nothing at all", "", "error connect the upstream's stream was cut off|end cut|", ""},
    {"no JSON", TEXT("a") "data: <html>\n\n" STOP, START "text 0.0 a|error connect an event of the upstream's stream is malformed|end cut|", TEXT("a")},
    {"JSON that is no object", "data: [1]\n\n", "error connect an event of the upstream's stream is malformed|end cut|", ""},
    {"an error of a server", TEXT("a") "data: {'error':{'message':'oops','type':'server_error'}}\n\n", START "text 0.0 a|error server oops|end cut|", TEXT("a")},
    {"an error that is a text", "data: {'error':'oops'}\n\n", "error server oops|end cut|", ""},
    {"overloaded", "data: {'error':{'message':'no','type':'overloaded_error'}}\n\n", "error overloaded no|end cut|", ""},
    {"a limit, by its number", "data: {'error':{'message':'no','code':429}}\n\n", "error rate_limited no|end cut|", ""},
    {"a spent account", "data: {'error':{'message':'no','code':'insufficient_quota'}}\n\n", "error quota no|end cut|", ""},
    {"the caller's fault, without a reason", "data: {'error':{'type':'invalid_request_error'}}\n\n", "error request the upstream gave no reason|end cut|", ""},
    {"error: null is none", "data: {" HEAD ",'error':null,'choices':[{'index':0,'delta':{'content':'a'}}]}\n\n" STOP DONE, START "text 0.0 a|finish 0 stop stop|end complete|", NULL},
};
/* clang-format on */

static void quote(const char *text, struct buf *out)
{
    for (; *text; text++) (void)buf_put_byte(out, *text == '\'' ? '"' : *text);
}

static void assert_same(const struct buf *is, const struct buf *expected)
{
    if (str_equal(buf_str(is), buf_str(expected))) return;
    print_error(STR_FMT "\n" STR_FMT "\n", STR_ARG(buf_str(is)), STR_ARG(buf_str(expected)));
    assert_true(false);
}

static void put_piece(struct buf *log, const char *kind, const struct llm_event *event)
{
    (void)buf_printf(log, "%s %u.%u " STR_FMT "|", kind, event->choice, event->part,
                     STR_ARG(event->bytes));
}

static void take(const struct llm_event *event, void *context)
{
    struct buf *log = context;
    switch (event->kind) {
    case LLM_START:
        (void)buf_printf(log, "start " STR_FMT " " STR_FMT " %lld|", STR_ARG(event->id),
                         STR_ARG(event->model), (long long)event->created_us);
        break;
    case LLM_TEXT: put_piece(log, "text", event); break;
    case LLM_REFUSAL: put_piece(log, "refusal", event); break;
    case LLM_THINKING: put_piece(log, "thinking", event); break;
    case LLM_TOOL_ARGS: put_piece(log, "args", event); break;
    case LLM_TOOL_START:
        (void)buf_printf(log, "tool %u.%u " STR_FMT " " STR_FMT "|", event->choice, event->part,
                         STR_ARG(event->id), STR_ARG(event->name));
        break;
    case LLM_USAGE:
        (void)buf_printf(log, "usage %lld/%lld/%lld|", (long long)event->usage.input_tokens,
                         (long long)event->usage.output_tokens,
                         (long long)event->usage.cached_tokens);
        break;
    case LLM_FINISH:
        (void)buf_printf(log, "finish %u %s " STR_FMT "|", event->choice,
                         llm_finish_name(event->finish), STR_ARG(event->name));
        break;
    case LLM_ERROR:
        (void)buf_printf(log, "error %s " STR_FMT "|", llm_error_class_name(event->error.class),
                         STR_ARG(event->error.text));
        break;
    case LLM_END: (void)buf_printf(log, "end %s|", llm_end_name(event->end)); break;
    default: break;
    }
}

/* --- decoding ----------------------------------------------------------------------------------
 */

static void feed_at(str said, size_t cut, llm_sink *sink, void *context)
{
    CLEANUP(decoder_freep) struct decoder *decoder = decoder_new(&compatible_stream, sink, context);
    decoder_feed(decoder, str_slice(said, 0, cut));
    decoder_feed(decoder, str_slice(said, cut, said.len));
    decoder_end(decoder);
    assert_true(decoder_is_over(decoder));
}

static void is_the_same_however_it_is_cut(void **state)
{
    const struct row *row             = *state;
    CLEANUP(buf_done) struct buf said = buf_init(TEXT_MAX);
    CLEANUP(buf_done) struct buf log  = buf_init(TEXT_MAX);
    quote(row->said, &said);
    CLEANUP(buf_done) struct buf expected = buf_init(TEXT_MAX);
    (void)buf_put_text(&expected, row->expected);
    for (size_t cut = 0; cut <= said.len; cut++) {
        buf_clear(&log);
        feed_at(buf_str(&said), cut, take, &log);
        assert_same(&log, &expected);
    }
    buf_clear(&log);
    CLEANUP(decoder_freep) struct decoder *decoder = decoder_new(&compatible_stream, take, &log);
    for (size_t i = 0; i < said.len; i++) {
        decoder_feed(decoder, str_slice(buf_str(&said), i, i + 1));
    }
    decoder_end(decoder);
    decoder_end(decoder); /* once more changes nothing */
    assert_same(&log, &expected);
}

static void too_long_an_event(void **)
{
    CLEANUP(buf_done) struct buf said = buf_init(TEXT_MAX);
    CLEANUP(buf_done) struct buf log  = buf_init(TEXT_MAX);
    (void)buf_put_text(&said, "data: \"");
    while (said.len <= DECODER_EVENT_MAX) (void)buf_put_text(&said, "xxxxxxxxxxxxxxxxxxxxxxxxxxx");
    feed_at(buf_str(&said), said.len / 2, take, &log);
    assert_string_equal(log.ptr,
                        "error connect an event of the upstream's stream is too long|end cut|");
}

/* --- what a client is sent ---------------------------------------------------------------------
 */

struct client {
    void *stream;
    struct buf out;
};

static void hand_on(const struct llm_event *event, void *context)
{
    struct client *client = context;
    if (event->kind == LLM_ERROR || event->kind == LLM_END) return;
    dialect_openai_chat.stream_event(client->stream, event, &client->out);
}

static void is_handed_on(void **state)
{
    const struct row *row                 = *state;
    const struct chat_request request     = {.model = str_from("alias"), .is_stream = true};
    const struct dialect_about about      = {.request = &request};
    CLEANUP(buf_done) struct buf said     = buf_init(TEXT_MAX);
    CLEANUP(buf_done) struct buf expected = buf_init(TEXT_MAX);
    struct client client                  = {.stream = dialect_openai_chat.stream_new(&about),
                                             .out    = buf_init(TEXT_MAX)};
    quote(row->said, &said);
    quote(row->sent, &expected);
    feed_at(buf_str(&said), 0, hand_on, &client);
    assert_same(&client.out, &expected);
    dialect_openai_chat.stream_free(client.stream);
    buf_done(&client.out);
}

static void events_in_openais_words(void **)
{
    static const struct llm_event events[] = {
        {.kind = LLM_START, .id = {"m1", 2}, .model = {"claude", 6}},
        {.kind = LLM_CHUNK, .protocol = PROTOCOL_ANTHROPIC},
        {.kind = LLM_THINKING, .bytes = {"hm", 2}},
        {.kind = LLM_OPAQUE, .bytes = {"sig", 3}},
        {.kind = LLM_TEXT, .part = 1, .bytes = {"a\"b", 3}},
        {.kind = LLM_TOOL_START, .part = 4, .id = {"t1", 2}, .name = {"f", 1}},
        {.kind = LLM_TOOL_START, .part = 2, .id = {"t2", 2}, .name = {"g", 1}},
        {.kind = LLM_TOOL_ARGS, .part = 4, .bytes = {"{}", 2}},
        {.kind = LLM_FINISH, .finish = FINISH_TOOL_CALLS},
    };
#define MADE                                                                                       \
    "data: {'id':'m1','object':'chat.completion.chunk','created':7,'model':'claude','choices':["
#define DELTA(WHAT)                                                                                \
    MADE "{'index':0,'delta':{" WHAT "},'logprobs':null,'finish_reason':null}],'usage':null}\n\n"
    static const char expected[] =
        DELTA("'role':'assistant','reasoning_content':'hm'") DELTA("'content':'a\\'b'")
            DELTA("'tool_calls':[{'index':0,'id':'t1','type':'function','function':{'name':'f','"
                  "arguments':''}}]") DELTA("'tool_calls':[{'index':1,'id':'t2','type':'function','"
                                            "function':{'name':'g','arguments':''}}]")
                DELTA("'tool_calls':[{'index':0,'function':{'arguments':'{}'}}]") MADE
        "{'index':0,'delta':{},'logprobs':null,'finish_reason':'tool_calls'}],'usage':null,'tutti':"
        "{'simulated':true}}\n\n" MADE "],'usage':{'prompt_tokens':3,'completion_tokens':4,'total_"
        "tokens':7},'tutti':{'simulated':true}}\n\n"
        "data: [DONE]\n\n"
        "data: "
        "{'error':{'message':'why','type':'server_error','param':null,'code':'timeout_idle'}}\n\n";
    const struct chat_request request = {.is_stream = true, .wants_usage = true};
    const struct dialect_about about  = {
         .request = &request, .created_us = 7'000'000, .is_simulated = true};
    const struct dialect_error error = {
        .http = 504, .code = "timeout_idle", .message = str_from("why")};
    struct llm_usage usage               = llm_usage_unknown();
    CLEANUP(buf_done) struct buf out     = buf_init(TEXT_MAX);
    CLEANUP(buf_done) struct buf correct = buf_init(TEXT_MAX);
    void *stream                         = dialect_openai_chat.stream_new(&about);
    for (size_t i = 0; i < ARRAY_LEN(events); i++) {
        dialect_openai_chat.stream_event(stream, &events[i], &out);
    }
    usage.input_tokens  = 3;
    usage.output_tokens = 4;
    dialect_openai_chat.stream_end(stream, &usage, &out);
    dialect_openai_chat.stream_fail(stream, &error, &out);
    quote(expected, &correct);
    assert_string_equal(buf_str(&out).ptr, buf_str(&correct).ptr);
    dialect_openai_chat.stream_free(stream);
}

int main(void)
{
    struct CMUnitTest tests[2 * ARRAY_LEN(rows) + 2];
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        tests[count++] = (struct CMUnitTest){.name          = rows[i].name,
                                             .test_func     = is_the_same_however_it_is_cut,
                                             .initial_state = (void *)(uintptr_t)&rows[i]};
        if (!rows[i].sent) continue;
        tests[count++] = (struct CMUnitTest){.name          = rows[i].name,
                                             .test_func     = is_handed_on,
                                             .initial_state = (void *)(uintptr_t)&rows[i]};
    }
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(too_long_an_event);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(events_in_openais_words);
    return _cmocka_run_group_tests("stream", tests, count, NULL, NULL);
}
