/*
 * The arguments of `call: asyncapi` (K4). Only its form is checked: nothing executes it yet, so
 * nothing is kept of it but the constant fact that it was read.
 */
#include "workflow/catalog.h"
#include "workflow/task_read.h"

enum { MESSAGES_MAX = 1'000'000 /* of one subscription */ };

struct message {
    const struct template *payload, *headers;
};
static const struct field message_fields[] = {
    {"payload", template_object_read, offsetof(struct message, payload), OPTIONAL},
    {"headers", template_object_read, offsetof(struct message, headers), OPTIONAL},
};
static const struct synonym message_synonyms[] = {{"body", "payload"}, {"data", "payload"}, {}};
static const struct object_kind message_kind   = {
      .what        = "`message`",
      .fields      = message_fields,
      .field_count = ARRAY_LEN(message_fields),
      .synonyms    = message_synonyms,
};

struct server {
    const struct template *name, *variables;
};
static const struct field server_fields[] = {
    {"name", template_text_read, offsetof(struct server, name), REQUIRED},
    {"variables", template_object_read, offsetof(struct server, variables), OPTIONAL},
};
static const struct object_kind server_kind = {
    .what = "`server`", .fields = server_fields, .field_count = ARRAY_LEN(server_fields)};

static void message_read(struct reader *reader, json value, void *)
{
    struct message message = {};
    (void)object_read(reader, &message_kind, value, &message);
}

static void server_read(struct reader *reader, json value, void *)
{
    struct server server = {};
    (void)object_read(reader, &server_kind, value, &server);
}

/* --- subscriptions ---------------------------------------------------------------------------- */

struct subscription {
    const struct expression *filter, *while_, *until;
    struct duration time;
    const char *item, *at;
    struct task_list body;
    const struct template *output_as, *export_as;
    const struct schema *output_schema, *export_schema;
};

static void amount_read(struct reader *reader, json value, void *)
{
    int64_t amount;
    (void)integer_read(reader, value, 1, MESSAGES_MAX, &amount);
}

static const struct field consume_fields[] = {
    {"amount", amount_read, 0, OPTIONAL},
    {"while", expression_read, offsetof(struct subscription, while_), OPTIONAL},
    {"until", expression_read, offsetof(struct subscription, until), OPTIONAL},
    {"for", span_read, offsetof(struct subscription, time), OPTIONAL},
};
static const struct synonym consume_synonyms[] = {
    {"count", "amount"}, {"max", "amount"}, {"duration", "for"}, {"timeout", "for"}, {}};
static const struct object_kind consume_kind = {
    .what        = "`consume`",
    .fields      = consume_fields,
    .field_count = ARRAY_LEN(consume_fields),
    .synonyms    = consume_synonyms,
};

static unsigned members_given(json value, const char *const *names, size_t count)
{
    unsigned given = 0;
    for (size_t i = 0; i < count; i++) {
        if (!json_is(json_get_text(value, names[i]), JSON_INVALID)) given++;
    }
    return given;
}

static void consume_read(struct reader *reader, json value, void *target)
{
    static const char *const ways[] = {"amount", "while", "until"};
    if (!object_read(reader, &consume_kind, value, target)) return;
    if (members_given(value, ways, ARRAY_LEN(ways)) != 1) {
        refuse(reader, "V06", value_place(reader),
               "`consume` needs exactly one of `amount`, `while`, `until`");
    }
}

/* `item` and `at` are variables of everything else in `foreach`, so they stand first here. */
static void body_of_each_read(struct reader *reader, json value, void *target)
{
    (void)task_list_read(reader, value, target, reader->scope);
}

static const struct field each_output_fields[] = {
    {"as", transform_read, offsetof(struct subscription, output_as), PLACE_TASK_OUTPUT},
    {"schema", schema_read, offsetof(struct subscription, output_schema), OPTIONAL},
};
static const struct object_kind each_output_kind = {.what        = "`foreach.output`",
                                                    .fields      = each_output_fields,
                                                    .field_count = ARRAY_LEN(each_output_fields)};

static const struct field each_export_fields[] = {
    {"as", transform_read, offsetof(struct subscription, export_as), PLACE_TASK_EXPORT},
    {"schema", schema_read, offsetof(struct subscription, export_schema), OPTIONAL},
};
static const struct object_kind each_export_kind = {.what        = "`foreach.export`",
                                                    .fields      = each_export_fields,
                                                    .field_count = ARRAY_LEN(each_export_fields)};

static void each_output_read(struct reader *reader, json value, void *target)
{
    (void)object_read(reader, &each_output_kind, value, target);
}

static void each_export_read(struct reader *reader, json value, void *target)
{
    (void)object_read(reader, &each_export_kind, value, target);
}

static const struct field names_fields[] = {
    {"item", variable_name_read, offsetof(struct subscription, item), OPTIONAL},
    {"at", variable_name_read, offsetof(struct subscription, at), OPTIONAL},
};

