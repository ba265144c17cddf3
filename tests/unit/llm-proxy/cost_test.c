/* What an answer costs is what its upstream's own counters cost, whole or streamed, in each
 * protocol: random counters, many of them at the bound of a tier, as bodies and as streams that are
 * cut anywhere. A model nobody has a price for costs nothing that is known. JSON stands in single
 * quotes here. */
#include "base/attr.h"
#include "base/buf.h"
#include "base/random.h"
#include "llm-proxy/catalog/provider.h"
#include "llm-proxy/money/price_table.h"
#include "llm-proxy/stream/answer.h"
#include "llm-proxy/stream/decoder.h"
#include "json/json_text.h"

#include "cmocka.h"

#include <stdarg.h>
#include <stdio.h>

enum { CASES = 400, BOUND = 1'000, TEXT_MAX = 64 << 10, EVENT_MAX = 4'096 };

#define RATES(INPUT, OUTPUT, READ, WRITE, HOUR, HEARD, SAID, KEPT)                                 \
    "\"input\":\"" INPUT "\",\"output\":\"" OUTPUT "\",\"cache_read\":\"" READ                     \
    "\",\"cache_write\":\"" WRITE "\",\"cache_write_1h\":\"" HOUR "\",\"input_audio\":\"" HEARD    \
    "\",\"output_audio\":\"" SAID "\",\"cache_read_audio\":\"" KEPT "\""

static const char prices[] = "{\"models\":[{\"provider\":\"v\",\"id\":\"m\",\"prices\":[{" RATES(
    "1.000003", "7.000007", "0.100011", "1.250013", "2.000017", "40", "80",
    "4") ",\"above\":[{\"input_tokens\":1000," RATES("2", "11", "0.2", "2.5", "4", "41", "81",
                                                     "5") "}]}]}]}";

