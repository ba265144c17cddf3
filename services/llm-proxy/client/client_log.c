/* What the log says of a client's call. */
#include "llm-proxy/client/client_call_internal.h"
#include "llm-proxy/dialects/llm_reply.h"
#include "json/json_text.h"

static struct llm_reply_caller caller_of(const struct client_call *client)
{
    const char *run = client->charged_run ? client->charged_run : client->purse.run.name;
    return (struct llm_reply_caller){.namespace  = client->owner.namespace_,
                                     .key        = client->owner.key,
                                     .request_id = client->request_id,
                                     .run        = run ? run : ""};
}

static bool logs_content(const struct client_call *client)
{
    return pipeline_catalog(client->pipeline)->logs_content;
}

void client_log_request(const struct client_call *client)
{
    const struct json_limits limits = {.depth_max = BODY_DEPTH_MAX, .values_max = BODY_VALUES_MAX};
    const struct llm_reply_caller caller = caller_of(client);
    str text                             = client->request->bytes;
    CLEANUP(json_unrefp) json body       = json_invalid();
    if (!logs_content(client)) return;
    bool is_parsed = text.len > 0 && json_parse(text, &limits, &body, NULL, NULL) == STATUS_OK;
    llm_reply_log_request(is_parsed ? body : client->body, client->request, &caller);
}

void client_log_end(const struct client_call *client, const struct llm_outcome *ended)
{
    const struct llm_reply_caller caller = caller_of(client);
    llm_reply_log(ended, client->request, &caller);
    if (ended->is_ok && logs_content(client)) {
        llm_reply_log_answer(ended->answer, client->request, &caller);
    }
}
