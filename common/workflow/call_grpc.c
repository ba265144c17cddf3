/* The arguments of `call: grpc` (K3): {proto: resource, service: {name, host, port?,
 * authentication?}, method, arguments?}. */
#include "workflow/catalog.h"

enum { HOST_MAX = 63 /* characters, by the official schema */, PORT_MAX = 65'535 };

struct service {
    const struct template *name, *host, *port, *authentication;
};

struct arguments_of_grpc {
    const struct template *proto, *service, *method, *arguments;
};

static bool is_alphanumeric(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_host(str text)
{
    if (text.len == 0 || text.len > HOST_MAX) return false;
    for (size_t i = 0; i < text.len; i++) {
        bool is_edge = i == 0 || i + 1 == text.len;
        bool is_mark = text.ptr[i] == '-' || text.ptr[i] == '.';
        if (!is_alphanumeric(text.ptr[i]) && (is_edge || !is_mark)) return false;
    }
    return true;
}

static void host_read(struct reader *reader, json value, void *target)
{
    const struct template **result = target;
    const char *host               = NULL;
    text_read(reader, value, &host);
    if (!host) return;
    if (!is_host(json_str(value))) {
        struct diagnostic *finding =
            refuse(reader, "V06", value_place(reader), "`" STR_FMT "` is not the name of a host",
                   STR_ARG(shown(json_str(value))));
        hint(reader, finding, "`grpc.example.com`, without scheme; the port is `port`");
        return;
    }
    *result = template_of_constant(reader, value);
}

static void port_read(struct reader *reader, json value, void *target)
{
    const struct template **result = target;
    int64_t port;
    if (integer_read(reader, value, 0, PORT_MAX, &port)) {
        *result = template_of_constant(reader, value);
    }
}

static const struct field service_fields[] = {
    {"name", template_text_read, offsetof(struct service, name), REQUIRED},
    {"host", host_read, offsetof(struct service, host), REQUIRED},
    {"port", port_read, offsetof(struct service, port), OPTIONAL},
    {"authentication", authentication_read, offsetof(struct service, authentication), OPTIONAL},
};
static const struct object_kind service_kind = {
    .what = "`service`", .fields = service_fields, .field_count = ARRAY_LEN(service_fields)};

static void service_read(struct reader *reader, json value, void *target)
{
    const struct template **result = target;
    struct service service         = {};
    *result                        = template_of_table(reader, &service_kind, value, &service);
}

static const struct field grpc_fields[] = {
    {"proto", resource_read, offsetof(struct arguments_of_grpc, proto), REQUIRED},
    {"service", service_read, offsetof(struct arguments_of_grpc, service), REQUIRED},
    {"method", template_text_read, offsetof(struct arguments_of_grpc, method), REQUIRED},
    {"arguments", template_map_read, offsetof(struct arguments_of_grpc, arguments), OPTIONAL},
};
static const struct synonym grpc_synonyms[] = {
    {"parameters", "arguments"},
    {"args", "arguments"},
    {"protobuf", "proto"},
    {"host", "service: { host: … }"},
    {},
};
static const struct object_kind grpc_kind = {
    .what        = "a gRPC call",
    .fields      = grpc_fields,
    .field_count = ARRAY_LEN(grpc_fields),
    .synonyms    = grpc_synonyms,
};

void grpc_with_read(struct reader *reader, json value, void *target)
{
    const struct template **with       = target;
    struct arguments_of_grpc arguments = {};
    *with                              = template_of_table(reader, &grpc_kind, value, &arguments);
}
