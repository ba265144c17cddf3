#include "llm-proxy/providers/simulated.h"

#include "base/attr.h"
#include "base/buf.h"
#include "base/hash.h"
#include "llm-proxy/chat/embed_text.h"
#include "llm-proxy/providers/sample.h"
#include "json/json_text.h"

#include <inttypes.h>
#include <math.h>

enum {
    REQUEST_MAX     = 32 << 20, /* bytes hashed */
    TEXT_MAX        = 64 << 10, /* bytes */
    TEXT_SIZE       = 220,      /* bytes of an answer nobody bounded */
    BYTES_PER_TOKEN = 4,
    ID_MAX          = 64,
    DIMENSIONS      = 256, /* of a vector nobody bounded */
};

/* The same request to the same provider gives the same answer, in whatever process. */
static struct prng prng_of(const struct provider *provider, const struct chat_request *request,
                           str model)
{
    CLEANUP(buf_done) struct buf text = buf_init(REQUEST_MAX);
    struct chat_request whole         = *request;
    whole.is_stream                   = false; /* how it is said does not change what is said */
    (void)chat_print_openai(&whole, model, FLAVOR_COMPATIBLE, NULL, &text);
    (void)buf_put_u64(&text, provider->simulation.seed);
    uint8_t digest[SHA256_SIZE];
    sha256(bytes_from(buf_str(&text)), digest);
    return (struct prng){.state = u64_from(digest)};
}

static int64_t tokens_of(size_t size)
{
    return (int64_t)((size + BYTES_PER_TOKEN - 1) / BYTES_PER_TOKEN);
}

static int64_t input_tokens(const struct chat_request *request)
{
    size_t size = 0;
    for (uint32_t i = 0; i < request->message_count; i++) {
        const struct chat_message *message = &request->messages[i];
        for (uint32_t p = 0; p < message->part_count; p++) size += message->parts[p].text.len;
    }
    return tokens_of(size);
}

/* Pictures and the like have none. */
static str last_text(const struct chat_message *message)
{
    for (uint32_t i = message->part_count; i-- > 0;) {
        const struct chat_part *part = &message->parts[i];
        if (part->kind == PART_TEXT && part->text.len > 0) return part->text;
    }
    return (str){};
}

static str last_user_text(const struct chat_request *request)
{
    for (uint32_t i = request->message_count; i-- > 0;) {
        str text = last_text(&request->messages[i]);
        if (request->messages[i].role == ROLE_USER && text.len > 0) return text;
    }
    return (str){};
}

/* --- what is answered --------------------------------------------------------------------------
 */

static void write_text(const struct chat_request *request, struct prng *prng, struct buf *out)
{
    str question = str_slice(last_user_text(request), 0, 60);
    /* A cut in the middle of a character would be no UTF-8. */
    while (question.len > 0 && ((uint8_t)question.ptr[question.len - 1] & 0xc0) == 0x80) {
        question.len--;
    }
    if (question.len > 0 && (uint8_t)question.ptr[question.len - 1] >= 0xc0) question.len--;
    (void)buf_put_text(out, "[simulated] ");
    if (question.len > 0) (void)buf_printf(out, "On \"" STR_FMT "\": ", STR_ARG(question));
    sample_words(prng, TEXT_SIZE, out);
}

static status write_content(const struct chat_request *request, struct prng *prng, struct buf *out,
                            struct error *reterr)
{
    if (request->format == FORMAT_TEXT) {
        write_text(request, prng, out);
        return STATUS_OK;
    }
    CLEANUP(json_unrefp) json value = json_invalid();
    if (request->format == FORMAT_SCHEMA) {
        TRY(sample_schema(request->schema, prng, &value, reterr));
    } else {
        CLEANUP(buf_done) struct buf text = buf_init(TEXT_MAX);
        write_text(request, prng, &text);
        value = json_object_new(1);
        json_object_put_text(&value, "text", json_text_new(buf_str(&text)));
    }
    (void)json_print(value, JSON_COMPACT, out);
    return STATUS_OK;
}

/* Says whether the conversation has a call of that tool. */
static bool was_called(const struct chat_request *request, const struct chat_tool *tool)
{
    for (uint32_t i = 0; i < request->message_count; i++) {
        const struct chat_message *message = &request->messages[i];
        for (uint32_t p = 0; p < message->part_count; p++) {
            const struct chat_part *part = &message->parts[p];
            if (part->kind == PART_TOOL_CALL && str_equal(part->name, tool->name)) return true;
        }
    }
    return false;
}

