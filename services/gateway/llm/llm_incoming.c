#include "gateway/llm/llm_incoming.h"

#include "gateway/api/key_limits.h"
#include "gateway/api/problem.h"

#include <strings.h>

enum {
    FIELDS_MAX        = 2 * LLM_HEADERS_MAX * LLM_HEADER_SIZE_MAX,
    STREAM_FIELDS_MAX = LLM_HEADERS_MAX + 4 + KEY_LIMITS_FIELDS_MAX
};

void llm_incoming_init(struct llm_incoming *incoming)
{
    incoming->fields = buf_init(FIELDS_MAX);
    incoming->body   = buf_init(LLM_BODY_MAX);
}

void llm_incoming_done(struct llm_incoming *incoming)
{
    buf_done(&incoming->fields);
    buf_done(&incoming->body);
}

/* --- items -------------------------------------------------------------------------------------
 */

static bool is_event_stream(str type)
{
    str wanted = str_from("text/event-stream");
    return type.len >= wanted.len && strncasecmp(type.ptr, wanted.ptr, wanted.len) == 0;
}

static void take_head(struct llm_incoming *incoming, const Pb__LlmItem *item)
{
    incoming->http_status = item->http_status;
    for (size_t i = 0; i < item->n_headers && i < LLM_HEADERS_MAX; i++) {
        str name  = str_from(item->headers[i]->name);
        str value = str_from(item->headers[i]->value);
        if (name.len >= LLM_HEADER_SIZE_MAX || value.len >= LLM_HEADER_SIZE_MAX) continue;
        (void)buf_put_str(&incoming->fields, name);
        (void)buf_put_byte(&incoming->fields, '\0');
        (void)buf_put_str(&incoming->fields, value);
        (void)buf_put_byte(&incoming->fields, '\0');
        bool is_type = strcasecmp(name.ptr, "content-type") == 0;
        if (is_type && is_event_stream(value)) incoming->is_stream = true;
    }
}

static bool is_mid_event(const Pb__LlmItem *item)
{
    return item->data.len > 0 && item->data.data[item->data.len - 1] != '\n';
}

void llm_incoming_take(struct llm_incoming *incoming, const Pb__LlmItem *item)
{
    if (item->seq <= incoming->seq) return; /* sent again */
    incoming->seq = item->seq;
    switch (item->kind) {
    case PB__LLM_ITEM_KIND__LLM_ITEM_KIND_HEAD: take_head(incoming, item); break;
    case PB__LLM_ITEM_KIND__LLM_ITEM_KIND_DATA:
        (void)buf_put(&incoming->body, item->data.data, item->data.len);
        incoming->is_mid_event = is_mid_event(item);
        break;
    case PB__LLM_ITEM_KIND__LLM_ITEM_KIND_END: incoming->is_complete = true; break;
    default: break; /* of a newer release */
    }
}

/* --- whole answers -----------------------------------------------------------------------------
 */

/* Its fields but for the Content-Type, which is returned. */
static const char *read_fields(const struct llm_incoming *incoming, struct httpd_field *fields,
                               size_t *ret_count)
{
    const char *type = "application/json";
    str rest         = buf_str(&incoming->fields);
    *ret_count       = 0;
    while (rest.len > 0) {
        str name  = str_from(rest.ptr);
        rest      = str_slice(rest, name.len + 1, rest.len);
        str value = str_from(rest.ptr);
        rest      = str_slice(rest, value.len + 1, rest.len);
        if (strcasecmp(name.ptr, "content-type") == 0) {
            type = value.ptr;
        } else {
            fields[(*ret_count)++] = (struct httpd_field){name, value};
        }
    }
    return type;
}

static bool is_sound(const struct llm_incoming *incoming)
{
    return incoming->http_status >= 200 && incoming->http_status <= 599 &&
           !incoming->body.is_full && !incoming->fields.is_full;
}

static void respond(const struct llm_incoming *incoming)
{
    struct httpd_field fields[LLM_HEADERS_MAX];
    size_t count     = 0;
    const char *type = read_fields(incoming, fields, &count);
    if (is_sound(incoming)) {
        api_respond(incoming->call, (int)incoming->http_status, type, buf_str(&incoming->body),
                    fields, count);
    } else {
        api_fail_with(incoming->call, "upstream_error", (str){},
                      "the answer of the model is broken or over %d bytes", LLM_BODY_MAX);
    }
}

/* --- streams -----------------------------------------------------------------------------------
 */

