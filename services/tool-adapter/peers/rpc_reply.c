#include "tool-adapter/peers/rpc_reply.h"

#include "base/utf8.h"
#include "pii/scrub.h"
#include "json/json_text.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

enum {
    SAID_MAX   = 400,      /* bytes of an error's message */
    LOOKED_MAX = 64 << 10, /* of those it is made of */
    FOUND_MAX  = 512,      /* of what may be found in part at their end */
};

/* --- messages --------------------------------------------------------------------------------- */

static bool is_answer(const struct rpc_reply *reply, json message)
{
    int64_t id = 0;
    bool says  = !json_is(json_get_text(message, "result"), JSON_INVALID) ||
                json_is(json_get_text(message, "error"), JSON_OBJECT);
    return says && json_to_int(json_get_text(message, "id"), &id) && id == reply->id;
}

/* A server that could not read the request has no id to name. */
static bool is_nameless_error(json message)
{
    json id = json_get_text(message, "id");
    return json_is(json_get_text(message, "error"), JSON_OBJECT) &&
           (json_is(id, JSON_NULL) || json_is(id, JSON_INVALID));
}

static void take_answer(struct rpc_reply *reply, json message)
{
    json error = json_get_text(message, "error");
    if (reply->takes_all && reply->on_answer) reply->on_answer(message, reply->context);
    json_unref(reply->result);
    json_unref(reply->error);
    reply->is_answered = true;
    reply->error       = json_is(error, JSON_OBJECT) ? json_ref(error) : json_invalid();
    reply->result =
        json_is(error, JSON_OBJECT) ? json_invalid() : json_ref(json_get_text(message, "result"));
}

static void take_message(struct rpc_reply *reply, json message)
{
    if (!json_is(message, JSON_OBJECT)) return;
    if (reply->is_answered && !reply->takes_all) return;
    if (json_is(json_get_text(message, "method"), JSON_TEXT)) {
        if (reply->on_message) reply->on_message(message, reply->context);
    } else if (is_answer(reply, message) || is_nameless_error(message)) {
        take_answer(reply, message);
    }
}

static status take_text(struct rpc_reply *reply, str text, struct error *reterr)
{
    const struct json_limits limits = {
        .depth_max = RPC_DEPTH_MAX, .values_max = RPC_VALUES_MAX, .allow_duplicate_keys = true};
    CLEANUP(json_unrefp) json value = json_invalid();
    struct error why                = {};
    status code                     = json_parse(text, &limits, &value, NULL, &why);
    if (code == STATUS_RESOURCE_EXHAUSTED) return fail(reterr, code, "%s", why.text);
    if (code != STATUS_OK) return fail(reterr, STATUS_DATA_LOSS, "the answer is no JSON");
    size_t count = json_is(value, JSON_ARRAY) ? json_count(value) : 1;
    if (reply->messages + count > RPC_MESSAGES_MAX) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the answer has more than %d messages",
                    RPC_MESSAGES_MAX);
    }
    reply->messages += (unsigned)count;
    for (size_t i = 0; i < count; i++) {
        take_message(reply, json_is(value, JSON_ARRAY) ? json_at(value, i) : value);
    }
    return STATUS_OK;
}

static status on_event(const struct sse_event *event, void *context)
{
    struct rpc_reply *reply = context;
    if (event->data.len == 0) return STATUS_OK; /* it only names where the stream is */
    return take_text(reply, event->data, NULL);
}

/* --- life ------------------------------------------------------------------------------------- */

void rpc_reply_init(struct rpc_reply *reply, int64_t id, size_t message_max,
                    rpc_message_fn *on_message, void *context)
{
    *reply = (struct rpc_reply){.id          = id,
                                .message_max = message_max,
                                .form        = RPC_FOREIGN,
                                .document    = buf_init(message_max),
                                .on_message  = on_message,
                                .context     = context,
                                .last_id     = buf_init(SSE_NAME_MAX)};
}

