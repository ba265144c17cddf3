/* How many tokens a request has: what is asked of whom, what is made of the answer, and the guess
 * where nobody can be asked. JSON stands in single quotes here. */
#include "llm-proxy/providers/counting.h"

#include "base/buf.h"
#include "llm-proxy/dialects/dialect.h"
#include "llm-proxy/providers/anthropic.h"
#include "json/json_text.h"

#include "cmocka.h"

#include <inttypes.h>

enum { ARENA_SIZE = 4 << 20, TEXT_SIZE = 1 << 16 };

static str quoted(const char *text, struct buf *out)
{
    for (; *text; text++) (void)buf_put_byte(out, *text == '\'' ? '"' : *text);
    return buf_str(out);
}

/* --- what is asked -----------------------------------------------------------------------------
 */

struct asking {
    const char *path; /* of the client */
    const char *body;
    const struct provider_kind *kind;
    const char *url, *sent;
};

#define MESSAGES "/v1/messages/count_tokens"
#define CONTENT  "/v1beta/models/route:countTokens"

/* clang-format off */
static const struct asking asked[] = {
    {MESSAGES, "{'model':'route','messages':[{'role':'user','content':'x'}],'tool_choice':{'type':'auto'},'speed':'fast','new':{'b':1,'a':2}}",
     &provider_anthropic, "https://h/v1/messages/count_tokens",
     "{'messages':[{'role':'user','content':'x'}],'tool_choice':{'type':'auto'},'speed':'fast','new':{'b':1,'a':2},'model':'m'}"},
    {CONTENT, "{'contents':[{'parts':[{'text':'x'}]}]}",
     &provider_anthropic, "https://h/v1/messages/count_tokens",
     "{'model':'m','messages':[{'role':'user','content':[{'type':'text','text':'x'}]}]}"},
    {CONTENT, "{'generateContentRequest':{'model':'models/other','systemInstruction':{'parts':[{'text':'be'}]},'contents':[{'parts':[{'text':'x'}]}],"
     "'generationConfig':{'temperature':1,'maxOutputTokens':7}}}",
     &provider_anthropic, "https://h/v1/messages/count_tokens",
     "{'model':'m','messages':[{'role':'user','content':[{'type':'text','text':'x'}]}],'system':[{'type':'text','text':'be'}]}"},
    {CONTENT, "{'contents':[{'parts':[{'text':'x'}]}]}",
     &provider_gemini, "https://h/models/m:countTokens", "{'contents':[{'parts':[{'text':'x'}]}]}"},
    {CONTENT, "{'generateContentRequest':{'model':'models/other','contents':[{'parts':[{'text':'x'}]}],'new':[1]}}",
     &provider_gemini, "https://h/models/m:countTokens",
     "{'generateContentRequest':{'model':'models/m','contents':[{'parts':[{'text':'x'}]}],'new':[1]}}"},
    {MESSAGES, "{'model':'route','system':'be','messages':[{'role':'user','content':'x'}]}",
     &provider_gemini, "https://h/models/m:countTokens",
     "{'generateContentRequest':{'model':'models/m','contents':[{'role':'user','parts':[{'text':'x'}]}],'systemInstruction':{'parts':[{'text':'be'}]},'generationConfig':{}}}"},
};
/* clang-format on */

static json parsed(str text)
{
    json value = json_invalid();
    assert_int_equal(json_parse(text, NULL, &value, NULL, NULL), STATUS_OK);
    return value;
}

static status read_request(const char *path, json body, struct arena *arena,
                           struct chat_request **ret_request)
{
    bool is_message  = str_is(str_from(path), MESSAGES);
    Pb__LlmOpen open = PB__LLM_OPEN__INIT;
    open.path        = path;
    open.operation   = is_message ? PB__LLM_OPERATION__LLM_OPERATION_ANTHROPIC_COUNT
                                  : PB__LLM_OPERATION__LLM_OPERATION_GEMINI_CONTENT;
    return dialect_read(dialect_of(open.operation), &open, body, arena, ret_request, NULL);
}