static void name_read(struct reader *reader, json map, const struct field *field, void *object)
{
    json value = json_get_text(map, field->key);
    if (json_is(value, JSON_INVALID)) return;
    size_t back = pointer_enter(reader, str_from(field->key));
    field->read(reader, value, (char *)object + field->offset);
    pointer_leave(reader, back);
}

static void name_skip(struct reader *, json, void *)
{
}

static const struct field each_fields[] = {
    {"item", name_skip, 0, OPTIONAL},
    {"at", name_skip, 0, OPTIONAL},
    {"do", body_of_each_read, offsetof(struct subscription, body), OPTIONAL},
    {"output", each_output_read, 0, OPTIONAL},
    {"export", each_export_read, 0, OPTIONAL},
};
static const struct synonym each_synonyms[] = {{"each", "item"}, {"index", "at"}, {}};
static const struct object_kind each_kind   = {
      .what        = "`foreach`",
      .fields      = each_fields,
      .field_count = ARRAY_LEN(each_fields),
      .synonyms    = each_synonyms,
};

static void each_read(struct reader *reader, json value, void *target)
{
    struct subscription *subscription = target;
    const struct scope outer          = reader->scope;
    for (size_t i = 0; i < ARRAY_LEN(names_fields); i++) {
        name_read(reader, value, &names_fields[i], subscription);
    }
    const task_index owner            = reader->draft ? reader->draft->task.index : TASK_NONE;
    const struct scope_variable own[] = {
        {.name = subscription->item, .task = owner, .kind = SCOPE_ITEM},
        {.name = subscription->at, .task = owner, .kind = SCOPE_INDEX},
    };
    reader->scope = scope_extend(reader, own, ARRAY_LEN(own));
    (void)object_read(reader, &each_kind, value, subscription);
    reader->scope = outer;
}

static const struct field subscription_fields[] = {
    {"filter", expression_read, offsetof(struct subscription, filter), OPTIONAL},
    {"consume", consume_read, 0, REQUIRED},
    {"foreach", each_read, 0, OPTIONAL},
};
static const struct object_kind subscription_kind = {
    .what        = "`subscription`",
    .fields      = subscription_fields,
    .field_count = ARRAY_LEN(subscription_fields),
};

/* The list of its tasks is filled later, so it must stay where it is. */
static void subscription_read(struct reader *reader, json value, void *)
{
    struct subscription *subscription = reader_alloc(reader, 1, sizeof *subscription);
    subscription->item                = "item";
    subscription->at                  = "index";
    (void)object_read(reader, &subscription_kind, value, subscription);
}

/* --- the whole -------------------------------------------------------------------------------- */

static void protocol_read(struct reader *reader, json value, void *)
{
    static const char *const protocols[] = {
        "amqp",  "amqp1",   "anypointmq", "googlepubsub", "http", "ibmmq",  "jms",
        "kafka", "mercure", "mqtt",       "mqtt5",        "nats", "pulsar", "redis",
        "sns",   "solace",  "sqs",        "stomp",        "ws",
    };
    size_t index;
    (void)choice_read(reader, value, protocols, ARRAY_LEN(protocols), &index);
}

struct arguments_of_asyncapi {
    const struct template *document, *channel, *operation, *authentication;
};

static const struct field asyncapi_fields[] = {
    {"document", resource_read, offsetof(struct arguments_of_asyncapi, document), REQUIRED},
    {"channel", template_text_read, offsetof(struct arguments_of_asyncapi, channel), OPTIONAL},
    {"operation", template_text_read, offsetof(struct arguments_of_asyncapi, operation), OPTIONAL},
    {"server", server_read, 0, OPTIONAL},
    {"protocol", protocol_read, 0, OPTIONAL},
    {"message", message_read, 0, OPTIONAL},
    {"subscription", subscription_read, 0, OPTIONAL},
    {"authentication", authentication_read, offsetof(struct arguments_of_asyncapi, authentication),
     OPTIONAL},
};
static const struct synonym asyncapi_synonyms[] = {
    {"operationRef", "operation"},
    {"operationId", "operation"},
    {"topic", "channel"},
    {"payload", "message: { payload: … }"},
    {"subscribe", "subscription"},
    {"publish", "message"},
    {},
};
static const struct object_kind asyncapi_kind = {
    .what        = "an AsyncAPI call",
    .fields      = asyncapi_fields,
    .field_count = ARRAY_LEN(asyncapi_fields),
    .synonyms    = asyncapi_synonyms,
};

static void check_one(struct reader *reader, json value, const char *one, const char *other)
{
    const char *const names[] = {one, other};
    if (members_given(value, names, ARRAY_LEN(names)) == 1) return;
    refuse(reader, "V06", value_place(reader), "an AsyncAPI call needs exactly one of `%s`, `%s`",
           one, other);
}

void asyncapi_with_read(struct reader *reader, json value, void *target)
{
    const struct template **with           = target;
    struct arguments_of_asyncapi arguments = {};
    if (!object_read(reader, &asyncapi_kind, value, &arguments)) return;
    check_one(reader, value, "operation", "channel");
    check_one(reader, value, "message", "subscription");
    *with = template_of_constant(reader, json_null());
}
