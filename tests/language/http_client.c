/* The HTTP API as a client sees it. */
#include "language/http_client.h"

#include "base/clock.h"
#include "language/suite.h"
#include "json/json_text.h"
#include "json/json_write.h"

#include <stdio.h>

enum {
    TEXT_MAX    = 64 << 20,
    PATIENCE_MS = 30'000, /* of a request, while a killed service comes back */
};

static status code_of(int http_status)
{
    switch (http_status) {
    case 400:
    case 413:
    case 422: return STATUS_INVALID_ARGUMENT;
    case 401: return STATUS_UNAUTHENTICATED;
    case 403: return STATUS_PERMISSION_DENIED;
    case 404: return STATUS_NOT_FOUND;
    case 409: return STATUS_FAILED_PRECONDITION;
    case 429: return STATUS_RESOURCE_EXHAUSTED;
    case 501: return STATUS_UNIMPLEMENTED;
    default: return http_status < 300 ? STATUS_OK : STATUS_UNAVAILABLE;
    }
}

status http_client_ask(struct http_client *client, const struct api_call *call, json *ret_body,
                       struct error *reterr)
{
    int64_t until_ms = clock_mono_ms() + PATIENCE_MS;
    for (;;) {
        CLEANUP(api_answer_done) struct api_answer answer = {};
        (void)api_try(client->api, call, &answer);
        bool is_away = answer.http_status == 0 || answer.http_status == 503;
        if (is_away && clock_mono_ms() < until_ms) {
            suite_pause();
            continue;
        }
        status code = answer.http_status == 0 ? STATUS_UNAVAILABLE : code_of(answer.http_status);
        if (code != STATUS_OK) {
            json name       = json_get_text(answer.value, "code");
            str detail      = str_slice(buf_str(&answer.body), 0, ERROR_TEXT_MAX);
            client->code[0] = '\0';
            if (json_is(name, JSON_TEXT)) {
                (void)snprintf(client->code, sizeof client->code, STR_FMT, STR_ARG(json_str(name)));
            }
            code = fail_code(reterr, code, client->code, "%s %s: %d " STR_FMT, call->method,
                             call->path, answer.http_status, STR_ARG(detail));
        }
        *ret_body = json_take(&answer.value);
        return code;
    }
}

status http_client_ask_json(struct http_client *client, const char *method, const char *path,
                            json body, json *ret_body, struct error *reterr)
{
    CLEANUP(buf_done) struct buf text = buf_init(TEXT_MAX);
    if (!json_is(body, JSON_INVALID)) (void)json_print(body, JSON_COMPACT, &text);
    const struct api_call call = {.method = method, .path = path, .body = buf_str(&text)};
    return http_client_ask(client, &call, ret_body, reterr);
}

status http_client_tell(struct http_client *client, const char *path, json body,
                        struct error *reterr)
{
    CLEANUP(json_unrefp) json answer = json_invalid();
    return http_client_ask_json(client, "POST", path, body, &answer, reterr);
}

/* --- life --------------------------------------------------------------------------------------
 */

status http_client_init(struct http_client *client, const char *url, const char *key,
                        struct error *reterr)
{
    *client = (struct http_client){.cli = {.url = url, .key = key}};
    return api_new(&client->cli, &client->api, reterr);
}

void http_client_done(struct http_client *client)
{
    api_freep(&client->api);
}
