#include "language/standin_server.h"

#include "base/mem.h"
#include "httpd/httpd.h"
#include "language/standin.h"
#include "json/json_text.h"
#include "json/json_write.h"

#include <stdlib.h>

enum { BODY_MAX = 32 << 20, TEXT_MAX = 64 << 20, ANSWER_MS = 600'000 };

struct standin_server {
    struct loop *loop;
    struct httpd *httpd;
    struct script *script;
};

static bool on_route(struct httpd_handle, const struct httpd_request *,
                     struct httpd_route *ret_route, void *)
{
    ret_route->body_max  = BODY_MAX;
    ret_route->answer_ms = ANSWER_MS;
    return true;
}

static void respond(const struct standin_server *server, struct httpd_handle handle,
                    const struct script_answer *answer)
{
    struct httpd_field fields[SCRIPT_HEADERS_MAX + 1];
    size_t count = 0;
    for (size_t i = 0; i < answer->header_count; i++) {
        fields[count++] = (struct httpd_field){str_from(answer->headers[i].name),
                                               str_from(answer->headers[i].value)};
    }
    if (answer->type) {
        fields[count++] = (struct httpd_field){str_from("Content-Type"), str_from(answer->type)};
    }
    const struct httpd_response response = {
        .http_status = answer->http_status,
        .fields      = fields,
        .field_count = count,
        .body        = answer->body ? str_from(answer->body) : (str){"", 0},
    };
    httpd_respond(server->httpd, handle, &response);
}

/* --- models ------------------------------------------------------------------------------------
 */

/* What the model says: the member `content` of the function's answer, else all of it. */
static void write_content(struct json_writer *w, json output)
{
    json content = json_get_text(output, "content");
    if (json_is(content, JSON_INVALID)) content = output;
    if (json_is(content, JSON_TEXT)) {
        json_write_value(w, content);
        return;
    }
    CLEANUP(json_unrefp) json text = json_to_text_new(content);
    json_write_value(w, text);
}

static void write_completion(struct buf *text, json output)
{
    struct json_writer w = json_writer_init(text);
    json_begin_object(&w);
    json_put_text(&w, "id", str_from("chatcmpl-1"));
    json_put_text(&w, "object", str_from("chat.completion"));
    json_put_int(&w, "created", 0);
    json_put_text(&w, "model", str_from("standin"));
    json_member(&w, "choices");
    json_begin_array(&w);
    json_begin_object(&w);
    json_put_int(&w, "index", 0);
    json_member(&w, "message");
    json_begin_object(&w);
    json_put_text(&w, "role", str_from("assistant"));
    json_member(&w, "content");
    write_content(&w, output);
    json calls = json_get_text(output, "tool_calls");
    if (!json_is(calls, JSON_INVALID)) {
        json_member(&w, "tool_calls");
        json_write_value(&w, calls);
    }
    json_end_object(&w);
    bool has_calls = json_count(calls) > 0;
    json_put_text(&w, "finish_reason", str_from(has_calls ? "tool_calls" : "stop"));
    json_end_object(&w);
    json_end_array(&w);
    json_member(&w, "usage");
    json_begin_object(&w);
    json_put_int(&w, "prompt_tokens", 10);
    json_put_int(&w, "completion_tokens", 5);
    json_put_int(&w, "total_tokens", 15);
    json_end_object(&w);
    json_end_object(&w);
}

/* The vectors of the function's answer, in their order. */
static void write_embeddings(struct buf *text, json output)
{
    json vectors         = json_get_text(output, "embeddings");
    struct json_writer w = json_writer_init(text);
    json_begin_object(&w);
    json_put_text(&w, "object", str_from("list"));
    json_put_text(&w, "model", str_from("standin"));
    json_member(&w, "data");
    json_begin_array(&w);
    for (size_t i = 0; i < json_count(vectors); i++) {
        json_begin_object(&w);
        json_put_text(&w, "object", str_from("embedding"));
        json_put_int(&w, "index", (int64_t)i);
        json_member(&w, "embedding");
        json_write_value(&w, json_at(vectors, i));
        json_end_object(&w);
    }
    json_end_array(&w);
    json_member(&w, "usage");
    json_begin_object(&w);
    json_put_int(&w, "prompt_tokens", 10);
    json_put_int(&w, "total_tokens", 10);
    json_end_object(&w);
    json_end_object(&w);
}

/* What a provider sends for the next answer of `function`. */
static void answer_model(const struct standin_server *server, struct httpd_handle handle,
                         const struct httpd_request *request, const char *function,
                         void (*write)(struct buf *text, json output))
{
    struct script_answer answer = {};
    bool is_known = script_ask(server->script, function, buf_str(&request->body), &answer);
    if (answer.kind == SCRIPT_NEVER) return;
    CLEANUP(json_unrefp) json value = json_invalid();
    if (answer.body) (void)json_parse(str_from(answer.body), NULL, &value, NULL, NULL);
    CLEANUP(buf_done) struct buf text = buf_init(TEXT_MAX);
    struct script_answer http         = {.http_status = 200, .type = "application/json"};
    if (answer.kind == SCRIPT_FAIL || !is_known) {
        int64_t http_status = 500;
        (void)json_to_int(json_get_text(value, "status"), &http_status);
        http.http_status = is_known ? (int)http_status : 400;
        (void)buf_put_text(&text, "{\"error\":{\"message\":\"the stand-in refuses\"}}");
    } else {
        write(&text, value);
    }
    http.body = text.ptr;
    respond(server, handle, &http);
}

/* --- everything else ---------------------------------------------------------------------------
 */

static void answer_any(const struct standin_server *server, struct httpd_handle handle,
                       const struct httpd_request *request)
{
    struct http_header *headers = mem_new(request->field_count + 1, sizeof *headers);
    for (size_t i = 0; i < request->field_count; i++) {
        headers[i] = (struct http_header){.name  = request->fields[i].name,
                                          .value = request->fields[i].value};
    }
    str host          = httpd_request_field(request, "host");
    const char *colon = host.ptr ? memchr(host.ptr, ':', host.len) : NULL;
    if (colon) host.len = (size_t)(colon - host.ptr);
    const struct standin_request asked = {
        .method       = request->method,
        .host         = host.ptr ? host : str_from(""),
        .path         = request->raw_path,
        .query        = request->query,
        .headers      = headers,
        .header_count = request->field_count,
        .body         = buf_str(&request->body),
    };
    const struct script_answer answer = standin_answer(server->script, &asked);
    free(headers);
    if (answer.kind == SCRIPT_NEVER) return;
    if (answer.kind == SCRIPT_FAIL) {
        /* The nearest to a cut connection that an HTTP server can do by itself. */
        const struct script_answer bad = {.http_status = 502};
        respond(server, handle, &bad);
        return;
    }
    respond(server, handle, &answer);
}

static void on_request(struct httpd_handle handle, struct httpd_request *request, void *,
                       void *context)
{
    const struct standin_server *server = context;
    if (str_is(request->path, "/llm/v1/chat/completions")) {
        answer_model(server, handle, request, "llm.chat", write_completion);
    } else if (str_is(request->path, "/llm/v1/embeddings")) {
        answer_model(server, handle, request, "llm.embed", write_embeddings);
    } else {
        answer_any(server, handle, request);
    }
    httpd_request_free(request);
}

/* --- life --------------------------------------------------------------------------------------
 */

status standin_server_start(struct script *script, struct standin_server **ret_server,
                            struct error *reterr)
{
    CLEANUP(standin_server_stopp) struct standin_server *server = mem_new(1, sizeof *server);
    server->script                                              = script;
    TRY(loop_new(NULL, &server->loop, reterr));
    const struct httpd_options options = {
        .host       = "127.0.0.1",
        .loops      = &server->loop,
        .loop_count = 1,
        .handlers   = {.route = on_route, .handle = on_request},
        .context    = server,
    };
    TRY(httpd_start(&options, &server->httpd, reterr));
    TRY(loop_start(server->loop, "standin", reterr));
    *ret_server = TAKE(server);
    return STATUS_OK;
}

void standin_server_stopp(struct standin_server **ref)
{
    struct standin_server *server = *ref;
    if (!server) return;
    if (server->loop) {
        loop_stop(server->loop);
        loop_join(server->loop);
    }
    httpd_free(server->httpd);
    loop_free(server->loop);
    free(server);
    *ref = NULL;
}

uint16_t standin_server_port(const struct standin_server *server)
{
    return httpd_port(server->httpd);
}
