/* The audit log, for admins. */
#include "audit.pb-c.h"
#include "base/clock.h"
#include "base/hash.h"
#include "gateway/api/view.h"
#include "gateway/handlers/handlers.h"

#include <stdio.h>
#include <stdlib.h>

enum { DAY_LEN = sizeof "2026-08-21" - 1, NUMBER_LEN_MAX = 19 };

static void ask(struct api_call *call, const char *method, const void *message, api_then *then)
{
    const struct api_ask asked = {
        .service = &pb__audits__descriptor, .method = method, .message = message, .then = then};
    api_ask_scheduler(call, &asked);
}

/* --- views -------------------------------------------------------------------------------------
 */

static void put_hash(struct json_writer *w, const char *name, ProtobufCBinaryData hash)
{
    char text[2 * SHA256_SIZE + 1];
    if (hash.len != SHA256_SIZE) return;
    hex_encode(hash.data, hash.len, text);
    json_put_text(w, name, str_from(text));
}

static void put_write(struct json_writer *w, const Pb__AuditWrite *write)
{
    json_member(w, "write");
    json_begin_object(w);
    json_put_text(w, "function", str_from(write->function));
    view_text_if(w, "connection", write->connection);
    view_text_if(w, "method", write->method);
    view_text_if(w, "host", write->host);
    view_text_if(w, "path", write->path);
    put_hash(w, "params_hmac", write->params_hmac);
    if (write->http_status > 0) json_put_int(w, "status", write->http_status);
    json_put_text(w, "class", str_from(write->class_));
    json_put_int(w, "bytes", (int64_t)write->bytes);
    json_put_int(w, "duration_ms", (int64_t)write->duration_ms);
    if (write->attempt > 0) json_put_int(w, "attempt", write->attempt);
    json_put_bool(w, "undo", write->undo);
    view_text_if(w, "task", write->task);
    view_text_if(w, "job", write->job);
    json_end_object(w);
}

static void put_roles(struct json_writer *w, const char *roles)
{
    json_member(w, "roles");
    json_begin_array(w);
    while (*roles) {
        size_t length = strcspn(roles, ",");
        json_write_text(w, (str){roles, length});
        roles += length + (roles[length] == ',');
    }
    json_end_array(w);
}

static void put_record(struct json_writer *w, const Pb__AuditItem *item)
{
    const Pb__AuditRecord *record = item->record;
    json_begin_object(w);
    json_put_int(w, "number", (int64_t)item->number);
    json_put_time(w, "time", record->time_us);
    json_put_time(w, "noted_at", record->noted_us);
    view_text_if(w, "namespace", record->namespace_);
    view_text_if(w, "actor", record->key_id);
    if (*record->roles) put_roles(w, record->roles);
    json_put_text(w, "action", str_from(record->action));
    view_text_if(w, "resource", record->resource);
    view_text_if(w, "run", record->run);
    json_put_text(w, "result", str_from(record->result));
    if (record->http_status > 0) json_put_int(w, "status", record->http_status);
    view_text_if(w, "code", record->code);
    view_text_if(w, "request_id", record->request_id);
    view_text_if(w, "address", record->address);
    if (record->count > 0) json_put_int(w, "count", record->count);
    if (record->n_members > 0) json_put_texts(w, "members", record->members, record->n_members);
    if (record->write) put_write(w, record->write);
    put_hash(w, "hash", item->hash);
    json_end_object(w);
}

/* --- lists -------------------------------------------------------------------------------------
 */

/* A time, or a day, which begins at midnight UTC. False: the call was answered. */
static bool read_time(struct api_call *call, const char *name, int64_t *time_us)
{
    str text = {};
    char time[TIME_TEXT_SIZE];
    if (!api_query(call, name, &text)) return true;
    if (text.len == DAY_LEN) {
        (void)snprintf(time, sizeof time, STR_FMT "T00:00:00Z", STR_ARG(text));
        text = str_from(time);
    }
    if (time_parse(text, time_us)) return true;
    api_fail_with(call, "invalid_request", (str){},
                  "%s: a time such as 2026-11-22T10:00:00Z, or a day such as 2026-11-22", name);
    return false;
}

static const char *query_text(struct api_call *call, const char *name)
{
    str text = {};
    return api_query(call, name, &text) ? api_text(call, text) : "";
}

static void on_listed(struct api_call *call, const struct rpc_answer *answer)
{
    const Pb__AuditList *list = answer->message;
    struct api_answer response;
    api_list_begin(&response, call);
    for (size_t i = 0; i < list->n_records; i++) put_record(&response.json, list->records[i]);
    api_list_send(&response, list->next_token);
}

void audit_list(struct api_call *call)
{
    Pb__ListAudit message = PB__LIST_AUDIT__INIT;
    Pb__Page page         = PB__PAGE__INIT;
    if (!api_read_page(call, &page.size, &page.token) ||
        !read_time(call, "from", &message.from_us) || !read_time(call, "to", &message.to_us)) {
        return;
    }
    message.namespace_ = api_namespace(call);
    message.key_id     = query_text(call, "actor");
    message.action     = query_text(call, "action");
    message.resource   = query_text(call, "resource");
    message.run        = query_text(call, "run");
    message.result     = query_text(call, "result");
    message.page       = &page;
    ask(call, "List", &message, on_listed);
}

/* --- checking ----------------------------------------------------------------------------------
 */

static void on_verified(struct api_call *call, const struct rpc_answer *answer)
{
    const Pb__VerifiedAudit *check = answer->message;
    struct api_answer response;
    api_answer_begin(&response, call);
    struct json_writer *w = &response.json;
    json_begin_object(w);
    json_put_bool(w, "intact", check->bad == 0);
    json_put_int(w, "checked", (int64_t)check->checked);
    json_put_int(w, "first", (int64_t)check->first);
    put_hash(w, "anchor", check->anchor);
    json_put_int(w, "last", (int64_t)check->last);
    put_hash(w, "hash", check->hash);
    json_put_bool(w, "has_more", check->has_more);
    if (check->bad > 0) {
        json_put_int(w, "bad", (int64_t)check->bad);
        json_put_text(w, "why", str_from(check->why));
    }
    json_end_object(w);
    api_answer_send(&response, 200, NULL);
}

/* False: the call was answered. */
static bool read_number(struct api_call *call, const char *name, uint64_t *number)
{
    str text = {};
    if (!api_query(call, name, &text)) return true;
    bool is_number = text.len > 0 && text.len < NUMBER_LEN_MAX;
    for (size_t i = 0; is_number && i < text.len; i++) {
        is_number = text.ptr[i] >= '0' && text.ptr[i] <= '9';
        *number   = *number * 10 + (uint64_t)(text.ptr[i] - '0');
    }
    if (is_number) return true;
    api_fail_with(call, "invalid_request", (str){}, "%s: the number of a record", name);
    return false;
}

void audit_verify(struct api_call *call)
{
    Pb__VerifyAudit message = PB__VERIFY_AUDIT__INIT;
    if (!read_number(call, "after", &message.after) ||
        !read_number(call, "until", &message.until)) {
        return;
    }
    ask(call, "Verify", &message, on_verified);
}