void rpc_reply_done(struct rpc_reply *reply)
{
    json_unref(reply->result);
    json_unref(reply->error);
    buf_done(&reply->document);
    buf_done(&reply->last_id);
    if (reply->has_sse) sse_done(&reply->sse);
}

static bool type_is(str type, const char *wanted)
{
    size_t len      = strlen(wanted);
    const char *end = type.len > 0 ? memchr(type.ptr, ';', type.len) : NULL;
    if (end) type.len = (size_t)(end - type.ptr);
    while (type.len > 0 && type.ptr[type.len - 1] == ' ') type.len--;
    return type.len == len && strncasecmp(type.ptr, wanted, len) == 0;
}

void rpc_reply_begin(struct rpc_reply *reply, str content_type)
{
    CLEANUP(buf_done) struct buf last_id = buf_init(SSE_NAME_MAX);
    (void)buf_put_str(&last_id, rpc_reply_last_id(reply));
    buf_clear(&reply->last_id);
    (void)buf_put_str(&reply->last_id, buf_str(&last_id));
    if (reply->has_sse) sse_done(&reply->sse);
    reply->has_sse = false;
    reply->form    = RPC_FOREIGN;
    buf_clear(&reply->document);
    if (type_is(content_type, "application/json")) reply->form = RPC_DOCUMENT;
    if (!type_is(content_type, "text/event-stream")) return;
    reply->form    = RPC_STREAM;
    reply->has_sse = true;
    sse_init(&reply->sse, reply->message_max, on_event, reply);
}

status rpc_reply_feed(struct rpc_reply *reply, str piece, struct error *reterr)
{
    reply->bytes += piece.len;
    if (reply->bytes > RPC_STREAM_MAX) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the answer has more than %d MiB",
                    RPC_STREAM_MAX >> 20);
    }
    if (reply->form == RPC_STREAM) {
        status code = sse_feed(&reply->sse, piece, reterr);
        if (code != STATUS_DATA_LOSS) return code;
        return fail(reterr, code, "an event of the answer is no JSON");
    }
    if (reply->form == RPC_FOREIGN || buf_put_str(&reply->document, piece)) return STATUS_OK;
    return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the answer has more than %zu bytes",
                reply->message_max);
}

status rpc_reply_end(struct rpc_reply *reply, struct error *reterr)
{
    if (reply->form != RPC_DOCUMENT || reply->document.len == 0) return STATUS_OK;
    return take_text(reply, buf_str(&reply->document), reterr);
}

str rpc_reply_last_id(const struct rpc_reply *reply)
{
    bool has_one = reply->has_sse && reply->sse.id.len > 0;
    return buf_str(has_one ? &reply->sse.id : &reply->last_id);
}

/* --- errors ----------------------------------------------------------------------------------- */

int64_t rpc_error_code(json error)
{
    int64_t code = 0;
    return json_to_int(json_get_text(error, "code"), &code) ? code : 0;
}

void rpc_error_put(json error, struct buf *out)
{
    json message = json_get_text(error, "message");
    str said     = json_is(message, JSON_TEXT) ? json_str(message) : (str){.ptr = ""};
    CLEANUP(buf_done) struct buf clean = buf_init(4 * LOOKED_MAX);
    bool is_cut                        = said.len > LOOKED_MAX;
    said                               = str_slice(said, 0, LOOKED_MAX);
    if (pii_hide(said, PII_DEFAULT, &clean)) said = buf_str(&clean);
    /* What is personal may be cut in two at the end of that, and what is before it was longer. */
    if (is_cut) said.len -= said.len < FOUND_MAX ? said.len : FOUND_MAX;
    if (said.len > SAID_MAX) said.len = SAID_MAX;
    said.len = utf8_valid_prefix(said);
    (void)buf_printf(out, "%" PRId64 " " STR_FMT, rpc_error_code(error), STR_ARG(said));
}
