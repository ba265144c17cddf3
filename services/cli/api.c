#include "cli/api.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"
#include "cli/print.h"
#include "http/http.h"
#include "http/sse.h"
#include "http/url.h"
#include "loop/loop.h"
#include "json/json_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    URL_MAX           = 8 << 10, /* bytes */
    TIMEOUT_MS        = 70'000,
    STREAM_MS         = 45'000, /* three comment lines may be missed */
    RECONNECT_MS      = 500,
    RECONNECTS_MAX    = 240, /* in a row: two minutes without a gateway */
    HEADERS_MAX       = 6,
    AUTHORIZATION_MAX = 4'200,
    ID_TEXT_MAX       = 256,
};

struct api {
    const struct cli *cli;
    struct loop *loop;
    struct egress_rules *egress;
    struct http_client *http;
};

status api_new(const struct cli *cli, struct api **ret_api, struct error *reterr)
{
    static const char *const networks[] = {"0.0.0.0/0", "::/0", NULL};
    struct url parts                    = {};
    if (!url_parse(str_from(cli->url), &parts)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "--url: `%s` is no http or https URL",
                    cli->url);
    }
    char host[URL_HOST_MAX + 1];
    (void)snprintf(host, sizeof host, STR_FMT, STR_ARG(parts.host));
    const char *const hosts[] = {host, NULL}; /* plain http, but to this host only */

    CLEANUP(api_freep) struct api *api = mem_new(1, sizeof *api);
    api->cli                           = cli;
    const struct egress_options egress = {.private_allow = networks, .http_allow = hosts};
    TRY(egress_rules_new(&egress, &api->egress, reterr));
    TRY(loop_new(NULL, &api->loop, reterr));
    const struct http_client_options options = {.loop = api->loop, .egress = api->egress};
    TRY(http_client_new(&options, &api->http, reterr));
    *ret_api = TAKE(api);
    return STATUS_OK;
}

struct api *api_open(const struct cli *cli)
{
    struct error error = {};
    struct api *api    = NULL;
    if (api_new(cli, &api, &error) == STATUS_OK) return api;
    (void)fprintf(stderr, "tutti: %s\n", error.text);
    return NULL;
}

void api_freep(struct api **ref)
{
    struct api *api = *ref;
    if (!api) return;
    http_client_freep(&api->http);
    egress_rules_freep(&api->egress);
    loop_freep(&api->loop);
    free(api);
    *ref = NULL;
}

void api_answer_done(struct api_answer *answer)
{
    json_unref(json_take(&answer->value));
    buf_done(&answer->body);
}

void api_put_segment(struct buf *path, const char *text)
{
    if (!url_encode(path, str_from(text)) && path->ptr) path->ptr[0] = '\0'; /* see begin() */
}

void api_put_run(struct buf *path, const char *run, const char *rest)
{
    (void)buf_put_text(path, "/v1/runs/");
    api_put_segment(path, run);
    (void)buf_put_text(path, rest);
}

/* --- calls -------------------------------------------------------------------------------------
 */

struct transfer {
    struct api_answer *answer;
    struct sse *sse; /* NULL: not a stream */
    bool is_done;
    bool is_stopped;
};

static void on_done(const struct http_result *result, void *context)
{
    struct transfer *transfer = context;
    struct api_answer *answer = transfer->answer;
    transfer->is_done         = true;
    answer->http_status       = result->answer.http_status;
    answer->error             = result->error;
    if (result->code != STATUS_OK) answer->http_status = 0;
    str tag = {};
    if (http_answer_header(&result->answer, "etag", &tag) && tag.len < sizeof answer->tag) {
        memcpy(answer->tag, tag.ptr, tag.len);
        answer->tag[tag.len] = '\0';
    }
    if (!transfer->sse) (void)buf_put_str(&answer->body, result->body);
}

