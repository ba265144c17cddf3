#include "language/standin.h"

#include "httpd/message.h"
#include "json/json_text.h"
#include "json/json_write.h"

enum { TEXT_MAX = 64 << 20, HEADER_NAME_MAX = 256 };

static void write_decoded(struct json_writer *w, str text, bool is_key)
{
    CLEANUP(buf_done) struct buf decoded = buf_init(TEXT_MAX);
    bool is_ok                           = httpd_decode(text, true, &decoded);
    if (is_key) {
        json_member_str(w, is_ok ? buf_str(&decoded) : text);
    } else {
        json_write_text(w, is_ok ? buf_str(&decoded) : text);
    }
}

static void write_query(struct json_writer *w, str query)
{
    size_t cursor = 0;
    str name      = {};
    str value     = {};
    json_member(w, "query");
    json_begin_object(w);
    while (httpd_query_next(query, &cursor, &name, &value)) {
        write_decoded(w, name, true);
        write_decoded(w, value, false);
    }
    json_end_object(w);
}

/* With names in lower case, since case means nothing in them. */
static void write_headers(struct json_writer *w, const struct standin_request *request)
{
    json_member(w, "headers");
    json_begin_object(w);
    for (size_t i = 0; i < request->header_count; i++) {
        char name[HEADER_NAME_MAX];
        str from   = request->headers[i].name;
        size_t len = from.len < sizeof name ? from.len : sizeof name;
        for (size_t k = 0; k < len; k++) {
            bool is_upper = from.ptr[k] >= 'A' && from.ptr[k] <= 'Z';
            name[k]       = (char)(is_upper ? from.ptr[k] - 'A' + 'a' : from.ptr[k]);
        }
        json_member_str(w, (str){name, len});
        json_write_text(w, request->headers[i].value);
    }
    json_end_object(w);
}

static void write_body(struct json_writer *w, str body)
{
    if (body.len == 0) return;
    CLEANUP(json_unrefp) json value = json_invalid();
    json_member(w, "body");
    if (json_parse(body, NULL, &value, NULL, NULL) != STATUS_OK) value = json_text_lossy(body);
    json_write_value(w, value);
}

struct script_answer standin_answer(struct script *script, const struct standin_request *request)
{
    CLEANUP(buf_done) struct buf text = buf_init(TEXT_MAX);
    struct json_writer w              = json_writer_init(&text);
    json_begin_object(&w);
    json_put_text(&w, "method", request->method);
    json_put_text(&w, "host", request->host);
    json_put_text(&w, "path", request->path);
    write_query(&w, request->query);
    write_headers(&w, request);
    write_body(&w, request->body);
    json_end_object(&w);

    const struct script_request asked = {
        .method = request->method,
        .host   = request->host,
        .path   = request->path,
        .query  = request->query,
        .asked  = buf_str(&text),
    };
    struct script_answer answer = {};
    if (script_request(script, &asked, &answer)) return answer;
    return (struct script_answer){
        .http_status = 404,
        .type        = "application/json",
        .body        = "{\"detail\":\"the scenario has no answer for this request\"}",
    };
}
