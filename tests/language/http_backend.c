/* A whole suite that `tutti up` started, and its HTTP API as a client sees it. */
#include "auth/api_key.h"
#include "base/clock.h"
#include "base/mem.h"
#include "language/backend.h"
#include "language/http_client.h"
#include "language/live_suite.h"
#include "json/json_text.h"
#include "json/json_write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TEXT_MAX        = 64 << 20,
    PATH_MAX_BYTES  = 1024,
    END_MS          = 60'000, /* a run of a scenario ends long before */
    DECIDE_MS       = 20'000,
    NAME_MAX_BYTES  = 64,
    VERSION_NUMBERS = 1'000'000,
};

struct http {
    struct backend backend;
    struct live_suite live;
    struct http_client client;
    char workflow[3 * NAME_MAX_BYTES]; /* "namespace/name:version"; empty: none yet */
    char run[NAME_MAX_BYTES];
    char namespace[NAME_MAX_BYTES];
    char approver[API_KEY_LEN + 1]; /* the key that decides; empty: that of all requests */
    uint32_t versions;              /* given to definitions whose own was taken */
};

/* What the scenario before has left would ask the stand-ins of this one. */
static status begin(void *context, struct error *reterr)
{
    struct http *http = context;
    if (*http->run) {
        char path[PATH_MAX_BYTES];
        (void)snprintf(path, sizeof path, "/v1/runs/%s/cancel", http->run);
        status code = http_client_tell(&http->client, path, json_invalid(), reterr);
        if (code == STATUS_UNAVAILABLE) return code; /* else it had ended */
    }
    http->workflow[0] = '\0';
    http->approver[0] = '\0';
    http->run[0]      = '\0';
    return STATUS_OK;
}

static status offer(void *context, json functions, struct error *reterr)
{
    struct http *http = context;
    return standin_worker_offer(http->live.worker, functions, reterr);
}

/* --- definitions -------------------------------------------------------------------------------
 */

/* Puts another version in the place of the document's own: another scenario has taken that one with
 * other content. */
static void put_new_version(struct http *http, str definition, struct buf *out)
{
    static const char key[] = "version:";
    const char *at          = memmem(definition.ptr, definition.len, key, sizeof key - 1);
    size_t start            = at ? (size_t)(at - definition.ptr) + sizeof key - 1 : 0;
    size_t end              = start;
    while (end < definition.len && strchr(" '\"", definition.ptr[end])) end++;
    while (end < definition.len && !strchr("'\"\r\n,} ", definition.ptr[end])) end++;
    if (end < definition.len && strchr("'\"", definition.ptr[end])) end++;
    (void)buf_put_str(out, str_slice(definition, 0, start));
    (void)buf_printf(out, " '1.0.%u'", VERSION_NUMBERS + ++http->versions);
    (void)buf_put_str(out, str_slice(definition, end, definition.len));
}

static void text_of(json object, const char *key, char text[static NAME_MAX_BYTES])
{
    json value = json_get_text(object, key);
    text[0]    = '\0';
    if (json_is(value, JSON_TEXT)) {
        (void)snprintf(text, NAME_MAX_BYTES, STR_FMT, STR_ARG(json_str(value)));
    }
}

/* The name in the document, which the path must repeat. */
static void name_of(str definition, char name[static NAME_MAX_BYTES])
{
    static const char key[] = "name:";
    name[0]                 = '\0';
    for (size_t i = 1; i + sizeof key < definition.len; i++) {
        if (memcmp(definition.ptr + i, key, sizeof key - 1) != 0) continue;
        if (!strchr(" \n{,", definition.ptr[i - 1])) continue;
        size_t start = i + sizeof key - 1;
        while (start < definition.len && strchr(" '\"", definition.ptr[start])) start++;
        size_t end = start;
        while (end < definition.len && !strchr("'\"\r\n,} ", definition.ptr[end])) end++;
        (void)snprintf(name, NAME_MAX_BYTES, STR_FMT, STR_ARG(str_slice(definition, start, end)));
        return;
    }
}

static status put_text(struct http *http, str definition, json *ret_workflow, struct error *reterr)
{
    char name[NAME_MAX_BYTES];
    char path[PATH_MAX_BYTES];
    name_of(definition, name);
    (void)snprintf(path, sizeof path, "/v1/workflows/%s", name);
    const struct api_call call = {
        .method = "PUT", .path = path, .body = definition, .type = "application/yaml"};
    return http_client_ask(&http->client, &call, ret_workflow, reterr);
}

