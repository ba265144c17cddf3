#include "rpc/address.h"

#include "base/assert.h"

#include <stdio.h>

enum { LONG_PORT_OFFSET = 100, PORT_MAX = 65'535 };

enum scheme_kind { TCP, TLS, LOCAL };

/* clang-format off */
static const struct {
    const char *prefix;
    enum scheme_kind kind;
} schemes[] = {
    {"tcp://",      TCP},
    {"tls+tcp://",  TLS},
    {"ipc://",      LOCAL},
    {"abstract://", LOCAL},
    {"inproc://",   LOCAL},
};
/* clang-format on */

static bool copy(char *to, size_t size, str text)
{
    if (text.len >= size) return false;
    if (text.len > 0) memcpy(to, text.ptr, text.len);
    to[text.len] = '\0';
    return true;
}

static bool parse_port(str text, uint16_t *ret_port)
{
    unsigned port = 0;
    if (text.len < 1 || text.len > 5) return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') return false;
        port = port * 10 + (unsigned)(text.ptr[i] - '0');
    }
    if (port > PORT_MAX) return false;
    *ret_port = (uint16_t)port;
    return true;
}

/* "host:port" or "[host]:port". */
static status parse_host(str rest, struct address *address, struct error *reterr)
{
    size_t colon = rest.len;
    while (colon > 0 && rest.ptr[colon - 1] != ':') colon--;
    if (colon < 2 || !parse_port(str_slice(rest, colon, rest.len), &address->port)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "endpoint " STR_FMT ": wants host:port",
                    STR_ARG(rest));
    }
    str host = str_slice(rest, 0, colon - 1);
    if (host.ptr[0] == '[' && host.ptr[host.len - 1] == ']') {
        host = str_slice(host, 1, host.len - 1);
    }
    if (host.len == 0 || !copy(address->host, sizeof address->host, host)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "endpoint " STR_FMT ": host of 1 to %d bytes",
                    STR_ARG(rest), ADDRESS_HOST_MAX);
    }
    return STATUS_OK;
}

static status parse_url(str text, struct address *address, struct error *reterr)
{
    str dns         = str_from("dns+");
    address->is_dns = str_starts_with(text, dns);
    if (address->is_dns) text = str_slice(text, dns.len, text.len);
    if (!copy(address->url, sizeof address->url, text)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "endpoint: over %d bytes",
                    RPC_ENDPOINT_MAX - 1);
    }
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        str prefix = str_from(schemes[i].prefix);
        if (!str_starts_with(text, prefix)) continue;
        str rest          = str_slice(text, prefix.len, text.len);
        address->is_tls   = schemes[i].kind == TLS;
        address->is_local = schemes[i].kind == LOCAL;
        if (!address->is_local) return parse_host(rest, address, reterr);
        if (address->is_dns || rest.len == 0) break;
        return STATUS_OK;
    }
    return fail(reterr, STATUS_INVALID_ARGUMENT,
                "endpoint " STR_FMT ": wants [dns+]tcp://host:port, [dns+]tls+tcp://host:port, "
                "ipc:///path, abstract://name or inproc://name",
                STR_ARG(text));
}

static void write_tcp(const struct address *address, const char *host, uint16_t port,
                      char ret_url[static RPC_ENDPOINT_MAX])
{
    bool is_v6 = strchr(host, ':') != NULL;
    int size   = snprintf(ret_url, RPC_ENDPOINT_MAX, "%s%s%s%s:%u",
                        address->is_tls ? "tls+tcp://" : "tcp://", is_v6 ? "[" : "", host,
                        is_v6 ? "]" : "", (unsigned)port);
    ASSERT(size > 0 && size < RPC_ENDPOINT_MAX);
}

static status derive_long(struct address *address, struct error *reterr)
{
    if (!address->is_local) {
        if (address->port > PORT_MAX - LONG_PORT_OFFSET) {
            return fail(reterr, STATUS_INVALID_ARGUMENT, "endpoint %s: port above %d", address->url,
                        PORT_MAX - LONG_PORT_OFFSET);
        }
        /* Port 0 is "any" for both. */
        bool is_any        = address->port == 0;
        address->long_port = (uint16_t)(is_any ? 0 : address->port + LONG_PORT_OFFSET);
        write_tcp(address, address->host, address->long_port, address->long_url);
        return STATUS_OK;
    }
    int size = snprintf(address->long_url, RPC_ENDPOINT_MAX, "%s.long", address->url);
    if (size < 0 || size >= RPC_ENDPOINT_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "endpoint: over %d bytes",
                    RPC_ENDPOINT_MAX - 6);
    }
    return STATUS_OK;
}

status address_parse(str text, struct address *ret_address, struct error *reterr)
{
    const char *space      = text.len > 0 ? memchr(text.ptr, ' ', text.len) : NULL;
    size_t end             = space ? (size_t)(space - text.ptr) : text.len;
    struct address address = {};
    TRY(parse_url(str_slice(text, 0, end), &address, reterr));

    if (!space) {
        TRY(derive_long(&address, reterr));
    } else {
        struct address second = {};
        while (end < text.len && text.ptr[end] == ' ') end++;
        TRY(parse_url(str_slice(text, end, text.len), &second, reterr));
        memcpy(address.long_url, second.url, sizeof address.long_url);
        address.long_port = second.port;
    }
    *ret_address = address;
    return STATUS_OK;
}

void address_resolve(const struct address *name, const char *ip, struct address *ret_address)
{
    ASSERT(name->is_dns);
    struct address address = *name;
    address.is_dns         = false;
    write_tcp(name, ip, name->port, address.url);
    write_tcp(name, ip, name->long_port, address.long_url);
    *ret_address = address; /* `host` stays the name: it stands in the certificate */
}

bool address_next(str *list, str *ret_part)
{
    while (list->len > 0) {
        const char *comma = memchr(list->ptr, ',', list->len);
        size_t end        = comma ? (size_t)(comma - list->ptr) : list->len;
        str part          = str_slice(*list, 0, end);
        *list             = str_slice(*list, comma ? end + 1 : end, list->len);
        while (part.len > 0 && part.ptr[0] == ' ') part = str_slice(part, 1, part.len);
        while (part.len > 0 && part.ptr[part.len - 1] == ' ') part.len--;
        if (part.len > 0) {
            *ret_part = part;
            return true;
        }
    }
    return false;
}

status rpc_long_url(const char *url, char ret_url[static RPC_ENDPOINT_MAX], struct error *reterr)
{
    struct address address;
    TRY(address_parse(str_from(url), &address, reterr));
    memcpy(ret_url, address.long_url, RPC_ENDPOINT_MAX);
    return STATUS_OK;
}