static void the_request_is_the_question(void **)
{
    for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
        CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_SIZE);
        CLEANUP(buf_done) struct buf text        = buf_init(TEXT_SIZE);
        CLEANUP(buf_done) struct buf wanted      = buf_init(TEXT_SIZE);
        CLEANUP(json_unrefp) json body           = parsed(quoted(asked[i].body, &text));
        struct losses losses                     = {.arena = arena};
        const struct provider provider           = {.base_url = "https://h"};
        const struct provider_key key            = {.name = "k", .value = str_from("sk-1")};
        struct provider_request what             = {
                        .provider = &provider, .key = &key, .model = str_from("m"), .losses = &losses};
        struct chat_request *request = NULL;
        struct http_request http     = {};
        assert_int_equal(read_request(asked[i].path, body, arena, &request), STATUS_OK);
        assert_true(request->is_count);
        what.chat = request;
        assert_int_equal(asked[i].kind->counter->encode(&what, arena, &http, NULL), STATUS_OK);
        str posted                         = {.ptr = http.body.ptr, .len = http.body.len};
        CLEANUP(json_unrefp) json sent     = parsed(posted);
        CLEANUP(json_unrefp) json expected = parsed(quoted(asked[i].sent, &wanted));
        if (!json_equal(sent, expected)) fail_msg("%zu: " STR_FMT, i, STR_ARG(posted));
        assert_true(str_is(http.url, asked[i].url));
        for (size_t n = 0; n < losses.count; n++) {
            assert_string_not_equal(losses.items[n].path, "/max_tokens");
        }
        chat_request_done(request);
    }
}

static void a_count_is_no_stream(void **)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_SIZE);
    CLEANUP(json_unrefp)
    json body = parsed(str_from("{\"model\":\"m\",\"stream\":true,\"messages\":[]}"));
    struct chat_request *request = NULL;
    assert_int_equal(read_request(MESSAGES, body, arena, &request), STATUS_INVALID_ARGUMENT);
}

/* --- what is said ------------------------------------------------------------------------------
 */

struct heard {
    int64_t tokens;
    bool is_failed;
    enum llm_error_class class;
    enum llm_end end;
};

static void take(const struct llm_event *event, void *context)
{
    struct heard *heard = context;
    if (event->kind == LLM_USAGE) heard->tokens = event->usage.input_tokens;
    if (event->kind == LLM_END) heard->end = event->end;
    if (event->kind != LLM_ERROR) return;
    heard->is_failed = true;
    heard->class     = event->error.class;
}

static void one_number_is_read(void **)
{
    /* clang-format off */
    static const struct {
        const struct provider_kind *kind;
        int http;
        const char *body;
        int64_t tokens; /* -1: it fails, as */
        enum llm_error_class class;
    } rows[] = {
        {&provider_anthropic, 200, "{'input_tokens':31}", 31, 0},
        {&provider_anthropic, 200, "{'input_tokens':0,'context_management':{}}", 0, 0},
        {&provider_anthropic, 200, "{'input_tokens':-1}", -1, LLM_ERROR_CONNECT},
        {&provider_anthropic, 200, "{'input_tokens':'31'}", -1, LLM_ERROR_CONNECT},
        {&provider_anthropic, 200, "[]", -1, LLM_ERROR_CONNECT},
        {&provider_anthropic, 200, "<html>", -1, LLM_ERROR_CONNECT},
        {&provider_anthropic, 401, "{'type':'error','error':{'type':'authentication_error','message':'no'}}", -1, LLM_ERROR_KEY},
        {&provider_anthropic, 529, "{'type':'error','error':{'type':'overloaded_error','message':'no'}}", -1, LLM_ERROR_OVERLOADED},
        {&provider_gemini, 200, "{'totalTokens':7,'promptTokensDetails':[{'modality':'TEXT','tokenCount':7}]}", 7, 0},
        {&provider_gemini, 200, "{'candidates':[]}", -1, LLM_ERROR_CONNECT},
        {&provider_gemini, 200, "", -1, LLM_ERROR_CONNECT},
        {&provider_gemini, 404, "{'error':{'code':404,'status':'NOT_FOUND','message':'no'}}", -1, LLM_ERROR_REQUEST},
    };
    /* clang-format on */
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_done) struct buf text = buf_init(TEXT_SIZE);
        struct heard heard                = {.tokens = -1};
        const struct http_result result   = {.code   = STATUS_OK,
                                             .answer = {.http_status = rows[i].http},
                                             .body   = quoted(rows[i].body, &text)};
        rows[i].kind->counter->decode(&result, take, &heard);
        assert_int_equal(heard.tokens, rows[i].tokens);
        assert_int_equal(heard.is_failed, rows[i].tokens < 0);
        assert_int_equal(heard.end, rows[i].tokens < 0 ? END_CUT : END_COMPLETE);
        if (heard.is_failed) assert_int_equal(heard.class, rows[i].class);
    }
}