static status put(void *context, str definition, json *ret_findings, struct error *reterr)
{
    struct http *http               = context;
    CLEANUP(json_unrefp) json valid = json_invalid();
    const struct api_call call      = {.method = "POST",
                                       .path   = "/v1/workflows/validate",
                                       .body   = definition,
                                       .type   = "application/yaml"};
    TRY(http_client_ask(&http->client, &call, &valid, reterr));
    *ret_findings = json_ref(json_get_text(valid, "diagnostics"));
    if (!json_is_truthy(json_get_text(valid, "valid"))) {
        str detail = str_from("the definition has errors");
        for (size_t i = json_count(*ret_findings); i-- > 0;) {
            json finding  = json_at(*ret_findings, i);
            bool is_error = str_is(json_str(json_get_text(finding, "severity")), "error");
            if (is_error) detail = json_str(json_get_text(finding, "detail"));
        }
        return fail(reterr, STATUS_INVALID_ARGUMENT, STR_FMT, STR_ARG(detail));
    }
    CLEANUP(json_unrefp) json workflow = json_invalid();
    status code                        = put_text(http, definition, &workflow, reterr);
    if (code == STATUS_FAILED_PRECONDITION && strcmp(http->client.code, "already_exists") == 0) {
        CLEANUP(buf_done) struct buf text = buf_init(TEXT_MAX);
        put_new_version(http, definition, &text);
        json_unref(json_take(&workflow));
        code = put_text(http, buf_str(&text), &workflow, reterr);
    }
    if (code != STATUS_OK || *http->workflow) return code;
    char names[3][NAME_MAX_BYTES];
    text_of(workflow, "namespace", names[0]);
    text_of(workflow, "name", names[1]);
    text_of(workflow, "version", names[2]);
    (void)snprintf(http->workflow, sizeof http->workflow, "%s/%s:%s", names[0], names[1], names[2]);
    return STATUS_OK;
}

/* --- runs --------------------------------------------------------------------------------------
 */

static status start(void *context, json input, json extra, struct error *reterr)
{
    struct http *http = context;
    CLEANUP(json_unrefp)
    json body = json_is(extra, JSON_OBJECT) ? json_ref(extra) : json_object_new(2);
    json_object_put_text(&body, "workflow", json_text_from(http->workflow));
    if (json_is(input, JSON_INVALID)) input = json_null();
    json_object_put_text(&body, "input", json_ref(input));
    CLEANUP(json_unrefp) json run = json_invalid();
    TRY(http_client_ask_json(&http->client, "POST", "/v1/runs", body, &run, reterr));
    text_of(run, "id", http->run);
    return STATUS_OK;
}

static status run_path(const struct http *http, const char *rest, char path[static PATH_MAX_BYTES],
                       struct error *reterr)
{
    if (!*http->run) return fail(reterr, STATUS_INTERNAL, "no workflow was executed");
    (void)snprintf(path, PATH_MAX_BYTES, "/v1/runs/%s%s", http->run, rest);
    return STATUS_OK;
}

static status get(struct http *http, const char *rest, json *ret_body, struct error *reterr)
{
    char path[PATH_MAX_BYTES];
    TRY(run_path(http, rest, path, reterr));
    return http_client_ask_json(&http->client, "GET", path, json_invalid(), ret_body, reterr);
}

static status view(void *context, json *ret_run, struct error *reterr)
{
    return get(context, "", ret_run, reterr);
}

static bool is_final(json run)
{
    static const char *const ends[] = {"completed", "faulted", "cancelled", "terminated"};
    json now                        = json_get_text(run, "status");
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        if (json_is(now, JSON_TEXT) && str_is(json_str(now), ends[i])) return true;
    }
    return false;
}

static status finish(void *context, struct error *reterr)
{
    int64_t until_ms = clock_mono_ms() + END_MS;
    for (;;) {
        CLEANUP(json_unrefp) json run = json_invalid();
        TRY(get(context, "?wait=5s", &run, reterr));
        if (is_final(run)) return STATUS_OK;
        if (clock_mono_ms() > until_ms) {
            char now[NAME_MAX_BYTES];
            text_of(run, "status", now);
            return fail(reterr, STATUS_DEADLINE_EXCEEDED, "the run is %s after %d s", now,
                        END_MS / 1000);
        }
    }
}

