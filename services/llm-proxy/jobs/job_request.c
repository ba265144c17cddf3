/* What a job asks for: its input, the route, and what may go on of it. */
#include "llm-proxy/call/cache_wish.h"
#include "llm-proxy/chat/embed_text.h"
#include "llm-proxy/jobs/chat_job.h"
#include "json/json_text.h"

#include <string.h>

enum { INPUT_DEPTH = 64, INPUT_VALUES = 1'000'000 };

static const struct llm_route any_route;

bool job_is_embedding(const Pb__LeasedJob *leased)
{
    return strcmp(leased->function, "llm.embed") == 0;
}

static status parse_job(struct chat_job *chat, struct error *reterr)
{
    const Pb__LeasedJob *leased = chat->job->leased;
    str text = {.ptr = (const char *)leased->input_json.data, .len = leased->input_json.len};
    const struct json_limits limits = {.depth_max = INPUT_DEPTH, .values_max = INPUT_VALUES};
    return json_parse(text, &limits, &chat->input, NULL, reterr);
}

static status read_request(struct chat_job *chat, struct error *reterr)
{
    if (job_is_embedding(chat->job->leased)) {
        return embed_read(chat->input, chat->arena, &chat->request, reterr);
    }
    int64_t age_ms = 0;
    TRY(cache_wish_of_job(chat->input, &any_route, &age_ms, reterr));
    TRY(chat_from_job(chat->input, chat->arena, &chat->request, reterr));
    job_repair_done(&chat->repair);
    return job_repair_resume(chat, reterr);
}

static status find_route(struct chat_job *chat, struct error *reterr)
{
    const struct catalog *catalog = pipeline_catalog(chat->pipeline);
    json models                   = json_get_text(chat->input, "fallbacks");
    TRY(catalog_route(catalog, chat->request->model, &chat->scratch, &chat->route, reterr));
    if (!json_is(models, JSON_ARRAY) || json_count(models) == 0) return STATUS_OK;
    if (chat->route != &chat->scratch) chat->scratch = *chat->route;
    chat->route = &chat->scratch;
    for (size_t i = 0; i < json_count(models); i++) {
        json model = json_at(models, i);
        if (!json_is(model, JSON_TEXT)) continue;
        (void)catalog_add_fallback(catalog, json_str(model), &chat->scratch);
    }
    return STATUS_OK;
}

/* Only what the rules about personal data leave of it goes on; it is read again. */
static status scrub_input(struct chat_job *chat, struct error *reterr)
{
    CLEANUP(json_unrefp) json input = json_invalid();
    const struct scrub_options *rule =
        pii_policy_of(pipeline_catalog(chat->pipeline)->pii,
                      str_from(chat->job->leased->namespace_), chat->route->name);
    if (!rule) return STATUS_OK;
    TRY(pii_policy_apply(rule, chat->input, &input, reterr));
    if (json_equal(input, chat->input)) return STATUS_OK;
    json_unref(chat->input);
    chat->input = json_take(&input);
    TRY(read_request(chat, reterr));
    return find_route(chat, reterr);
}

/* What keeps it from being run is reported here. */
status job_request_read(struct chat_job *chat)
{
    struct error error = {};
    status code        = parse_job(chat, &error);
    if (code == STATUS_OK) code = read_request(chat, &error);
    if (code == STATUS_OK) code = find_route(chat, &error);
    if (code == STATUS_OK) code = scrub_input(chat, &error);
    if (code == STATUS_OK) return STATUS_OK;
    bool is_unknown = code == STATUS_NOT_FOUND;
    job_report_kind(chat->job, is_unknown ? ERROR_CONFIGURATION : ERROR_VALIDATION, 0,
                    str_from(error.text), false);
    return code;
}
