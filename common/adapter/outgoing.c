#include "adapter/outgoing.h"

#include "adapter/base_url.h"
#include "adapter/credentials.h"
#include "base/assert.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/hash.h"
#include "http/url.h"
#include "json/json_text.h"

#include <stdio.h>
#include <strings.h>

enum { FORM_DEPTH_MAX = 16, FORM_NAME_MAX = 1024, NUMBER_MAX = 32 /* bytes */ };

/* What is written, and where to. */
struct rendering {
    const struct outgoing_source *source;
    struct outgoing *outgoing;
    str base; /* empty: there is none, */
    status base_code;
    struct error base_why; /* and why */
};

static status eval(const struct rendering *rendering, const struct formula *formula,
                   const char *what, json *ret_value, struct error *reterr)
{
    struct error error = {};
    if (!formula) return STATUS_OK;
    status code = formula_eval(formula, rendering->source->scope,
                               scope_now_us(rendering->source->scope), ret_value, &error);
    return code == STATUS_OK ? STATUS_OK : fail(reterr, code, "`%s`: %s", what, error.text);
}

static status keep(struct rendering *rendering, const struct buf *buf, str *ret_text,
                   struct error *reterr)
{
    char *copy = buf->is_full ? NULL : arena_strdup(rendering->source->arena, buf_str(buf));
    if (!copy) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
    *ret_text = (str){.ptr = copy, .len = buf->len};
    return STATUS_OK;
}

/* The text of a scalar; false for maps, lists and null. */
static bool put_scalar(struct buf *out, json value)
{
    if (json_is(value, JSON_TEXT)) return buf_put_str(out, json_str(value));
    if (json_is_bool(value)) return buf_put_text(out, json_is_truthy(value) ? "true" : "false");
    return json_is_number(value) && json_print_number(value, out);
}

/* RFC 9110, section 5.1; and none that decides where a message ends or goes. */
static bool is_header_name(const char *name)
{
    static const char others[]       = "!#$%&'*+-.^_`|~";
    static const char *const taken[] = {"host", "content-length", "transfer-encoding", "connection",
                                        "upgrade"};
    size_t len                       = 0;
    for (; name[len]; len++) {
        char c       = name[len];
        bool is_word = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!is_word && !strchr(others, c)) return false;
    }
    for (size_t i = 0; i < ARRAY_LEN(taken); i++) {
        if (strcasecmp(name, taken[i]) == 0) return false;
    }
    return len > 0;
}

static struct outgoing_header *slot_of(struct outgoing *outgoing, const char *name)
{
    for (size_t i = 0; i < outgoing->header_count; i++) {
        struct outgoing_header *header = &outgoing->headers[i];
        if (header->name.len == strlen(name) &&
            strncasecmp(header->name.ptr, name, header->name.len) == 0) {
            return header;
        }
    }
    bool is_full = outgoing->header_count == OUTGOING_HEADERS_MAX;
    return is_full ? NULL : &outgoing->headers[outgoing->header_count++];
}

status outgoing_add_header(struct outgoing *outgoing, const char *name, str value,
                           struct error *reterr)
{
    if (!is_header_name(name)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "`%s` is no header that can be set", name);
    }
    if (memchr(value.ptr, '\r', value.len) || memchr(value.ptr, '\n', value.len) ||
        memchr(value.ptr, '\0', value.len)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "the header `%s` holds a line break", name);
    }
    struct outgoing_header *slot = slot_of(outgoing, name);
    if (!slot) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "more than %d headers",
                    OUTGOING_HEADERS_MAX);
    }
    *slot = (struct outgoing_header){.name = str_from(name), .value = value};
    return STATUS_OK;
}

/* --- the address ------------------------------------------------------------------------------ */

/* A path's variable: `{x}` or `{+x}`. */
static status put_variable(const struct rendering *rendering, str name, struct buf *out,
                           struct error *reterr)
{
    bool keeps_slashes = name.len > 0 && name.ptr[0] == '+';
    if (keeps_slashes) name = str_slice(name, 1, name.len);
    json value = json_get(json_get_text(rendering->source->scope, "params"), name);
    CLEANUP(buf_done) struct buf text = buf_init(OUTGOING_URL_MAX);
    bool is_scalar                    = put_scalar(&text, value);
    if (text.is_full) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the address is too long");
    if (!is_scalar || text.len == 0) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "the path needs the parameter `" STR_FMT "`",
                    STR_ARG(name));
    }
    bool fits =
        keeps_slashes ? url_encode_path(out, buf_str(&text)) : url_encode(out, buf_str(&text));
    return fits ? STATUS_OK : fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the address is too long");
}

