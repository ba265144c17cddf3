/* The arguments of `call: a2a` (K5): {method, agentCard: resource | server: endpoint,
 * parameters?}. */
#include "workflow/catalog.h"

struct arguments_of_a2a {
    const struct template *method, *card, *server, *parameters;
};

static void method_read(struct reader *reader, json value, void *target)
{
    static const char *const methods[] = {
        "message/send",
        "message/stream",
        "tasks/get",
        "tasks/list",
        "tasks/cancel",
        "tasks/resubscribe",
        "tasks/pushNotificationConfig/set",
        "tasks/pushNotificationConfig/get",
        "tasks/pushNotificationConfig/list",
        "tasks/pushNotificationConfig/delete",
        "agent/getAuthenticatedExtendedCard",
    };
    const struct template **result = target;
    size_t index;
    if (choice_read(reader, value, methods, ARRAY_LEN(methods), &index)) {
        *result = template_of_constant(reader, value);
    }
}

static void server_read(struct reader *reader, json value, void *target)
{
    const struct template **result = target;
    struct endpoint server         = {};
    endpoint_read(reader, value, &server);
    *result = template_of_endpoint(reader, &server);
}

static void parameters_read(struct reader *reader, json value, void *target)
{
    if (json_is(value, JSON_OBJECT) && json_count(value) == 0) {
        struct diagnostic *finding =
            refuse(reader, "V06", value_place(reader), "`parameters` is an empty map");
        hint(reader, finding, "leave it out");
        return;
    }
    template_map_read(reader, value, target);
}

static const struct field a2a_fields[] = {
    {"method", method_read, offsetof(struct arguments_of_a2a, method), REQUIRED},
    {"agentCard", resource_read, offsetof(struct arguments_of_a2a, card), OPTIONAL},
    {"server", server_read, offsetof(struct arguments_of_a2a, server), OPTIONAL},
    {"parameters", parameters_read, offsetof(struct arguments_of_a2a, parameters), OPTIONAL},
};
static const struct synonym a2a_synonyms[] = {
    {"card", "agentCard"},       {"agent", "agentCard"},
    {"agent_card", "agentCard"}, {"url", "server"},
    {"endpoint", "server"},      {"params", "parameters"},
    {"arguments", "parameters"}, {},
};
static const struct object_kind a2a_kind = {
    .what        = "an A2A call",
    .fields      = a2a_fields,
    .field_count = ARRAY_LEN(a2a_fields),
    .synonyms    = a2a_synonyms,
};

void a2a_with_read(struct reader *reader, json value, void *target)
{
    const struct template **with      = target;
    struct arguments_of_a2a arguments = {};
    *with                             = template_of_table(reader, &a2a_kind, value, &arguments);
    if (!*with) return;
    bool has_card   = !json_is(json_get_text(value, "agentCard"), JSON_INVALID);
    bool has_server = !json_is(json_get_text(value, "server"), JSON_INVALID);
    if (!has_card && !has_server) {
        refuse(reader, "V06", value_place(reader), "an A2A call needs `agentCard` or `server`");
    }
}