/* An agent that is easy to foresee: it calls each of its tools once, all at once, then answers. */
static bool is_wanted(const struct chat_request *request, uint32_t tool)
{
    switch (request->choice) {
    case CHOICE_NONE: return false;
    case CHOICE_REQUIRED: return tool == 0;
    case CHOICE_FUNCTION: return str_equal(request->tools[tool].name, request->choice_name);
    case CHOICE_UNSET:
    case CHOICE_AUTO: break;
    }
    return !was_called(request, &request->tools[tool]);
}

/* --- events ------------------------------------------------------------------------------------
 */

static void send_failure(enum llm_error_class class, uint32_t http, const char *text,
                         llm_sink *sink, void *context)
{
    const struct llm_event error = {
        .kind = LLM_ERROR, .error = {.class = class, .http_status = http, .text = str_from(text)}};
    sink(&error, context);
    const struct llm_event end = {.kind = LLM_END, .end = END_CUT};
    sink(&end, context);
}

static void send_start(str model, uint64_t number, llm_sink *sink, void *context)
{
    CLEANUP(buf_done) struct buf id   = buf_init(ID_MAX);
    CLEANUP(buf_done) struct buf name = buf_init(TEXT_MAX);
    (void)buf_printf(&id, "simulated-%" PRIu64, number);
    (void)buf_printf(&name, "simulated/" STR_FMT, STR_ARG(model));
    const struct llm_event start = {.kind = LLM_START, .id = buf_str(&id), .model = buf_str(&name)};
    sink(&start, context);
}

static size_t send_tool_call(const struct chat_tool *tool, uint32_t number, struct prng *prng,
                             llm_sink *sink, void *context)
{
    struct error error                  = {};
    CLEANUP(json_unrefp) json arguments = json_invalid();
    if (json_is(tool->schema, JSON_INVALID) ||
        sample_schema(tool->schema, prng, &arguments, &error) != STATUS_OK) {
        arguments = json_object_new(0);
    }
    CLEANUP(buf_done) struct buf text = buf_init(TEXT_MAX);
    (void)json_print(arguments, JSON_COMPACT, &text);
    CLEANUP(buf_done) struct buf id = buf_init(ID_MAX);
    (void)buf_printf(&id, "call-%u", number);
    const struct llm_event start = {
        .kind = LLM_TOOL_START, .part = number, .id = buf_str(&id), .name = tool->name};
    const struct llm_event args = {.kind = LLM_TOOL_ARGS, .part = number, .bytes = buf_str(&text)};
    sink(&start, context);
    sink(&args, context);
    return text.len;
}

/* How many bytes of arguments were sent; `*ret_count` calls. */
static size_t send_tool_calls(const struct chat_request *request, struct prng *prng,
                              uint32_t *ret_count, llm_sink *sink, void *context)
{
    size_t size = 0;
    *ret_count  = 0;
    for (uint32_t i = 0; i < request->tool_count; i++) {
        if (!is_wanted(request, i)) continue;
        size += send_tool_call(&request->tools[i], ++*ret_count, prng, sink, context);
    }
    return size;
}

static void send_end(const struct chat_request *request, size_t size, enum llm_finish finish,
                     llm_sink *sink, void *context)
{
    struct llm_usage usage          = llm_usage_unknown();
    usage.input_tokens              = input_tokens(request);
    usage.output_tokens             = tokens_of(size);
    const struct llm_event finished = {.kind = LLM_FINISH, .finish = finish};
    const struct llm_event used     = {.kind = LLM_USAGE, .usage = usage};
    const struct llm_event end      = {.kind = LLM_END, .end = END_COMPLETE};
    sink(&finished, context);
    sink(&used, context);
    sink(&end, context);
}

/* --- embeddings --------------------------------------------------------------------------------
 */

/* A direction of length 1 that follows from the text, the model and the seed. */
static void send_vector(const struct provider *provider, str input, str model, int64_t dimensions,
                        llm_sink *sink, void *context)
{
    CLEANUP(buf_done) struct buf text = buf_init(REQUEST_MAX);
    CLEANUP(buf_done) struct buf raw  = buf_init(EMBED_DIMENSIONS_MAX * sizeof(float));
    (void)buf_put_str(&text, model);
    (void)buf_put_u64(&text, provider->simulation.seed);
    (void)buf_put_str(&text, input);
    uint8_t digest[SHA256_SIZE];
    sha256(bytes_from(buf_str(&text)), digest);
    struct prng prng        = {.state = u64_from(digest)};
    const struct prng start = prng;
    double square           = 0;
    for (int64_t i = 0; i < dimensions; i++) {
        double value = (double)(int64_t)prng_next(&prng) / (double)INT64_MAX;
        square += value * value;
    }
    prng          = start;
    double length = square > 0 ? sqrt(square) : 1;
    for (int64_t i = 0; i < dimensions; i++) {
        float value = (float)((double)(int64_t)prng_next(&prng) / (double)INT64_MAX / length);
        (void)buf_put(&raw, &value, sizeof value);
    }
    const struct llm_event event = {.kind = LLM_VECTOR, .bytes = buf_str(&raw)};
    sink(&event, context);
}

