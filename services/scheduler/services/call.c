#include "scheduler/services/call.h"

#include "base/assert.h"
#include "base/mem.h"
#include "scheduler/tables/record.h"
#include "json/json_write.h"

enum {
    RETRY_AFTER_MS   = 1'000,
    FINDINGS_MAX     = 256 << 10, /* bytes of JSON */
    COMMAND_SIZE_MIN = 512,       /* bytes: what even a small one keeps in memory */
};

/* The commands of a batch, in its calls' order. Lies in the arena of the first call, which is not
 * answered before they are posted. */
struct staged {
    struct shard *shard;
    struct command *first, *last;
};

/* --- answers -----------------------------------------------------------------------------------
 */

void call_done(struct command *command)
{
    struct rpc_call *call = command->context;
    call->is_replayed     = command->is_replayed;
    if (command->code == STATUS_RESOURCE_EXHAUSTED) call->retry_after_ms = RETRY_AFTER_MS;
    rpc_reply(call, command->code, command->code == STATUS_OK ? NULL : &command->error);
}

static struct deed deed_of(const struct rpc_call *call)
{
    if (call->deed.action.len == 0) return (struct deed){};
    /* Texts of a request end with NUL. */
    return (struct deed){.action   = call->deed.action.ptr,
                         .resource = call->deed.resource.ptr,
                         .key_id   = call->caller.key_id.ptr,
                         .roles    = call->caller.roles.ptr,
                         .address  = call->deed.address.ptr,
                         .asked_as = call->deed.asked_as.ptr};
}

struct command *call_command(struct rpc_call *call, enum command_kind kind, size_t value_count)
{
    struct command *command = arena_alloc(call->arena, sizeof *command);
    if (!command) return NULL;
    *command = (struct command){
        .mail        = {.size_bytes = COMMAND_SIZE_MIN + arena_used(call->arena)},
        .kind        = kind,
        .request     = call->request,
        .response    = call->response,
        .arena       = call->arena,
        .id          = call->id,
        .request_id  = call->request_id,
        .namespace   = call->namespace,
        .deed        = deed_of(call),
        .values      = value_count > 0 ? mem_new(value_count, sizeof(json)) : NULL,
        .value_count = value_count,
        .done        = call_done,
        .context     = call,
    };
    return command;
}

/* --- posting -----------------------------------------------------------------------------------
 */

static void refuse_chain(struct command *first, status code, const struct error *error)
{
    while (first) {
        struct command *command = first;
        struct mail *next       = command->mail.next;
        first                   = next ? command_of(next) : NULL;
        command_release(command);
        command->code  = code;
        command->error = *error;
        command->done(command);
    }
}

static void post(struct shard *shard, struct command *first)
{
    struct error error = {};
    status posted      = engine_post(shard->engine, first, &error);
    if (posted != STATUS_OK) refuse_chain(first, posted, &error);
}

void call_post(struct rpc_call *call, struct shard *shard, struct command *command)
{
    bool has_batch = call->staged && call->partition == shard->index;
    if (!has_batch || command->kind == COMMAND_LEASE) {
        post(shard, command);
        return;
    }
    struct staged *staged = *call->staged;
    if (!staged) {
        staged = arena_alloc(call->arena, sizeof *staged);
        if (!staged) {
            post(shard, command);
            return;
        }
        *staged       = (struct staged){.shard = shard, .first = command, .last = command};
        *call->staged = staged;
        return;
    }
    ASSERT(staged->shard == shard);
    staged->last->mail.next = &command->mail;
    staged->last            = command;
}

void call_batch_end(uint16_t partition, void *staged, void *)
{
    const struct staged *batch = staged;
    ASSERT(batch->shard->index == partition);
    post(batch->shard, batch->first);
}

status call_moved(struct rpc_call *call, uint16_t partition)
{
    const struct rpc_moved moved = {.partition = partition};
    rpc_reply_moved(call, &moved);
    return STATUS_OK;
}

str call_namespace(const struct rpc_call *call, const char *of_message)
{
    if (*of_message) return str_from(of_message);
    return call->namespace.len > 0 ? call->namespace : str_from("*");
}

/* --- findings ----------------------------------------------------------------------------------
 */

static void write_finding(struct json_writer *writer, const struct diagnostic *found)
{
    json_begin_object(writer);
    if (found->code && *found->code) json_put_text(writer, "code", str_from(found->code));
    json_put_text(writer, "pointer", str_from(found->pointer));
    if (found->line > 0) json_put_int(writer, "line", found->line);
    if (found->column > 0) json_put_int(writer, "column", found->column);
    json_put_text(writer, "detail", str_from(found->detail));
    if (found->hint && *found->hint) json_put_text(writer, "hint", str_from(found->hint));
    json_end_object(writer);
}

void call_set_findings(struct rpc_call *call, const struct diagnostics *list)
{
    CLEANUP(buf_done) struct buf text = buf_init(FINDINGS_MAX);
    struct json_writer writer         = json_writer_init(&text);
    json_begin_array(&writer);
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].severity == SEVERITY_ERROR) write_finding(&writer, &list->items[i]);
    }
    json_end_array(&writer);
    if (text.is_full) return; /* the error says it in words */
    const char *copy = arena_strdup(call->arena, buf_str(&text));
    if (copy) call->details_json = (bytes){copy, text.len};
}

static const char *severity_name(enum severity severity)
{
    switch (severity) {
    case SEVERITY_ERROR: return "error";
    case SEVERITY_WARNING: return "warning";
    case SEVERITY_NOTE: return "note";
    }
    return "";
}

Pb__Finding **findings_in(struct arena *arena, const struct diagnostics *list)
{
    Pb__Finding **items   = arena_alloc(arena, (list->count + 1) * sizeof *items);
    Pb__Finding *findings = arena_alloc(arena, (list->count + 1) * sizeof *findings);
    if (!items || !findings) return NULL;
    for (size_t i = 0; i < list->count; i++) {
        const struct diagnostic *found = &list->items[i];
        findings[i]                    = (Pb__Finding)PB__FINDING__INIT;
        findings[i].code               = found->code ? found->code : "";
        findings[i].severity           = severity_name(found->severity);
        findings[i].pointer            = found->pointer ? found->pointer : "";
        findings[i].line               = found->line;
        findings[i].column             = found->column;
        findings[i].detail             = found->detail ? found->detail : "";
        findings[i].hint               = found->hint ? found->hint : "";
        items[i]                       = &findings[i];
    }
    return items;
}
