/* The arguments of `call: mcp` (K6): {method, transport: {http | stdio, options?},
 * protocolVersion?, parameters?, timeout?, client?}. */
#include "workflow/catalog.h"
#include "workflow/task_read.h"

struct arguments_of_mcp {
    const struct template *version, *method, *parameters, *timeout, *transport, *client;
};

static void method_read(struct reader *reader, json value, void *target)
{
    static const char *const methods[] = {
        "tools/list",
        "tools/call",
        "prompts/list",
        "prompts/get",
        "resources/list",
        "resources/read",
        "resources/templates/list",
    };
    const struct template **result = target;
    size_t index;
    if (choice_read(reader, value, methods, ARRAY_LEN(methods), &index)) {
        *result = template_of_constant(reader, value);
    }
}

/* The worker computes it like any other duration; here it only has to be one. */
static void timeout_check(struct reader *reader, json value, void *target)
{
    const struct template **result = target;
    struct duration duration       = {};
    span_read(reader, value, &duration);
    *result = duration.computed ? duration.computed : template_of_constant(reader, value);
}

/* --- transport -------------------------------------------------------------------------------- */

struct web {
    const struct template *headers;
    struct endpoint endpoint;
};

static void headers_read(struct reader *reader, json value, void *target)
{
    texts_read(reader, value, "header", target);
}

static const struct field web_fields[] = {
    {"endpoint", endpoint_read, offsetof(struct web, endpoint), REQUIRED},
    {"headers", headers_read, offsetof(struct web, headers), OPTIONAL},
};
static const struct synonym web_synonyms[] = {{"url", "endpoint"}, {"uri", "endpoint"}, {}};
static const struct object_kind web_kind   = {
      .what        = "`transport.http`",
      .fields      = web_fields,
      .field_count = ARRAY_LEN(web_fields),
      .synonyms    = web_synonyms,
};

static void web_read(struct reader *reader, json value, void *target)
{
    const struct template **result = target;
    struct web web                 = {};
    if (!object_read(reader, &web_kind, value, &web)) return;
    const struct template_member members[] = {
        {"endpoint", template_of_endpoint(reader, &web.endpoint)}, {"headers", web.headers}};
    *result = template_of_members(reader, members, ARRAY_LEN(members));
}

struct process {
    const struct template *command, *arguments, *environment;
};

static void environment_read(struct reader *reader, json value, void *target)
{
    texts_read(reader, value, "environment", target);
    struct diagnostic *finding =
        refuse(reader, "V31", key_place(reader),
               "the environment of an MCP server over `stdio` is the administrator's: `env` of its "
               "entry in `tools.mcp.stdio` of the tool-adapter");
    hint(reader, finding, "leave it out");
}

static const struct field process_fields[] = {
    {"command", template_text_read, offsetof(struct process, command), REQUIRED},
    {"arguments", texts_list_read, offsetof(struct process, arguments), OPTIONAL},
    {"environment", environment_read, offsetof(struct process, environment), OPTIONAL},
};
static const struct synonym process_synonyms[] = {
    {"args", "arguments"}, {"env", "environment"}, {}};
static const struct object_kind process_kind = {
    .what        = "`transport.stdio`",
    .fields      = process_fields,
    .field_count = ARRAY_LEN(process_fields),
    .synonyms    = process_synonyms,
};

/* One of the administrator's programs: whether it is on the list is known where it is started. */
static void process_read(struct reader *reader, json value, void *target)
{
    const struct template **result = target;
    struct process process         = {};
    *result                        = template_of_table(reader, &process_kind, value, &process);
}

/* `input`: whether a person is asked what the server wants to know in the middle of the call. Other
 * options are other runtimes' and mean nothing here. */
static void options_read(struct reader *reader, json value, void *target)
{
    static const char *const choices[] = {"ask", "replay", "refuse"};
    json input                         = json_get_text(value, "input");
    size_t index;
    texts_read(reader, value, "option", target);
    if (!json_is(input, JSON_TEXT)) return;
    size_t back = pointer_enter(reader, str_from("input"));
    (void)choice_read(reader, input, choices, ARRAY_LEN(choices), &index);
    pointer_leave(reader, back);
}

struct transport {
    const struct template *http, *stdio, *options;
};
static const struct field transport_fields[] = {
    {"http", web_read, offsetof(struct transport, http), OPTIONAL},
    {"stdio", process_read, offsetof(struct transport, stdio), OPTIONAL},
    {"options", options_read, offsetof(struct transport, options), OPTIONAL},
};
static const struct object_kind transport_kind = {
    .what = "`transport`", .fields = transport_fields, .field_count = ARRAY_LEN(transport_fields)};

static void transport_read(struct reader *reader, json value, void *target)
{
    const struct template **result = target;
    struct transport transport     = {};
    *result                        = template_of_table(reader, &transport_kind, value, &transport);
    if (!*result) return;
    bool has_http  = !json_is(json_get_text(value, "http"), JSON_INVALID);
    bool has_stdio = !json_is(json_get_text(value, "stdio"), JSON_INVALID);
    if (has_http == has_stdio) {
        refuse(reader, "V06", value_place(reader),
               "`transport` needs exactly one of `http`, `stdio`");
    }
}

/* --- the whole -------------------------------------------------------------------------------- */

struct client {
    const struct template *name, *version;
};
static const struct field client_fields[] = {
    {"name", template_text_read, offsetof(struct client, name), REQUIRED},
    {"version", template_text_read, offsetof(struct client, version), REQUIRED},
};
static const struct object_kind client_kind = {
    .what = "`client`", .fields = client_fields, .field_count = ARRAY_LEN(client_fields)};

static void client_read(struct reader *reader, json value, void *target)
{
    const struct template **result = target;
    struct client client           = {};
    *result                        = template_of_table(reader, &client_kind, value, &client);
}

static const struct field mcp_fields[] = {
    {"protocolVersion", template_text_read, offsetof(struct arguments_of_mcp, version), OPTIONAL},
    {"method", method_read, offsetof(struct arguments_of_mcp, method), REQUIRED},
    {"parameters", template_map_read, offsetof(struct arguments_of_mcp, parameters), OPTIONAL},
    {"timeout", timeout_check, offsetof(struct arguments_of_mcp, timeout), OPTIONAL},
    {"transport", transport_read, offsetof(struct arguments_of_mcp, transport), REQUIRED},
    {"client", client_read, offsetof(struct arguments_of_mcp, client), OPTIONAL},
};
static const struct synonym mcp_synonyms[] = {
    {"params", "parameters"},
    {"arguments", "parameters"},
    {"server", "transport: { http: { endpoint: … } }"},
    {"endpoint", "transport: { http: { endpoint: … } }"},
    {"http", "transport: { http: … }"},
    {"stdio", "transport: { stdio: … }"},
    {"version", "protocolVersion"},
    {"input", "transport: { options: { input: … } }"},
    {},
};
static const struct object_kind mcp_kind = {
    .what        = "an MCP call",
    .fields      = mcp_fields,
    .field_count = ARRAY_LEN(mcp_fields),
    .synonyms    = mcp_synonyms,
};

void mcp_with_read(struct reader *reader, json value, void *target)
{
    const struct template **with      = target;
    struct arguments_of_mcp arguments = {};
    *with                             = template_of_table(reader, &mcp_kind, value, &arguments);
}
