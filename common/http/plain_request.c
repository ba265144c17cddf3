/* The head of a request, as it goes out. */
#include "framing/fields.h"
#include "http/plain_internal.h"

static void put_field(struct buf *out, const char *name, str value)
{
    (void)buf_put_text(out, name);
    (void)buf_put_text(out, value.len > 0 ? ": " : ":");
    (void)buf_put_str(out, value);
    (void)buf_put_text(out, "\r\n");
}

static bool has_field(const struct request *request, const char *name)
{
    for (size_t i = 0; i < request->header_count; i++) {
        if (str_is_nocase(request->headers[i].name, name)) return true;
    }
    return false;
}

/* The port is left out where it is the usual one. */
static void put_host(struct buf *out, const struct url *target)
{
    bool is_v6 = memchr(target->host.ptr, ':', target->host.len) != NULL;
    (void)buf_put_text(out, is_v6 ? "Host: [" : "Host: ");
    (void)buf_put_str(out, target->host);
    if (is_v6) (void)buf_put_byte(out, ']');
    if (target->port != 80) {
        (void)buf_put_byte(out, ':');
        (void)buf_put_number(out, target->port);
    }
    (void)buf_put_text(out, "\r\n");
}

void request_put_head(const struct request *request, const char *user_agent, struct buf *out)
{
    const struct url *target = &request->target;
    (void)buf_put_str(out, request->method);
    (void)buf_put_byte(out, ' ');
    (void)buf_put_str(out, target->path.len > 0 ? target->path : str_from("/"));
    if (target->query.ptr) {
        (void)buf_put_byte(out, '?');
        (void)buf_put_str(out, target->query);
    }
    (void)buf_put_text(out, " HTTP/1.1\r\n");
    put_host(out, target);
    if (!has_field(request, "User-Agent")) put_field(out, "User-Agent", str_from(user_agent));
    if (!has_field(request, "Accept")) put_field(out, "Accept", str_from("*/*"));
    if (request->is_compressed) put_field(out, "Accept-Encoding", str_from("gzip"));
    for (size_t i = 0; i < request->header_count; i++) {
        const struct http_header *header = &request->headers[i];
        (void)buf_put_str(out, header->name);
        put_field(out, "", header->value);
    }
    if (request_has_body(request)) {
        (void)buf_put_text(out, "Content-Length: ");
        (void)buf_put_number(out, request->body.len);
        (void)buf_put_text(out, "\r\n");
    }
    (void)buf_put_text(out, "\r\n");
}