static int64_t tokens_of_input(const struct chat_request *request, str input)
{
    int64_t count = 1; /* numbers, with commas between them */
    if (!request->has_tokens) return tokens_of(input.len);
    for (size_t i = 0; i < input.len; i++) count += input.ptr[i] == ',';
    return count;
}

static void send_vectors(const struct provider *provider, const struct chat_request *request,
                         str model, llm_sink *sink, void *context)
{
    int64_t dimensions     = request->dimensions > 0 ? request->dimensions : DIMENSIONS;
    struct llm_usage usage = llm_usage_unknown();
    usage.input_tokens     = 0;
    usage.output_tokens    = 0;
    for (uint32_t i = 0; i < request->input_count; i++) {
        send_vector(provider, request->inputs[i], model, dimensions, sink, context);
        usage.input_tokens += tokens_of_input(request, request->inputs[i]);
    }
    const struct llm_event used = {.kind = LLM_USAGE, .usage = usage};
    const struct llm_event end  = {.kind = LLM_END, .end = END_COMPLETE};
    sink(&used, context);
    sink(&end, context);
}

/* No more tokens than the caller wants, up to the end of a character. */
static str bounded(const struct chat_request *request, str text)
{
    if (request->max_tokens <= 0 || tokens_of(text.len) <= request->max_tokens) return text;
    size_t size = (size_t)request->max_tokens * BYTES_PER_TOKEN;
    while (size > 0 && ((uint8_t)text.ptr[size] & 0xc0) == 0x80) size--;
    return str_slice(text, 0, size);
}

void simulated_answer(const struct provider *provider, const struct chat_request *request,
                      str model, uint64_t number, llm_sink *sink, void *context)
{
    const struct simulation *simulation = &provider->simulation;
    if (simulation->fail_every > 0 && number % (uint64_t)simulation->fail_every == 0) {
        send_failure(LLM_ERROR_SERVER, 500, "the simulated provider fails as configured", sink,
                     context);
        return;
    }
    struct prng prng = prng_of(provider, request, model);
    send_start(model, number, sink, context);
    if (request->input_count > 0) {
        send_vectors(provider, request, model, sink, context);
        return;
    }
    uint32_t call_count = 0;
    size_t size         = send_tool_calls(request, &prng, &call_count, sink, context);
    if (call_count > 0) {
        send_end(request, size, FINISH_TOOL_CALLS, sink, context);
        return;
    }
    struct error error                = {};
    CLEANUP(buf_done) struct buf text = buf_init(TEXT_MAX);
    if (write_content(request, &prng, &text, &error) != STATUS_OK) {
        send_failure(LLM_ERROR_REQUEST, 400, error.text, sink, context);
        return;
    }
    if (simulation->cut_after > 0 &&
        tokens_of(bounded(request, buf_str(&text)).len) > simulation->cut_after) {
        send_failure(LLM_ERROR_CONNECT, 0, "the simulated provider cuts as configured", sink,
                     context);
        return;
    }
    str said                     = bounded(request, buf_str(&text));
    const struct llm_event piece = {.kind = LLM_TEXT, .bytes = said};
    sink(&piece, context);
    send_end(request, said.len, said.len < text.len ? FINISH_LENGTH : FINISH_STOP, sink, context);
}

int64_t simulated_delay_ms(const struct provider *provider, const struct chat_request *request)
{
    const struct simulation *simulation = &provider->simulation;
    int64_t delay_ms                    = simulated_first_ms(provider, request);
    if (simulation->tokens_per_second > 0) {
        delay_ms += tokens_of(TEXT_SIZE) * 1000 / simulation->tokens_per_second;
    }
    return delay_ms;
}

int64_t simulated_first_ms(const struct provider *provider, const struct chat_request *request)
{
    const struct simulation *simulation = &provider->simulation;
    int64_t delay_ms                    = simulation->first_event_ms;
    if (simulation->jitter_ms > 0) {
        struct prng prng = prng_of(provider, request, request->model);
        delay_ms += (int64_t)(prng_next(&prng) % (uint64_t)(simulation->jitter_ms + 1));
    }
    return delay_ms;
}

/* Nothing is sent: the pipeline asks simulated_answer() instead. */
const struct provider_kind provider_simulated = {.name = "simulated", .is_simulated = true};