static status history(void *context, json *ret_events, struct error *reterr)
{
    CLEANUP(json_unrefp) json all = json_array_new(64);
    char rest[PATH_MAX_BYTES]     = "/history?page_size=500";
    for (;;) {
        CLEANUP(json_unrefp) json page = json_invalid();
        TRY(get(context, rest, &page, reterr));
        json items = json_get_text(page, "items");
        for (size_t i = 0; i < json_count(items); i++) {
            json_array_push(&all, json_ref(json_at(items, i)));
        }
        json next = json_get_text(page, "next_page_token");
        if (!json_is(next, JSON_TEXT)) break;
        (void)snprintf(rest, sizeof rest, "/history?page_size=500&page_token=" STR_FMT,
                       STR_ARG(json_str(next)));
    }
    *ret_events = json_take(&all);
    return STATUS_OK;
}

static status pass(void *, int64_t, struct error *reterr)
{
    return fail(reterr, STATUS_UNIMPLEMENTED, "time passes in the core only: mark it @core");
}

/* --- commands ----------------------------------------------------------------------------------
 */

static status signal_run(void *context, const char *name, json data, struct error *reterr)
{
    struct http *http = context;
    char rest[PATH_MAX_BYTES];
    char path[PATH_MAX_BYTES];
    (void)snprintf(rest, sizeof rest, "/signals/%s", name);
    TRY(run_path(http, rest, path, reterr));
    return http_client_tell(&http->client, path, data, reterr);
}

/* From here to namespace_leave() requests are for the namespace of the scenario's workflow, as
 * events and assistants must be. */
static void namespace_enter(struct http *http)
{
    (void)snprintf(http->namespace, sizeof http->namespace, "%.*s",
                   (int)strcspn(http->workflow, "/"), http->workflow);
    http->client.cli.namespace = *http->namespace ? http->namespace : NULL;
}

static void namespace_leave(struct http *http)
{
    http->client.cli.namespace = NULL;
}

static status publish(void *context, json event, struct error *reterr)
{
    struct http *http                 = context;
    CLEANUP(json_unrefp) json answer  = json_invalid();
    CLEANUP(buf_done) struct buf text = buf_init(TEXT_MAX);
    (void)json_print(event, JSON_COMPACT, &text);
    const struct api_call call = {.method = "POST",
                                  .path   = "/v1/events",
                                  .body   = buf_str(&text),
                                  .type   = "application/cloudevents+json"};
    namespace_enter(http);
    status code = http_client_ask(&http->client, &call, &answer, reterr);
    namespace_leave(http);
    return code;
}

/* The approval of this run that is open; waits until there is one. */
static status find_approval(struct http *http, char id[static NAME_MAX_BYTES], struct error *reterr)
{
    char path[PATH_MAX_BYTES];
    TRY(run_path(http, "", path, reterr));
    (void)snprintf(path, sizeof path, "/v1/approvals?status=pending&run=%s", http->run);
    int64_t until_ms = clock_mono_ms() + DECIDE_MS;
    for (;;) {
        CLEANUP(json_unrefp) json list = json_invalid();
        TRY(http_client_ask_json(&http->client, "GET", path, json_invalid(), &list, reterr));
        text_of(json_at(json_get_text(list, "items"), 0), "id", id);
        if (*id) return STATUS_OK;
        if (clock_mono_ms() > until_ms) {
            return fail(reterr, STATUS_FAILED_PRECONDITION, "no approval is open");
        }
        suite_pause();
    }
}

static status label(void *context, const char *text, struct error *reterr)
{
    struct http *http  = context;
    struct api_key key = {};
    TRY(standin_worker_make_key(http->live.worker, text, &key, reterr));
    (void)snprintf(http->approver, sizeof http->approver, "%s", key.text);
    return STATUS_OK;
}