static void clients_hear_it_in_their_words(void **)
{
    static const struct {
        const char *path, *body;
        bool is_estimated, is_simulated;
        const char *said;
    } rows[] = {
        {MESSAGES, "{'model':'m','messages':[{'role':'user','content':'x'}]}", false, false,
         "{'input_tokens':12}"},
        {MESSAGES, "{'model':'m','messages':[{'role':'user','content':'x'}]}", true, false,
         "{'input_tokens':12,'tutti':{'estimated':true}}"},
        {CONTENT, "{'contents':[{'parts':[{'text':'x'}]}]}", false, false, "{'totalTokens':12}"},
        {CONTENT, "{'contents':[{'parts':[{'text':'x'}]}]}", true, true,
         "{'totalTokens':12,'tutti':{'estimated':true,'simulated':true}}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_SIZE);
        CLEANUP(buf_done) struct buf text        = buf_init(TEXT_SIZE);
        CLEANUP(buf_done) struct buf wanted      = buf_init(TEXT_SIZE);
        CLEANUP(buf_done) struct buf out         = buf_init(TEXT_SIZE);
        CLEANUP(json_unrefp) json body           = parsed(quoted(rows[i].body, &text));
        struct chat_request *request             = NULL;
        struct answer answer                     = {.usage = llm_usage_unknown()};
        const struct llm_outcome outcome         = {.is_ok        = true,
                                                    .answer       = &answer,
                                                    .is_estimated = rows[i].is_estimated,
                                                    .is_simulated = rows[i].is_simulated};
        answer.usage.input_tokens                = 12;
        assert_int_equal(read_request(rows[i].path, body, arena, &request), STATUS_OK);
        const struct dialect *dialect =
            request->protocol == PROTOCOL_GEMINI ? &dialect_gemini : &dialect_anthropic;
        dialect->print_answer(&outcome, request, &out);
        assert_string_equal(out.ptr, quoted(rows[i].said, &wanted).ptr);
        chat_request_done(request);
    }
}

/* --- the guess ---------------------------------------------------------------------------------
 */

static void a_guess_counts_texts_and_tools(void **)
{
    static const struct {
        const char *body;
        int64_t tokens;
    } rows[] = {
        {"{'model':'m','messages':[{'role':'user','content':'12345678'}]}", 2 + 4},
        {"{'model':'m','system':'1234','messages':[{'role':'user','content':'12345'}]}", 3 + 8},
        {"{'model':'m','messages':[{'role':'user','content':'1234'}],"
         "'tools':[{'name':'look','description':'1234','input_schema':{}}]}",
         4 + 4}, /* 4 + 4 + 4 + {} */
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_SIZE);
        CLEANUP(buf_done) struct buf text        = buf_init(TEXT_SIZE);
        CLEANUP(json_unrefp) json body           = parsed(quoted(rows[i].body, &text));
        struct chat_request *request             = NULL;
        assert_int_equal(read_request(MESSAGES, body, arena, &request), STATUS_OK);
        assert_int_equal(counting_estimate(request), rows[i].tokens);
        chat_request_done(request);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_request_is_the_question),
        cmocka_unit_test(a_count_is_no_stream),
        cmocka_unit_test(one_number_is_read),
        cmocka_unit_test(clients_hear_it_in_their_words),
        cmocka_unit_test(a_guess_counts_texts_and_tools),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