static status put_path(const struct rendering *rendering, const char *path, struct buf *out,
                       struct error *reterr)
{
    for (const char *at = path; *at;) {
        const char *open  = strchr(at, '{');
        const char *close = open ? strchr(open, '}') : NULL;
        if (!close) {
            (void)buf_put_text(out, at);
            break;
        }
        (void)buf_put(out, at, (size_t)(open - at));
        str name = {.ptr = open + 1, .len = (size_t)(close - open) - 1};
        TRY(put_variable(rendering, name, out, reterr));
        at = close + 1;
    }
    return STATUS_OK;
}

static status put_query_value(json value, str name, struct buf *out, struct error *reterr)
{
    CLEANUP(buf_done) struct buf text = buf_init(OUTGOING_URL_MAX);
    bool is_scalar                    = put_scalar(&text, value);
    if (text.is_full) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the address is too long");
    if (!is_scalar) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "`query." STR_FMT "` cannot be %s",
                    STR_ARG(name), json_kind_name(value));
    }
    (void)url_add_query(out, name, buf_str(&text));
    return STATUS_OK;
}

static status put_query(json query, struct buf *out, struct error *reterr)
{
    for (size_t i = 0; i < json_count(query); i++) {
        str name   = json_key_at(query, i);
        json value = json_value_at(query, i);
        if (json_is(value, JSON_NULL)) continue;
        if (!json_is(value, JSON_ARRAY)) {
            TRY(put_query_value(value, name, out, reterr));
            continue;
        }
        for (size_t k = 0; k < json_count(value); k++) {
            TRY(put_query_value(json_at(value, k), name, out, reterr));
        }
    }
    return STATUS_OK;
}

/* What the way of paging adds to a query or body: the size of a page, and where it begins. */
static void put_page(const struct rendering *rendering, const char *in, json *map)
{
    const struct pagination *pages = rendering->source->action->pagination;
    if (!pages || strcmp(pages->in, in) != 0) return;
    if (!json_is(*map, JSON_OBJECT)) {
        if (!json_is(*map, JSON_INVALID)) return;
        *map = json_object_new(2);
    }
    if (pages->page_size_param && pages->page_size > 0) {
        json_object_put_text(map, pages->page_size_param, json_int(pages->page_size));
    }
    if (pages->param && rendering->source->page.is_further) {
        json_object_put_text(map, pages->param, json_ref(rendering->source->page.mark));
    }
}

static status render_method(struct rendering *rendering, struct error *reterr)
{
    static const char *const methods[]     = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"};
    const struct manifest_request *request = &rendering->source->step->request;
    CLEANUP(json_unrefp) json method       = json_invalid();
    rendering->outgoing->method            = request->method;
    if (!request->method_by) return STATUS_OK;
    TRY(eval(rendering, request->method_by, "request.method", &method, reterr));
    for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
        rendering->outgoing->method = methods[i];
        if (json_is(method, JSON_TEXT) && str_is(json_str(method), methods[i])) return STATUS_OK;
    }
    return fail(reterr, STATUS_INVALID_ARGUMENT, "`request.method` yields none of the methods");
}

/* What follows a `#` is for whoever reads the answer. */
static void put_address(str address, struct buf *out)
{
    const char *fragment = memchr(address.ptr, '#', address.len);
    (void)buf_put_str(
        out, str_slice(address, 0, fragment ? (size_t)(fragment - address.ptr) : address.len));
}

static status render_url(struct rendering *rendering, struct error *reterr)
{
    const struct manifest_request *request = &rendering->source->step->request;
    CLEANUP(buf_done) struct buf url       = buf_init(OUTGOING_URL_MAX);
    if (rendering->source->page.url.len > 0) {
        (void)buf_put_str(&url, rendering->source->page.url);
        return keep(rendering, &url, &rendering->outgoing->url, reterr);
    }
    CLEANUP(json_unrefp) json whole = json_invalid();
    CLEANUP(json_unrefp) json query = json_invalid();
    TRY(eval(rendering, request->url, "request.url", &whole, reterr));
    TRY(eval(rendering, request->query, "request.query", &query, reterr));
    if (request->url && !json_is(whole, JSON_TEXT)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "`request.url` yields no text");
    }
    bool is_below = !request->url || str_starts_with(json_str(whole), str_from("/"));
    if (is_below && rendering->base_code != STATUS_OK) {
        return fail(reterr, rendering->base_code, "%s", rendering->base_why.text);
    }
    if (is_below) (void)buf_put_str(&url, rendering->base);
    if (request->url) put_address(json_str(whole), &url);
    if (request->path) TRY(put_path(rendering, request->path, &url, reterr));
    put_page(rendering, "query", &query);
    TRY(put_query(query, &url, reterr));
    return keep(rendering, &url, &rendering->outgoing->url, reterr);
}

