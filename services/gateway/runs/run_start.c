#include "gateway/runs/run_start.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/money.h"
#include "base/random.h"
#include "gateway/api/labels.h"
#include "json/json_text.h"

enum { KEYS_MAX = 512 /* bytes of an API key's id and an Idempotency-Key */ };

static status read_money(json value, int64_t *ret_nanos, struct error *reterr)
{
    if (json_is(value, JSON_INVALID)) return STATUS_OK;
    CLEANUP(buf_done) struct buf text = buf_init(64);
    if (json_is(value, JSON_TEXT)) {
        (void)buf_put_str(&text, json_str(value));
    } else {
        (void)json_print_number(value, &text);
    }
    if (money_parse(buf_str(&text), ret_nanos)) return STATUS_OK;
    return fail(reterr, STATUS_INVALID_ARGUMENT,
                "/budget/usd: a decimal number with at most 9 digits after the point");
}

static status read_options(struct api_call *call, json from, Pb__StartRun *message,
                           struct error *reterr)
{
    int64_t priority = 0;
    if (json_to_int(json_get_text(from, "priority"), &priority)) {
        message->priority = (uint32_t)priority + 1;
    }
    const char *deadline = api_member(call, from, "deadline");
    if (*deadline && !time_parse(str_from(deadline), &message->deadline_us)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "/deadline: a time such as "
                    "2026-11-22T10:00:00Z");
    }
    json budget = json_get_text(from, "budget");
    (void)json_to_int(json_get_text(budget, "tokens"), &message->budget_tokens);
    TRY(read_money(json_get_text(budget, "usd"), &message->budget_usd_nanos, reterr));
    const char *conflict = api_member(call, from, "on_conflict");
    message->on_conflict = PB__ON_CONFLICT__ON_CONFLICT_REJECT;
    if (str_is(str_from(conflict), "return")) {
        message->on_conflict = PB__ON_CONFLICT__ON_CONFLICT_RETURN;
    } else if (str_is(str_from(conflict), "terminate")) {
        message->on_conflict = PB__ON_CONFLICT__ON_CONFLICT_TERMINATE;
    }
    return STATUS_OK;
}

status run_start_read(struct api_call *call, json from, Pb__StartRun *ret_message,
                      struct error *reterr)
{
    ret_message->namespace_  = api_namespace(call);
    ret_message->workflow    = api_member(call, from, "workflow");
    ret_message->client_id   = api_member(call, from, "client_id");
    ret_message->created_by  = call->identity.key_id;
    ret_message->traceparent = call->traceparent;
    ret_message->draft       = json_is_truthy(json_get_text(from, "draft"));
    struct labels labels     = labels_of_body(call, json_get_text(from, "labels"));
    ret_message->labels      = labels.items;
    ret_message->n_labels    = labels.count;
    return read_options(call, from, ret_message, reterr);
}

status run_start_read_key(struct api_call *call, Pb__StartRun *message,
                          uint8_t digest[static SHA256_SIZE], struct error *reterr)
{
    str key = {};
    TRY(api_idempotency_key(call, &key, reterr));
    if (key.len == 0) return STATUS_OK;
    const bytes parts[] = {
        bytes_from(str_from(call->path)), {"", 1}, bytes_from(buf_str(&call->request->body))};
    bool is_plain = str_is(str_from(call->path), "/v1/runs");
    sha256_parts(is_plain ? &parts[2] : parts, is_plain ? 1 : ARRAY_LEN(parts), digest);
    message->idempotency_key    = api_text(call, key);
    message->idempotency_digest = (ProtobufCBinaryData){.data = digest, .len = SHA256_SIZE};
    return STATUS_OK;
}

uint16_t run_start_partition(struct api_call *call, const Pb__StartRun *message)
{
    const char *namespace = api_namespace(call);
    if (*message->client_id) return api_partition_of(call, str_from(message->client_id));
    if (*message->idempotency_key) {
        CLEANUP(buf_done) struct buf text = buf_init(KEYS_MAX);
        (void)buf_printf(&text, "%s\x1f%s", call->identity.key_id, message->idempotency_key);
        return api_partition_of_text(call->api, str_from(namespace), buf_str(&text));
    }
    unsigned partitions = atomic_load(&call->api->partitions);
    if (partitions <= 1) return 0;
    return (uint16_t)(random_u64() % partitions);
}