static size_t put_headers(const struct api *api, const struct api_call *call, const char *last_id,
                          char authorization[static AUTHORIZATION_MAX], struct http_header *headers)
{
    size_t count = 0;
    if (api->cli->key) {
        (void)snprintf(authorization, AUTHORIZATION_MAX, "Bearer %s", api->cli->key);
        headers[count++] = (struct http_header){
            .name = str_from("Authorization"), .value = str_from(authorization), .is_secret = true};
    }
    if (api->cli->namespace) {
        headers[count++] = (struct http_header){.name  = str_from("Tutti-Namespace"),
                                                .value = str_from(api->cli->namespace)};
    }
    if (call->body.len > 0) {
        headers[count++] =
            (struct http_header){.name  = str_from("Content-Type"),
                                 .value = str_from(call->type ? call->type : "application/json")};
    }
    if (call->match) {
        headers[count++] =
            (struct http_header){.name = str_from("If-Match"), .value = str_from(call->match)};
    }
    if (last_id && *last_id) {
        headers[count++] =
            (struct http_header){.name = str_from("Last-Event-ID"), .value = str_from(last_id)};
    }
    return count;
}

static status begin(struct api *api, const struct api_call *call, const char *last_id,
                    const struct http_handlers *handlers, struct http_call **ret_call,
                    struct error *reterr)
{
    char authorization[AUTHORIZATION_MAX];
    struct http_header headers[HEADERS_MAX];
    CLEANUP(buf_done) struct buf url = buf_init(URL_MAX);
    str base                         = str_from(api->cli->url);
    while (base.len > 0 && base.ptr[base.len - 1] == '/') base.len--;
    if (call->path[0] != '/' || !buf_put_str(&url, base) || !buf_put_text(&url, call->path)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "an argument is too long");
    }
    size_t count     = put_headers(api, call, last_id, authorization, headers);
    int64_t total_ms = call->timeout_ms > 0 ? call->timeout_ms : TIMEOUT_MS;
    bool is_stream   = handlers->on_data != NULL;

    const struct http_request request = {
        .method        = str_from(call->method),
        .url           = buf_str(&url),
        .headers       = headers,
        .header_count  = count,
        .body          = {.ptr = call->body.ptr, .len = call->body.len},
        .body_max      = is_stream ? SIZE_MAX : API_BODY_MAX,
        .allow_private = true,
        .is_stream     = is_stream,
        .timeouts      = {.connect_ms    = 3'000,
                          .first_byte_ms = is_stream ? STREAM_MS : total_ms,
                          .idle_ms       = STREAM_MS,
                          .total_ms      = is_stream ? -1 : total_ms},
    };
    status code = http_call_start(api->http, &request, handlers, ret_call, reterr);
    explicit_bzero(authorization, sizeof authorization);
    return code;
}