/* --- headers ---------------------------------------------------------------------------------- */

static status add_headers(struct rendering *rendering, const struct formula *formula,
                          const char *what, struct error *reterr)
{
    CLEANUP(json_unrefp) json map = json_invalid();
    TRY(eval(rendering, formula, what, &map, reterr));
    for (size_t i = 0; i < json_count(map); i++) {
        str name                          = json_key_at(map, i);
        CLEANUP(buf_done) struct buf text = buf_init(OUTGOING_URL_MAX);
        str value;
        if (!put_scalar(&text, json_value_at(map, i)) && !text.is_full) {
            return fail(reterr, STATUS_INVALID_ARGUMENT, "`%s." STR_FMT "` is no text", what,
                        STR_ARG(name));
        }
        TRY(keep(rendering, &text, &value, reterr));
        const char *kept = arena_strdup(rendering->source->arena, name);
        if (!kept) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
        if (strlen(kept) != name.len) kept = ""; /* a NUL in it: refused as no name */
        TRY(outgoing_add_header(rendering->outgoing, kept, value, reterr));
    }
    return STATUS_OK;
}

/* What an action sends so that the other side recognises a repetition. */
static status key_of(const struct rendering *rendering, json *ret_key, struct error *reterr)
{
    const struct idempotency *idempotency = &rendering->source->action->idempotency;
    if (idempotency->value) {
        return eval(rendering, idempotency->value, "idempotency.value", ret_key, reterr);
    }
    json key = json_get_text(rendering->source->scope, "idempotency_key");
    uint8_t digest[SHA256_SIZE];
    char text[2 * SHA256_SIZE + 1];
    sha256(bytes_from(json_is(key, JSON_TEXT) ? json_str(key) : (str){}), digest);
    hex_encode(digest, sizeof digest, text);
    *ret_key = json_text_from(text);
    return STATUS_OK;
}

static status add_key_header(struct rendering *rendering, struct error *reterr)
{
    const struct idempotency *idempotency = &rendering->source->action->idempotency;
    CLEANUP(json_unrefp) json key         = json_invalid();
    if (idempotency->kind != IDEMPOTENCY_KEY || idempotency->is_in_body) return STATUS_OK;
    TRY(key_of(rendering, &key, reterr));
    CLEANUP(buf_done) struct buf text = buf_init(OUTGOING_URL_MAX);
    str value;
    if (!put_scalar(&text, key)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "`idempotency.value` is no text");
    }
    TRY(keep(rendering, &text, &value, reterr));
    return outgoing_add_header(rendering->outgoing, idempotency->name, value, reterr);
}

/* --- the body --------------------------------------------------------------------------------- */

/* A map or list of a form that is being written. */
struct form_level {
    json container;
    size_t next, name_len;
};

static status put_form(json form, struct buf *out, struct error *reterr)
{
    struct form_level levels[FORM_DEPTH_MAX] = {{.container = form}};
    size_t depth                             = 1;
    CLEANUP(buf_done) struct buf name        = buf_init(FORM_NAME_MAX);
    while (depth > 0) {
        struct form_level *level = &levels[depth - 1];
        bool is_map              = json_is(level->container, JSON_OBJECT);
        name.len                 = level->name_len;
        if (level->next == json_count(level->container)) {
            depth--;
            continue;
        }
        size_t i     = level->next++;
        json value   = is_map ? json_value_at(level->container, i) : json_at(level->container, i);
        str key      = is_map ? json_key_at(level->container, i) : (str){};
        bool fits    = level->name_len == 0 ? buf_put_str(&name, key)
                                            : buf_printf(&name, "[" STR_FMT "]", STR_ARG(key));
        bool is_leaf = !json_is(value, JSON_OBJECT) && !json_is(value, JSON_ARRAY);
        if (!fits || (!is_leaf && depth == FORM_DEPTH_MAX)) {
            return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the form is too deep");
        }
        if (!is_leaf) {
            levels[depth++] = (struct form_level){.container = value, .name_len = name.len};
            continue;
        }
        CLEANUP(buf_done) struct buf text = buf_init(OUTGOING_BODY_MAX);
        if (json_is(value, JSON_NULL)) continue;
        bool is_put = put_scalar(&text, value) && (out->len == 0 || buf_put_byte(out, '&')) &&
                      url_encode(out, buf_str(&name)) && buf_put_byte(out, '=') &&
                      url_encode(out, buf_str(&text));
        if (!is_put) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the form is too large");
    }
    return STATUS_OK;
}

