/* Events from outside: checked, and given to the partition of their namespace. */
#include "event.pb-c.h"
#include "scheduler/engine/events.h"
#include "scheduler/services/call.h"
#include "scheduler/services/services.h"
#include "scheduler/tables/run_wire.h"

enum { ATTRIBUTE_MAX = 255 /* encoded of id, source, type */, SOURCE_MAX = 2'048 };

static status check_text(json event, const char *name, size_t max, size_t index,
                         struct error *reterr)
{
    json value = json_get_text(event, name);
    if (json_is(value, JSON_TEXT) && json_str(value).len > 0 && json_str(value).len <= max) {
        return STATUS_OK;
    }
    return fail(reterr, STATUS_INVALID_ARGUMENT,
                "event %zu: `%s` is a text of 1 to %zu encoded; CloudEvents 1.0 requires it", index,
                name, max);
}

/* CloudEvents names attributes with small letters and digits. */
static status check_names(json event, size_t index, struct error *reterr)
{
    for (size_t i = 0; i < json_count(event); i++) {
        str name = json_key_at(event, i);
        bool ok  = name.len > 0 && name.len <= ATTRIBUTE_MAX;
        for (size_t j = 0; ok && j < name.len; j++) {
            char c = name.ptr[j];
            ok     = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        }
        if (ok || str_is(name, "data_base64")) continue;
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "event %zu: an attribute's name has small letters and digits only", index);
    }
    return STATUS_OK;
}

static status check_event(json event, size_t index, struct error *reterr)
{
    if (!json_is(event, JSON_OBJECT)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "event %zu is no object", index);
    }
    json version = json_get_text(event, "specversion");
    if (!json_is(version, JSON_TEXT) || !str_is(json_str(version), "1.0")) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "event %zu: `specversion` is '1.0'", index);
    }
    TRY(check_text(event, "id", ATTRIBUTE_MAX, index, reterr));
    TRY(check_text(event, "source", SOURCE_MAX, index, reterr));
    TRY(check_text(event, "type", ATTRIBUTE_MAX, index, reterr));
    json encoded = json_get_text(event, "data_base64");
    if (encoded.kind != JSON_INVALID && !json_is(encoded, JSON_TEXT)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "event %zu: `data_base64` is a text", index);
    }
    if (encoded.kind != JSON_INVALID && json_get_text(event, "data").kind != JSON_INVALID) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "event %zu has `data` and `data_base64`",
                    index);
    }
    return check_names(event, index, reterr);
}

static status read_events(const Pb__PublishEvents *request, struct command *command,
                          struct error *reterr)
{
    for (size_t i = 0; i < request->n_events_json; i++) {
        if (request->events_json[i].len > EVENT_SIZE_MAX) {
            return fail(reterr, STATUS_INVALID_ARGUMENT, "event %zu: over %d encoded", i,
                        EVENT_SIZE_MAX);
        }
        TRY(json_out(request->events_json[i], "event", &command->values[i], reterr));
        TRY(check_event(command->values[i], i, reterr));
    }
    return STATUS_OK;
}

static status publish(struct rpc_call *call, struct error *reterr)
{
    const Pb__PublishEvents *request = call->request;
    str namespace                    = call_namespace(call, request->namespace_);
    size_t count                     = request->n_events_json;
    if (str_is(namespace, "*")) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "an event belongs to a namespace: name one with the header Tutti-Namespace");
    }
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