static status decide(void *context, bool is_approved, json data, struct error *reterr)
{
    struct http *http = context;
    char id[NAME_MAX_BYTES];
    char path[PATH_MAX_BYTES];
    TRY(find_approval(http, id, reterr));
    (void)snprintf(path, sizeof path, "/v1/approvals/%s/%s", id,
                   is_approved ? "approve" : "reject");
    CLEANUP(json_unrefp) json body = json_object_new(2);
    json_object_put_text(&body, "comment", json_text_from("seen"));
    if (!json_is(data, JSON_INVALID)) json_object_put_text(&body, "data", json_ref(data));
    const char *key = http->client.cli.key;
    if (*http->approver) http->client.cli.key = http->approver;
    status code          = http_client_tell(&http->client, path, body, reterr);
    http->client.cli.key = key;
    return code;
}

static status control(void *context, const char *verb, struct error *reterr)
{
    struct http *http = context;
    char rest[PATH_MAX_BYTES];
    char path[PATH_MAX_BYTES];
    (void)snprintf(rest, sizeof rest, "/%s", verb);
    TRY(run_path(http, rest, path, reterr));
    CLEANUP(json_unrefp) json body = json_object_new(1);
    json_object_put_text(&body, "reason", json_text_from("asked"));
    return http_client_tell(&http->client, path, body, reterr);
}

static status crash(void *context, struct error *reterr)
{
    struct http *http = context;
    TRY(suite_kill(&http->live.suite, "scheduler", reterr));
    CLEANUP(json_unrefp) json run = json_invalid();
    return get(http, "", &run, reterr); /* it is back */
}

static status request(void *context, const char *method, const char *path, json body,
                      json *ret_answer, struct error *reterr)
{
    struct http *http                 = context;
    CLEANUP(buf_done) struct buf text = buf_init(TEXT_MAX);
    CLEANUP(buf_done) struct buf full = buf_init(TEXT_MAX);
    /* {run} in a path is the run of the scenario. */
    const char *mark = strstr(path, "{run}");
    if (mark) {
        (void)buf_put(&full, path, (size_t)(mark - path));
        (void)buf_put_text(&full, http->run);
        (void)buf_put_text(&full, mark + 5);
    } else {
        (void)buf_put_text(&full, path);
    }
    if (!json_is(body, JSON_INVALID)) (void)json_print(body, JSON_COMPACT, &text);
    const struct api_call call = {.method = method, .path = full.ptr, .body = buf_str(&text)};
    CLEANUP(api_answer_done) struct api_answer answer = {};
    namespace_enter(http);
    enum cli_exit code = api_try(http->client.api, &call, &answer);
    namespace_leave(http);
    if (code != CLI_OK) {
        return fail(reterr, STATUS_UNAVAILABLE, "%s %s: %s", method, path, answer.error.text);
    }
    *ret_answer = json_object_new(2);
    json_object_put_text(ret_answer, "status", json_int(answer.http_status));
    json value = json_is(answer.value, JSON_INVALID) ? json_text_lossy(buf_str(&answer.body))
                                                     : json_take(&answer.value);
    json_object_put_text(ret_answer, "body", value);
    return STATUS_OK;
}

/* --- life --------------------------------------------------------------------------------------
 */

status http_backend_new(const struct http_backend_options *options, struct script *script,
                        struct backend **ret_backend, struct error *reterr)
{
    struct http *http = mem_new(1, sizeof *http);
    http->backend     = (struct backend){
            .name    = "http",
            .is_live = true,
            .context = http,
            .begin   = begin,
            .offer   = offer,
            .put     = put,
            .start   = start,
            .finish  = finish,
            .pass    = pass,
            .view    = view,
            .history = history,
            .signal  = signal_run,
            .publish = publish,
            .label   = label,
            .decide  = decide,
            .control = control,
            .crash   = crash,
            .request = request,
    };
    struct backend *backend = &http->backend;
    status code             = live_suite_start(&http->live, options, script, reterr);
    if (code == STATUS_OK) {
        const struct suite *suite = &http->live.suite;
        code                      = http_client_init(&http->client, suite->url, suite->key, reterr);
    }
    if (code != STATUS_OK) {
        http_backend_freep(&backend);
        return code;
    }
    *ret_backend = backend;
    return STATUS_OK;
}

status http_backend_stop(struct backend *backend, struct error *reterr)
{
    struct http *http = backend->context;
    return live_suite_stop(&http->live, reterr);
}

void http_backend_freep(struct backend **backend)
{
    if (!*backend) return;
    struct http *http = (*backend)->context;
    http_client_done(&http->client);
    live_suite_done(&http->live);
    free(http);
    *backend = NULL;
}