static status put_json_body(struct rendering *rendering, struct buf *out, struct error *reterr)
{
    const struct manifest_action *action   = rendering->source->action;
    const struct manifest_request *request = &rendering->source->step->request;
    bool is_graphql                        = request->kind == REQUEST_GRAPHQL;
    CLEANUP(json_unrefp) json body         = json_invalid();
    CLEANUP(json_unrefp) json key          = json_invalid();
    TRY(eval(rendering, request->body, is_graphql ? "variables" : "request.body", &body, reterr));
    put_page(rendering, is_graphql ? "variables" : "body", &body);
    if (action->idempotency.is_in_body && json_is(body, JSON_OBJECT)) {
        TRY(key_of(rendering, &key, reterr));
        json_object_put_text(&body, action->idempotency.name, json_ref(key));
    }
    if (is_graphql) {
        json question = json_object_new(2);
        json_object_put_text(&question, "query", json_text_from(request->document));
        if (json_is(body, JSON_OBJECT)) {
            json_object_put_text(&question, "variables", json_take(&body));
        }
        json_unref(body);
        body = question;
    }
    bool is_there = !json_is(body, JSON_INVALID) && !json_is(body, JSON_NULL);
    if (is_there) (void)json_print(body, JSON_COMPACT, out);
    return STATUS_OK;
}

static bool has_header(const struct outgoing *outgoing, const char *name)
{
    for (size_t i = 0; i < outgoing->header_count; i++) {
        str one = outgoing->headers[i].name;
        if (one.len == strlen(name) && strncasecmp(one.ptr, name, one.len) == 0) return true;
    }
    return false;
}

static status render_body(struct rendering *rendering, struct error *reterr)
{
    const struct manifest_request *request = &rendering->source->step->request;
    const char *type                       = request->content_type;
    struct outgoing *outgoing              = rendering->outgoing;
    CLEANUP(json_unrefp) json form         = json_invalid();
    CLEANUP(buf_done) struct buf body      = buf_init(OUTGOING_BODY_MAX);
    if (request->form) {
        TRY(eval(rendering, request->form, "request.form", &form, reterr));
        TRY(put_form(form, &body, reterr));
        if (!type) type = "application/x-www-form-urlencoded";
    } else if (!request->body_blob) {
        TRY(put_json_body(rendering, &body, reterr));
    }
    outgoing->blob = request->body_blob;
    TRY(keep(rendering, &body, &outgoing->body, reterr));
    if (outgoing->body.len == 0 && !outgoing->blob) return STATUS_OK;
    if (!type && has_header(outgoing, "content-type")) return STATUS_OK;
    if (!type) type = rendering->source->action->manifest->content_type;
    return outgoing_add_header(outgoing, "Content-Type", str_from(type), reterr);
}

/* --- the whole -------------------------------------------------------------------------------- */

status outgoing_render(const struct outgoing_source *source, struct outgoing *ret_outgoing,
                       struct error *reterr)
{
    const struct manifest_action *action   = source->action;
    const struct manifest_request *request = &source->step->request;
    struct rendering rendering             = {.source = source, .outgoing = ret_outgoing};
    if (request->kind != REQUEST_HTTP && request->kind != REQUEST_GRAPHQL) {
        return fail(reterr, STATUS_UNIMPLEMENTED, "`%s` makes no HTTP request", action->name);
    }
    *ret_outgoing       = (struct outgoing){};
    rendering.base_code = base_url_of(action->manifest, source->scope, source->connection,
                                      source->arena, &rendering.base, &rendering.base_why);
    TRY(render_method(&rendering, reterr));
    TRY(render_url(&rendering, reterr));
    TRY(outgoing_add_header(ret_outgoing, "User-Agent", str_from("tutti/" TUTTI_VERSION), reterr));
    TRY(add_headers(&rendering, action->manifest->headers, "http.headers", reterr));
    TRY(add_headers(&rendering, request->headers, "request.headers", reterr));
    TRY(add_key_header(&rendering, reterr));
    TRY(render_body(&rendering, reterr));
    return credentials_add(source, rendering.base, ret_outgoing, reterr);
}