static void start(struct llm_incoming *incoming)
{
    struct httpd_field fields[STREAM_FIELDS_MAX];
    struct api_call *call = incoming->call;
    size_t count          = 0;
    const char *type      = read_fields(incoming, fields, &count);
    fields[count++]       = (struct httpd_field){str_from("Content-Type"), str_from(type)};
    fields[count++]       = (struct httpd_field){str_from("Cache-Control"), str_from("no-store")};
    fields[count++]       = (struct httpd_field){str_from("X-Accel-Buffering"), str_from("no")};
    fields[count++] = (struct httpd_field){str_from("X-Request-Id"), str_from(call->request_id)};
    count += key_limits_fields(call, fields + count);
    const struct httpd_response response = {
        .http_status = (int)incoming->http_status, .fields = fields, .field_count = count};
    atomic_store(&call->is_answered, true);
    httpd_stream_start(call->api->httpd, call->handle, &response, true);
    incoming->is_started = true;
}

/* Now and then we wait until the client has taken everything: the server closes a stream that is
 * sent more than it takes. */
static void send_piece(struct llm_incoming *incoming, str piece)
{
    struct api_call *call = incoming->call;
    enum httpd_send how   = HTTPD_MUST;
    incoming->paced += piece.len;
    if (incoming->paced >= LLM_PACE_SIZE) {
        incoming->paced = 0;
        how             = HTTPD_PACED;
        atomic_store(&call->is_slow, true); /* until the server tells otherwise */
    }
    httpd_stream_give(call->api->httpd, incoming->handle, httpd_buffer_new(piece), how);
}

bool llm_incoming_pass(struct llm_incoming *incoming, const Pb__LlmItem *item)
{
    bool may_pass = item->kind == PB__LLM_ITEM_KIND__LLM_ITEM_KIND_DATA &&
                    item->seq > incoming->seq && item->data.len > 0 &&
                    item->data.len <= LLM_PACE_SIZE && incoming->is_started &&
                    incoming->body.len == 0 && !atomic_load(&incoming->call->is_slow);
    if (!may_pass) return false;
    incoming->seq          = item->seq;
    incoming->is_mid_event = is_mid_event(item);
    send_piece(incoming, (str){.ptr = (const char *)item->data.data, .len = item->data.len});
    return true;
}

void llm_incoming_look_ahead(const struct llm_incoming *incoming)
{
    __builtin_prefetch(&incoming->tap);
    if (incoming->call) __builtin_prefetch(&incoming->call->is_slow);
}

static bool send_stream(struct llm_incoming *incoming)
{
    struct api_call *call = incoming->call;
    str rest              = buf_str(&incoming->body);
    if (!incoming->is_started) start(incoming);
    while (rest.len > 0 && !atomic_load(&call->is_slow)) {
        str piece = str_slice(rest, 0, LLM_PACE_SIZE);
        rest      = str_slice(rest, piece.len, rest.len);
        send_piece(incoming, piece);
    }
    if (rest.len == 0) {
        buf_done(&incoming->body); /* a stream that waits keeps no empty buffer */
    } else {
        buf_consume(&incoming->body, incoming->body.len - rest.len);
    }
    if (rest.len > 0 || !incoming->is_complete) return false;
    httpd_stream_end(call->api->httpd, call->handle);
    return true;
}

bool llm_incoming_send(struct llm_incoming *incoming)
{
    bool is_over = incoming->is_complete;
    if (api_call_is_gone(incoming->call)) return is_over; /* nobody reads it */
    if (incoming->is_stream) return send_stream(incoming);
    if (is_over) respond(incoming);
    return is_over;
}

void llm_incoming_fail(struct llm_incoming *incoming, const struct rpc_answer *answer)
{
    struct api_call *call = incoming->call;
    if (api_call_is_gone(call)) return;
    if (!incoming->is_started) {
        api_fail_answer(call, answer);
        return;
    }
    const struct problem problem = {
        .kind       = problem_kind_of(str_from("unavailable"), STATUS_UNAVAILABLE),
        .detail     = str_from("the llm-proxy that answered is gone; the answer is cut off"),
        .request_id = str_from(call->request_id)};
    CLEANUP(buf_done) struct buf frame = buf_init(2 * (size_t)LLM_BODY_MAX);
    (void)buf_put_str(&frame, buf_str(&incoming->body));
    if (incoming->is_mid_event) (void)buf_put_text(&frame, "\n\n");
    /* The SDK of Anthropic looks at events by their names. */
    if (call->error_shape == SHAPE_ANTHROPIC) (void)buf_put_text(&frame, "event: error\n");
    (void)buf_put_text(&frame, "data: ");
    api_print_problem(call, &problem, &frame);
    (void)buf_put_text(&frame, "\n\n");
    CLEANUP(httpd_buffer_unrefp) struct httpd_buffer *buffer = httpd_buffer_new(buf_str(&frame));
    httpd_stream_send(call->api->httpd, call->handle, buffer, HTTPD_PACED);
    httpd_stream_end(call->api->httpd, call->handle);
}

bool llm_incoming_is_slow(const struct llm_incoming *incoming)
{
    return incoming->is_started && incoming->body.len > 0 && incoming->call &&
           atomic_load(&incoming->call->is_slow);
}
