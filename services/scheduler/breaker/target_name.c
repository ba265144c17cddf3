#include "scheduler/breaker/target_name.h"

#include "http/url.h"
#include "json/json_text.h"

#include <string.h>

static bool put_lower(struct buf *out, str text)
{
    char *end = buf_reserve(out, text.len);
    if (!end) return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        end[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    buf_commit(out, text.len);
    return true;
}

/* The endpoint is a text or has a `uri`. */
static bool put_http(json arguments, struct buf *out)
{
    json endpoint    = json_get_text(arguments, "endpoint");
    struct url parts = {};
    if (json_is(endpoint, JSON_OBJECT)) endpoint = json_get_text(endpoint, "uri");
    if (!json_is(endpoint, JSON_TEXT) || !url_parse(json_str(endpoint), &parts)) return false;
    return buf_put_text(out, "tool:") && put_lower(out, parts.host) && buf_put_byte(out, ':') &&
           buf_put_number(out, parts.port);
}

static str before(str text, char end)
{
    const char *found = text.len > 0 ? memchr(text.ptr, end, text.len) : NULL;
    return found ? str_slice(text, 0, (size_t)(found - text.ptr)) : (str){};
}

static bool put_prefixed(struct buf *out, const char *kind, str name)
{
    return name.len > 0 && buf_put_text(out, kind) && buf_put_str(out, name);
}

/* The one that the call names, else that of the adapter's name. */
static bool put_connection(str function, json arguments, struct buf *out)
{
    json connection = json_get_text(arguments, "connection");
    str adapter     = before(function, '.');
    if (adapter.len > 0 && json_is(connection, JSON_TEXT) && json_str(connection).len > 0) {
        return put_prefixed(out, "tool:", json_str(connection));
    }
    return put_prefixed(out, "tool:", adapter);
}

static bool put_model(json arguments, struct buf *out)
{
    json model = json_get_text(arguments, "model");
    return json_is(model, JSON_TEXT) && put_prefixed(out, "llm:", before(json_str(model), '/'));
}

/* Workflows call it `worker.charge`, everybody else `charge`. */
static str without_worker(str function)
{
    str prefix = str_from("worker.");
    return str_starts_with(function, prefix) ? str_slice(function, prefix.len, function.len)
                                             : function;
}

static bool is_of(str queue, const char *name)
{
    size_t length = strlen(name);
    return str_starts_with(queue, str_from(name)) &&
           (queue.len == length || queue.ptr[length] == '.');
}

bool target_name_put(str queue, str function, json arguments, struct buf *out)
{
    size_t begin = out->len;
    bool is_put  = false;
    if (is_of(queue, "llm")) {
        is_put = put_model(arguments, out);
    } else if (is_of(queue, "tools") && str_is(function, "http")) {
        is_put = put_http(arguments, out);
    } else if (is_of(queue, "tools")) {
        is_put = put_connection(function, arguments, out);
    } else {
        is_put = put_prefixed(out, "worker:", without_worker(function));
    }
    str name = str_slice(buf_str(out), begin, out->len);
    if (is_put && target_name_is_valid(name)) return true;
    out->len = begin;
    return false;
}

/* `tool:HOST:PORT` with a capital letter would stand for nobody: jobs' hosts are in small ones. */
static bool is_capital_host(str name)
{
    size_t kind_len = strlen("tool:");
    if (!str_starts_with(name, str_from("tool:"))) return false;
    str rest = str_slice(name, kind_len, name.len);
    if (rest.len == 0 || !memchr(rest.ptr, ':', rest.len)) return false;
    for (size_t i = 0; i < rest.len; i++) {
        if (rest.ptr[i] >= 'A' && rest.ptr[i] <= 'Z') return true;
    }
    return false;
}

bool target_name_is_valid(str name)
{
    static const char *const kinds[] = {"tool:", "llm:", "worker:"};
    size_t kind_len                  = 0;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (str_starts_with(name, str_from(kinds[i]))) kind_len = strlen(kinds[i]);
    }
    if (kind_len == 0 || name.len == kind_len || name.len > TARGET_NAME_MAX) return false;
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] <= ' ' || name.ptr[i] > '~') return false;
    }
    return !is_capital_host(name);
}

bool target_name_is_worker(str name)
{
    return str_starts_with(name, str_from("worker:"));
}
