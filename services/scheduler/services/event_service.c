/* Events from outside: checked, and given to the partition of their namespace. */
#include "event.pb-c.h"
#include "scheduler/engine/events/events.h"
#include "scheduler/services/call.h"
#include "scheduler/services/services.h"
#include "scheduler/tables/run_wire.h"

#include <stdarg.h>
#include <stdio.h>

enum { ATTRIBUTE_MAX = 255 /* bytes of id, source, type */, SOURCE_MAX = 2'048 };

/* What is wrong with the events of a request. */
struct faults {
    struct diagnostics *list;
    struct arena *arena;
    size_t count; /* of events */
    size_t index; /* of the one at hand */
};

/* Where it stands in what was sent: an event alone, or an array of them. */
PRINTF_LIKE(3, 4)
static void fault_add(struct faults *faults, str member, const char *format, ...)
{
    char sentence[ERROR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    bool is_alone     = faults->count == 1;
    const char *slash = member.len > 0 ? "/" : "";
    const char *pointer =
        is_alone
            ? arena_printf(faults->arena, "%s" STR_FMT, slash, STR_ARG(member))
            : arena_printf(faults->arena, "/%zu%s" STR_FMT, faults->index, slash, STR_ARG(member));
    (void)diagnostics_add(faults->list, "", SEVERITY_ERROR, str_from(pointer ? pointer : ""), 0, 0,
                          "event %zu: %s", faults->index, sentence);
}

static void check_text(struct faults *faults, json event, const char *name, size_t max)
{
    json value = json_get_text(event, name);
    if (json_is(value, JSON_TEXT) && json_str(value).len > 0 && json_str(value).len <= max) return;
    fault_add(faults, str_from(name),
              "`%s` is a text of 1 to %zu bytes; CloudEvents 1.0 requires it", name, max);
}

/* CloudEvents names attributes with small letters and digits. */
static void check_names(struct faults *faults, json event)
{
    for (size_t i = 0; i < json_count(event); i++) {
        str name = json_key_at(event, i);
        bool ok  = name.len > 0 && name.len <= ATTRIBUTE_MAX;
        for (size_t j = 0; ok && j < name.len; j++) {
            char c = name.ptr[j];
            ok     = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        }
        if (ok || str_is(name, "data_base64")) continue;
        fault_add(faults, (str){}, "an attribute's name has small letters and digits only");
        return;
    }
}

static void check_event(struct faults *faults, json event)
{
    if (!json_is(event, JSON_OBJECT)) {
        fault_add(faults, (str){}, "is no object");
        return;
    }
    json version = json_get_text(event, "specversion");
    if (!json_is(version, JSON_TEXT) || !str_is(json_str(version), "1.0")) {
        fault_add(faults, str_from("specversion"), "`specversion` is '1.0'");
    }
    check_text(faults, event, "id", ATTRIBUTE_MAX);
    check_text(faults, event, "source", SOURCE_MAX);
    check_text(faults, event, "type", ATTRIBUTE_MAX);
    json encoded = json_get_text(event, "data_base64");
    if (encoded.kind != JSON_INVALID && !json_is(encoded, JSON_TEXT)) {
        fault_add(faults, str_from("data_base64"), "`data_base64` is a text");
    }
    bool has_both =
        encoded.kind != JSON_INVALID && json_get_text(event, "data").kind != JSON_INVALID;
    if (has_both) fault_add(faults, str_from("data"), "it has `data` and `data_base64`");
    check_names(faults, event);
}

/* All that is wrong, the events first: who mends them need not send them once more to hear that
 * the namespace is missing. */
static status check_all(struct rpc_call *call, str namespace, const struct command *command,
                        struct error *reterr)
{
    const Pb__PublishEvents *request = call->request;
    struct faults faults             = {.list  = diagnostics_new(call->arena),
                                        .arena = call->arena,
                                        .count = request->n_events_json};
    if (!faults.list) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    for (; faults.index < faults.count; faults.index++) {
        if (request->events_json[faults.index].len > EVENT_SIZE_MAX) {
            fault_add(&faults, (str){}, "over %d bytes", EVENT_SIZE_MAX);
        } else {
            check_event(&faults, command->values[faults.index]);
        }
    }
    if (str_is(namespace, "*")) {
        (void)diagnostics_add(faults.list, "", SEVERITY_ERROR, (str){}, 0, 0,
                              "an event belongs to a namespace: name one with the header "
                              "Tutti-Namespace");
    }
    if (faults.list->count == 0) return STATUS_OK;
    call_set_findings(call, faults.list);
    return fail(reterr, STATUS_INVALID_ARGUMENT, "%s", faults.list->items[0].detail);
}

static status read_events(const Pb__PublishEvents *request, struct command *command,
                          struct error *reterr)
{
    for (size_t i = 0; i < request->n_events_json; i++) {
        if (request->events_json[i].len > EVENT_SIZE_MAX) continue; /* has its finding */
        TRY(json_out(request->events_json[i], "event", &command->values[i], reterr));
    }
    return STATUS_OK;
}

static status publish(struct rpc_call *call, struct error *reterr)
{
    const Pb__PublishEvents *request = call->request;
    str namespace                    = call_namespace(call, request->namespace_);
    size_t count                     = request->n_events_json;
    if (count == 0 || count > EVENTS_PER_CALL_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "1 to %d events", EVENTS_PER_CALL_MAX);
    }
    uint16_t partition =
        partition_of_text(namespace, (str){.ptr = ""}, scheduler_partition_count(call->context));
    struct shard *shard = scheduler_shard(call->context, partition);
    if (!shard) return call_moved(call, partition);
    struct command *command = call_command(call, COMMAND_PUBLISH, count);
    if (!command) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
    command->namespace = namespace;
    status checked     = read_events(request, command, reterr);
    if (checked == STATUS_OK) checked = check_all(call, namespace, command, reterr);
    if (checked != STATUS_OK) {
        command_release(command);
        return checked;
    }
    call_post(call, shard, command);
    return STATUS_OK;
}

const struct rpc_method event_service_methods[] = {
    {.name = "Publish", .handle = publish},
    {},
};