/* By tier; pico-dollars a token. */
static const struct rates {
    int64_t input, output, read, write, hour, heard, said, kept;
} rates[] = {
    {1'000'003, 7'000'007, 100'011, 1'250'013, 2'000'017, 40'000'000, 80'000'000, 4'000'000},
    {2'000'000, 11'000'000, 200'000, 2'500'000, 4'000'000, 41'000'000, 81'000'000, 5'000'000},
};

struct draw {
    struct prng prng;
    struct buf body, stream; /* what an upstream says, whole and streamed */
    int64_t total_input;
    __int128 picos[2]; /* what that costs, by tier */
};

static int64_t below(struct draw *draw, int64_t bound)
{
    return bound > 0 ? (int64_t)(prng_next(&draw->prng) % (uint64_t)bound) : 0;
}

/* Half of them near the bound of the tier. */
static int64_t draw_input(struct draw *draw)
{
    return below(draw, 2) ? BOUND - 2 + below(draw, 5) : below(draw, 3 * BOUND);
}

PRINTF_LIKE(2, 3) static void put(struct buf *out, const char *format, ...)
{
    char text[EVENT_MAX];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    for (const char *at = text; *at; at++) (void)buf_put_byte(out, *at == '\'' ? '"' : *at);
}

/* --- what upstreams say ------------------------------------------------------------------------
 */

/* All details are parts of the two counters. */
static void draw_openai(struct draw *draw)
{
    enum { USAGE_MAX = 512 };
    char usage[USAGE_MAX];
    int64_t prompt = draw_input(draw);
    int64_t read   = below(draw, prompt + 1);
    int64_t write  = below(draw, prompt - read + 1);
    int64_t heard  = below(draw, 3) ? 0 : below(draw, prompt - read - write + 1);
    int64_t answer = below(draw, 5'000);
    int64_t said   = below(draw, 3) ? 0 : below(draw, answer + 1);
    (void)snprintf(usage, sizeof usage,
                   "{'prompt_tokens':%lld,'completion_tokens':%lld,'prompt_tokens_details':{"
                   "'cached_tokens':%lld,'cache_write_tokens':%lld,'audio_tokens':%lld},"
                   "'completion_tokens_details':{'reasoning_tokens':%lld,'audio_tokens':%lld}}",
                   (long long)prompt, (long long)answer, (long long)read, (long long)write,
                   (long long)heard, (long long)below(draw, answer + 1), (long long)said);
    put(&draw->body,
        "{'id':'x','model':'m','choices':[{'index':0,'message':{'role':'assistant','content':'a'},"
        "'finish_reason':'stop'}],'usage':%s}",
        usage);
    put(&draw->stream,
        "data: {'id':'x','model':'m','choices':[{'index':0,'delta':{'content':'a'},"
        "'finish_reason':'stop'}],'usage':%s}\n\n",
        below(draw, 2) ? "null" : "{'prompt_tokens':1,'completion_tokens':1}");
    put(&draw->stream, "data: {'id':'x','choices':[],'usage':%s}\n\ndata: [DONE]\n\n", usage);
    draw->total_input = prompt;
    for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
        const struct rates *at = &rates[i];
        draw->picos[i]         = (__int128)(prompt - read - write - heard) * at->input +
                         (__int128)read * at->read + (__int128)write * at->write +
                         (__int128)heard * at->heard + (__int128)(answer - said) * at->output +
                         (__int128)said * at->said;
    }
}

/* What is cached comes on top of the input. */
static void draw_anthropic(struct draw *draw)
{
    enum { USAGE_MAX = 512 };
    char usage[USAGE_MAX];
    int64_t total  = draw_input(draw);
    int64_t read   = below(draw, total + 1);
    int64_t write  = below(draw, total - read + 1);
    int64_t hour   = below(draw, write + 1);
    int64_t answer = 1 + below(draw, 5'000);
    int64_t input  = total - read - write;
    (void)snprintf(usage, sizeof usage,
                   "'input_tokens':%lld,'cache_creation_input_tokens':%lld,"
                   "'cache_read_input_tokens':%lld,'cache_creation':{"
                   "'ephemeral_5m_input_tokens':%lld,'ephemeral_1h_input_tokens':%lld}",
                   (long long)input, (long long)write, (long long)read, (long long)(write - hour),
                   (long long)hour);
    put(&draw->body,
        "{'id':'x','type':'message','role':'assistant','model':'m','content':[{'type':'text',"
        "'text':'a'}],'stop_reason':'end_turn','usage':{%s,'output_tokens':%lld}}",
        usage, (long long)answer);
    put(&draw->stream,
        "event: message_start\ndata: {'type':'message_start','message':{'id':'x','type':'message',"
        "'role':'assistant','model':'m','content':[],'usage':{%s,'output_tokens':1}}}\n\n",
        usage);
    put(&draw->stream,
        "event: content_block_start\ndata: {'type':'content_block_start','index':0,"
        "'content_block':{'type':'text','text':''}}\n\nevent: content_block_delta\ndata: {'type':"
        "'content_block_delta','index':0,'delta':{'type':'text_delta','text':'a'}}\n\n");
    put(&draw->stream,
        "event: message_delta\ndata: {'type':'message_delta','delta':{'stop_reason':'end_turn'},"
        "'usage':{'output_tokens':%lld}}\n\nevent: message_stop\ndata: {'type':'message_stop'}\n\n",
        (long long)answer);
    draw->total_input = total;
    for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
        const struct rates *at = &rates[i];
        draw->picos[i]         = (__int128)input * at->input + (__int128)read * at->read +
                         (__int128)(write - hour) * at->write + (__int128)hour * at->hour +
                         (__int128)answer * at->output;
    }
}

/* Thoughts come on top of the answer, prompts of tools on top of the prompt. */
static void draw_gemini(struct draw *draw)
{
    int64_t total    = draw_input(draw);
    int64_t tools    = below(draw, 3) ? 0 : below(draw, total + 1);
    int64_t read     = below(draw, total - tools + 1);
    int64_t kept     = below(draw, 3) ? 0 : below(draw, read + 1);
    int64_t heard    = below(draw, 3) ? 0 : below(draw, total - tools - read + 1);
    int64_t answer   = below(draw, 5'000);
    int64_t said     = below(draw, 3) ? 0 : below(draw, answer + 1);
    int64_t thoughts = below(draw, 2) ? 0 : below(draw, 5'000);
    char event[EVENT_MAX];
    for (int i = 0; i < 3; i++) {
        bool is_last = i == 2; /* the counters grow with each event */
        (void)snprintf(event, sizeof event,
                       "{'candidates':[{'content':{'role':'model','parts':[{'text':'a'}]},%s"
                       "'index':0}],'usageMetadata':{'promptTokenCount':%lld,"
                       "'promptTokensDetails':[{'modality':'TEXT','tokenCount':7},"
                       "{'modality':'AUDIO','tokenCount':%lld}],"
                       "'cacheTokensDetails':[{'modality':'AUDIO','tokenCount':%lld}],"
                       "'candidatesTokensDetails':[{'modality':'AUDIO','tokenCount':%lld}],"
                       "'toolUsePromptTokenCount':%lld,'cachedContentTokenCount':%lld,"
                       "'candidatesTokenCount':%lld,'thoughtsTokenCount':%lld},'modelVersion':'m'}",
                       is_last ? "'finishReason':'STOP'," : "", (long long)(total - tools),
                       (long long)(heard + kept), (long long)kept, (long long)(said * (i + 1) / 3),
                       (long long)tools, (long long)read, (long long)(answer * (i + 1) / 3),
                       (long long)(thoughts * (i + 1) / 3));
        put(&draw->stream, "data: %s\n\n", event);
        if (is_last) put(&draw->body, "%s", event);
    }
    draw->total_input = total;
    for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
        const struct rates *at = &rates[i];
        draw->picos[i] =
            (__int128)(total - read - heard) * at->input + (__int128)heard * at->heard +
            (__int128)(read - kept) * at->read + (__int128)kept * at->kept +
            (__int128)(answer - said + thoughts) * at->output + (__int128)said * at->said;
    }
}

/* --- what it costs -----------------------------------------------------------------------------
 */

static struct llm_usage read_whole(const struct provider_kind *kind, str body)
{
    struct answer answer;
    const struct http_result result = {
        .code = STATUS_OK, .answer = {.http_status = 200}, .body = body};
    answer_init(&answer);
    kind->decode(&result, answer_take, &answer);
    assert_int_equal(answer.end, END_COMPLETE);
    struct llm_usage usage = answer.usage;
    answer_done(&answer);
    return usage;
}

static struct llm_usage read_stream(const struct provider_kind *kind, str said, size_t cut)
{
    struct answer answer;
    answer_init(&answer);
    struct decoder *decoder = decoder_new(kind->stream, answer_take, &answer);
    decoder_feed(decoder, str_slice(said, 0, cut));
    decoder_feed(decoder, str_slice(said, cut, said.len));
    decoder_end(decoder);
    assert_int_equal(answer.end, END_COMPLETE);
    struct llm_usage usage = answer.usage;
    decoder_free(decoder);
    answer_done(&answer);
    return usage;
}

static const struct row {
    const char *name;
    const struct provider_kind *kind;
    void (*draw)(struct draw *draw);
} rows[] = {
    {"OpenAI", &provider_openai, draw_openai},
    {"OpenAI-compatible", &provider_compatible, draw_openai},
    {"Anthropic", &provider_anthropic, draw_anthropic},
    {"Gemini", &provider_gemini, draw_gemini},
};

static void costs_what_its_upstream_counted(void **state)
{
    const struct row *row              = *state;
    CLEANUP(json_unrefp) json document = json_invalid();
    struct price_table *table          = price_table_new();
    struct draw draw                   = {.prng = {.state = 27}};
    struct error error                 = {};
    if (json_parse(str_from(prices), NULL, &document, NULL, &error) != STATUS_OK ||
        price_table_add_document(table, document, &error) != STATUS_OK) {
        fail_msg("%s", error.text);
    }
    const struct model_price *model = price_table_find(table, str_from("v"), str_from("m"));
    assert_non_null(model);
    assert_null(price_table_find(table, str_from("v"), str_from("nobody-knows")));
    for (int i = 0; i < CASES; i++) {
        draw.body   = buf_init(TEXT_MAX);
        draw.stream = buf_init(TEXT_MAX);
        row->draw(&draw);
        __int128 picos          = draw.picos[draw.total_input > BOUND];
        int64_t expected        = (int64_t)((2 * picos + 1'000) / 2'000); /* half up, once */
        size_t cut              = (size_t)below(&draw, (int64_t)draw.stream.len + 1);
        struct llm_usage whole  = read_whole(row->kind, buf_str(&draw.body));
        struct llm_usage stream = read_stream(row->kind, buf_str(&draw.stream), cut);
        int64_t nanos           = -1;
        assert_int_equal(whole.input_tokens, draw.total_input);
        assert_true(price_cost(model, &whole, 0, &nanos));
        assert_int_equal(nanos, expected);
        nanos = -1;
        assert_true(price_cost(model, &stream, 0, &nanos));
        assert_int_equal(nanos, expected);
        buf_done(&draw.body);
        buf_done(&draw.stream);
    }
    price_table_free(table);
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(rows)];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        tests[i] = row_test(rows[i].name, costs_what_its_upstream_counted, &rows[i]);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