enum cli_exit api_try(struct api *api, const struct api_call *call, struct api_answer *ret_answer)
{
    *ret_answer                         = (struct api_answer){.body = buf_init(API_BODY_MAX)};
    struct transfer transfer            = {.answer = ret_answer};
    const struct http_handlers handlers = {.on_done = on_done, .context = &transfer};
    status begun = begin(api, call, NULL, &handlers, NULL, &ret_answer->error);
    if (begun != STATUS_OK) {
        return begun == STATUS_INVALID_ARGUMENT ? CLI_USAGE : CLI_UNREACHABLE;
    }
    while (!transfer.is_done) loop_turn(api->loop, 1'000);
    if (ret_answer->http_status == 0) return CLI_UNREACHABLE;
    const struct json_limits limits = {.values_max = UINT32_MAX, .depth_max = 200};
    (void)json_parse(buf_str(&ret_answer->body), &limits, &ret_answer->value, NULL, NULL);
    return CLI_OK;
}

static void print_finding(json finding)
{
    json pointer = json_get_text(finding, "pointer");
    json detail  = json_get_text(finding, "detail");
    json hint    = json_get_text(finding, "hint");
    json code    = json_get_text(finding, "code");
    int64_t line = 0;
    (void)json_to_int(json_get_text(finding, "line"), &line);
    if (line > 0) (void)fprintf(stderr, "  line %lld: ", (long long)line);
    if (line == 0 && json_is(pointer, JSON_TEXT)) {
        print_clean(stderr, "  ", json_str(pointer));
        print_clean(stderr, " ", (str){});
    }
    if (json_is(code, JSON_TEXT)) {
        print_clean(stderr, "", json_str(code));
        print_clean(stderr, ": ", (str){});
    }
    if (json_is(detail, JSON_TEXT)) print_clean(stderr, "", json_str(detail));
    if (json_is(hint, JSON_TEXT)) print_clean(stderr, "; fix: ", json_str(hint));
    (void)fprintf(stderr, "\n");
}

/* What was done before the call failed: the command line that takes it back. */
static void print_undo(json call)
{
    json function                     = json_get_text(call, "function");
    CLEANUP(json_unrefp) json with    = json_ref(json_get_text(call, "with"));
    CLEANUP(buf_done) struct buf text = buf_init(API_BODY_MAX);
    json connection                   = json_ref(json_get_text(with, "connection"));
    if (json_is(function, JSON_TEXT)) {
        (void)json_object_remove(&with, str_from("connection"));
        (void)json_print(with, JSON_COMPACT, &text);
        print_clean(stderr, "  a part of it is done; undo: tutti tool invoke ", json_str(function));
        if (json_is(connection, JSON_TEXT)) {
            print_argument(stderr, " --connection ", json_str(connection));
        }
        print_argument(stderr, " --arguments ", buf_str(&text));
        (void)fprintf(stderr, "\n");
    }
    json_unref(connection);
}

enum cli_exit api_explain(const struct api_answer *answer)
{
    json detail = json_get_text(answer->value, "detail");
    json code   = json_get_text(answer->value, "code");
    (void)fprintf(stderr, "tutti: ");
    if (json_is(detail, JSON_TEXT)) print_clean(stderr, "", json_str(detail));
    (void)fprintf(stderr, " (HTTP %d", answer->http_status);
    if (json_is(code, JSON_TEXT)) (void)fprintf(stderr, ", " STR_FMT, STR_ARG(json_str(code)));
    (void)fprintf(stderr, ")\n");
    json errors = json_get_text(answer->value, "errors");
    for (size_t i = 0; json_is(errors, JSON_ARRAY) && i < json_count(errors); i++) {
        print_finding(json_at(errors, i));
    }
    json undo = json_get_text(answer->value, "undo");
    for (size_t i = 0; json_is(undo, JSON_ARRAY) && i < json_count(undo); i++) {
        print_undo(json_at(undo, i));
    }
    if (answer->http_status == 401) {
        (void)fprintf(stderr,
                      "  the key: --key, TUTTI_KEY, or --data with the folder of `tutti up`\n");
    }
    return answer->http_status >= 500 ? CLI_UNREACHABLE : CLI_REFUSED;
}

static enum cli_exit explain_nothing(const struct api *api, const struct api_answer *answer)
{
    (void)fprintf(stderr,
                  "tutti: no answer from %s: %s\n  is the suite running? `tutti up` starts it, "
                  "`tutti doctor` looks closer\n",
                  api->cli->url, answer->error.text);
    return CLI_UNREACHABLE;
}

enum cli_exit api_call(struct api *api, const struct api_call *call, struct api_answer *ret_answer)
{
    enum cli_exit tried = api_try(api, call, ret_answer);
    if (tried == CLI_USAGE) (void)fprintf(stderr, "tutti: %s\n", ret_answer->error.text);
    if (tried != CLI_OK) return tried == CLI_USAGE ? tried : explain_nothing(api, ret_answer);
    bool is_ok = ret_answer->http_status >= 200 && ret_answer->http_status < 300;
    return is_ok ? CLI_OK : api_explain(ret_answer);
}

/* --- whole commands ----------------------------------------------------------------------------
 */

enum cli_exit api_ask(const struct cli *cli, const struct api_call *call,
                      struct api_answer *ret_answer)
{
    CLEANUP(api_freep) struct api *api = api_open(cli);
    return api ? api_call(api, call, ret_answer) : CLI_USAGE;
}

enum cli_exit api_each(const struct cli *cli,
                       enum cli_exit (*act)(const struct cli *cli, struct api *api,
                                            const char *argument))
{
    CLEANUP(api_freep) struct api *api = api_open(cli);
    enum cli_exit worst                = CLI_OK;
    if (!api) return CLI_USAGE;
    for (int i = 1; i < cli->argument_count; i++) {
        enum cli_exit code = act(cli, api, cli->arguments[i]);
        if (code > worst) worst = code;
    }
    return worst;
}

enum cli_exit api_show(const struct cli *cli, const struct api_call *call, void (*print)(json))
{
    CLEANUP(api_answer_done) struct api_answer answer = {};
    enum cli_exit code                                = api_ask(cli, call, &answer);
    if (code != CLI_OK) return code;
    if (!cli->is_json) {
        print(answer.value);
    } else if (!json_is(answer.value, JSON_INVALID)) {
        print_json(answer.value);
    }
    return CLI_OK;
}

static void print_nothing(json)
{
}

enum cli_exit api_do(const struct cli *cli, const char *method, const char *path, str body,
                     const char *said)
{
    const struct api_call call = {.method = method, .path = path, .body = body};
    enum cli_exit code         = api_show(cli, &call, print_nothing);
    if (code == CLI_OK && !cli->is_json) (void)printf("%s\n", said);
    return code;
}

/* --- streams -----------------------------------------------------------------------------------
 */

struct stream {
    struct transfer transfer; /* first: on_done takes it */
    struct sse sse;
    api_event_fn *on_event;
    void *context;
    char last_id[ID_TEXT_MAX];
    int http_status;
    bool has_ended; /* by an `end` event or by the caller */
};

static status on_event(const struct sse_event *event, void *context)
{
    struct stream *stream = context;
    if (event->id.len > 0 && event->id.len < sizeof stream->last_id) {
        memcpy(stream->last_id, event->id.ptr, event->id.len);
        stream->last_id[event->id.len] = '\0';
    }
    bool goes_on      = stream->on_event(event->name, event->id, event->data, stream->context);
    stream->has_ended = stream->has_ended || !goes_on || str_is(event->name, "end");
    return STATUS_OK;
}

static enum http_flow on_headers(const struct http_answer *answer, void *context)
{
    struct stream *stream = context;
    stream->http_status   = answer->http_status;
    return HTTP_GO_ON;
}

static enum http_flow on_data(str data, void *context)
{
    struct stream *stream = context;
    if (stream->http_status != 200) {
        (void)buf_put_str(&stream->transfer.answer->body, data);
        return HTTP_GO_ON;
    }
    if (sse_feed(&stream->sse, data, NULL) != STATUS_OK) return HTTP_STOP;
    return stream->has_ended ? HTTP_STOP : HTTP_GO_ON;
}

static enum cli_exit follow_once(struct api *api, const struct api_call *call,
                                 struct stream *stream, int64_t until_ms)
{
    struct api_answer *answer           = stream->transfer.answer;
    const struct http_handlers handlers = {
        .on_headers = on_headers, .on_data = on_data, .on_done = on_done, .context = stream};
    stream->transfer.is_done = false;
    stream->http_status      = 0;
    sse_init(&stream->sse, 0, on_event, stream);
    struct http_call *transfer = NULL;
    status code = begin(api, call, stream->last_id, &handlers, &transfer, &answer->error);
    while (code == STATUS_OK && !stream->transfer.is_done) {
        loop_turn(api->loop, 250);
        if (until_ms == 0 || clock_mono_ms() < until_ms) continue;
        /* What it would still say belongs to a `stream` that is gone by then. */
        if (!stream->transfer.is_done) http_call_cancel(transfer);
        break;
    }
    sse_done(&stream->sse);
    if (stream->http_status == 204) stream->has_ended = true;
    if (stream->http_status < 400) return CLI_OK;
    answer->http_status = stream->http_status;
    (void)json_parse(buf_str(&answer->body), NULL, &answer->value, NULL, NULL);
    return answer->http_status >= 500 ? CLI_OK : api_explain(answer); /* 5xx: it comes back */
}

enum cli_exit api_follow(struct api *api, const char *path, int64_t until_ms, api_event_fn *visit,
                         void *context)
{
    CLEANUP(api_answer_done) struct api_answer answer = {.body = buf_init(API_BODY_MAX)};
    struct stream stream                              = {.on_event = visit, .context = context};
    stream.transfer.answer                            = &answer;
    stream.transfer.sse                               = &stream.sse;
    const struct api_call call                        = {.method = "GET", .path = path};
    for (int failures = 0; failures < RECONNECTS_MAX; failures++) {
        enum cli_exit code = follow_once(api, &call, &stream, until_ms);
        if (code != CLI_OK || stream.has_ended) return code;
        if (until_ms > 0 && clock_mono_ms() >= until_ms) return CLI_TIMEOUT;
        if (stream.http_status == 200) failures = 0;
        const struct timespec pause = {.tv_nsec = RECONNECT_MS * 1'000'000L};
        (void)nanosleep(&pause, NULL);
    }
    return explain_nothing(api, &answer);
}
