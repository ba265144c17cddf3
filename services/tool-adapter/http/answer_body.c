#include "tool-adapter/http/answer_body.h"

#include "base/hash.h"
#include "base/mem.h"
#include "xml/xml.h"
#include "json/json_text.h"

#include <stdlib.h>
#include <strings.h>

enum { DEPTH_MAX = 64, VALUES_MAX = 1'000'000 };

str answer_media_type(const struct http_answer *answer)
{
    str type = {};
    if (!http_answer_header(answer, "content-type", &type)) return str_from("");
    const char *end = memchr(type.ptr, ';', type.len);
    str media       = str_slice(type, 0, end ? (size_t)(end - type.ptr) : type.len);
    while (media.len > 0 && media.ptr[media.len - 1] == ' ') media.len--;
    return media;
}

static bool is_json_type(const struct http_answer *answer)
{
    static const char plain[] = "application/json";
    str media                 = answer_media_type(answer);
    if (media.len == sizeof plain - 1 && strncasecmp(media.ptr, plain, media.len) == 0) return true;
    return media.len > 5 && strncasecmp(media.ptr + media.len - 5, "+json", 5) == 0;
}

static bool begins_with(str text, const char *prefix)
{
    return text.len >= strlen(prefix) && strncasecmp(text.ptr, prefix, strlen(prefix)) == 0;
}

/* What is no text, whatever its bytes are. */
static bool is_file_type(const struct http_answer *answer)
{
    static const char *const prefixes[] = {"image/",
                                           "audio/",
                                           "video/",
                                           "font/",
                                           "application/octet-stream",
                                           "application/pdf",
                                           "application/zip",
                                           "application/gzip"};
    str media                           = answer_media_type(answer);
    if (begins_with(media, "image/svg")) return false;
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
        if (begins_with(media, prefixes[i])) return true;
    }
    return false;
}

static bool is_xml_type(const struct http_answer *answer)
{
    str media = answer_media_type(answer);
    return (media.len == 15 && begins_with(media, "application/xml")) ||
           (media.len == 8 && begins_with(media, "text/xml"));
}

/* What the service says, unless the bytes tell that they are something else. */
static json file_type_new(const struct http_result *http, struct media_types *types)
{
    char type[MEDIA_TYPE_SIZE];
    str said         = answer_media_type(&http->answer);
    const bytes head = {.ptr = http->body.ptr, .len = http->body.len};
    bool is_other =
        types && media_type_look(types, head, said, type, NULL) == STATUS_INVALID_ARGUMENT;
    return is_other ? json_text_from(type) : json_text_lossy(said);
}

/* A file as parameters with `format: blob` take it. */
static json file_new(const struct http_result *http, struct media_types *types)
{
    size_t size = base64_size(http->body.len);
    char *text  = mem_alloc(size + 1);
    json file   = json_object_new(3);
    base64_encode(http->body.ptr, http->body.len, text);
    json_object_put_text(&file, "base64", json_text_new((str){.ptr = text, .len = size}));
    json_object_put_text(&file, "mime", file_type_new(http, types));
    json_object_put_text(&file, "size", json_int((int64_t)http->body.len));
    free(text);
    return file;
}

static bool is_success(const struct http_result *http)
{
    return http->answer.http_status >= 200 && http->answer.http_status <= 299;
}

bool answer_body_is_file(enum response_form form, const struct http_result *http)
{
    bool is_one = form == RESPONSE_BLOB || (form == RESPONSE_AUTO && is_file_type(&http->answer));
    return is_one && is_success(http);
}

bool answer_body_read(enum response_form form, const struct http_result *http,
                      struct media_types *types, json *ret_body)
{
    const struct json_limits limits = {
        .depth_max = DEPTH_MAX, .values_max = VALUES_MAX, .allow_duplicate_keys = true};
    bool is_json = form == RESPONSE_JSON || (form == RESPONSE_AUTO && is_json_type(&http->answer));
    bool is_fine = is_success(http);
    bool is_xml  = form == RESPONSE_XML || (form == RESPONSE_AUTO && is_xml_type(&http->answer));
    *ret_body    = json_null();
    if (answer_body_is_file(form, http)) {
        *ret_body = file_new(http, types);
        return true;
    }
    if (http->body.len == 0) return true;
    if (is_json && json_parse(http->body, &limits, ret_body, NULL, NULL) == STATUS_OK) return true;
    if (is_json && is_fine) return false;
    if (is_xml && xml_parse(http->body, ret_body, NULL) == STATUS_OK) return true;
    if (form == RESPONSE_XML && is_fine) return false;
    *ret_body = json_text_lossy(http->body);
    return true;
}

/* Names in lower case; a header that comes twice is one list (RFC 9110, 5.3). */
static void put_header(json *headers, const struct http_header *header)
{
    CLEANUP(buf_done) struct buf name  = buf_init(HTTP_HEADERS_MAX);
    CLEANUP(buf_done) struct buf value = buf_init(2 * HTTP_HEADERS_MAX);
    for (size_t i = 0; i < header->name.len; i++) {
        char c = header->name.ptr[i];
        (void)buf_put_byte(&name, c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c);
    }
    json old = json_get(*headers, buf_str(&name));
    if (json_is(old, JSON_TEXT)) {
        (void)buf_put_str(&value, json_str(old));
        (void)buf_put_text(&value, ", ");
    }
    (void)buf_put_str(&value, header->value);
    json_object_put(headers, buf_str(&name), json_text_lossy(buf_str(&value)));
}

json answer_new(const struct http_result *http, json body)
{
    json headers = json_object_new(http->answer.header_count);
    for (size_t i = 0; i < http->answer.header_count; i++) {
        put_header(&headers, &http->answer.headers[i]);
    }
    json response = json_object_new(3);
    json_object_put_text(&response, "status", json_int(http->answer.http_status));
    json_object_put_text(&response, "headers", headers);
    json_object_put_text(&response, "body", body);
    return response;
}
