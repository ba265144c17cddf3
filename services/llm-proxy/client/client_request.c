/* What a client asks for: its body, the route, and what may go on of it. */
#include "base/mem.h"
#include "llm-proxy/call/cache_wish.h"
#include "llm-proxy/client/client_call_internal.h"
#include "llm-proxy/guard/llm_charge.h"
#include "json/json_text.h"

/* The HTTP status that refuses it, or 200; as the next ones. What is left of the request in the end
 * lives as long as the call: itself; its model, of which a route made on the spot has views; and
 * what is added from now on. */
static int keep_request(struct client_call *client, struct error *reterr)
{
    struct chat_request *kept = arena_alloc(client->arena, sizeof *kept);
    const char *model         = arena_strdup(client->arena, client->request->model);
    if (!kept || !model) {
        (void)fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
        return 413;
    }
    *kept           = *client->request;
    kept->arena     = client->arena;
    kept->model.ptr = model;
    client->request = kept;
    return 200;
}

static int read_body(struct client_call *client, const Pb__LlmOpen *open, struct error *reterr)
{
    status code =
        dialect_read(client->dialect, open, client->body, client->asked, &client->request, reterr);
    if (code != STATUS_OK) return code == STATUS_UNIMPLEMENTED ? 501 : 400;
    return keep_request(client, reterr);
}

static int find_route(struct client_call *client, const Pb__LlmOpen *open, struct error *reterr)
{
    const struct catalog *catalog = pipeline_catalog(client->pipeline);
    struct llm_route scratch;
    status code = catalog_route(catalog, client->request->model, &scratch, &client->route, reterr);
    if (code != STATUS_OK) return 404;
    client->cache_age_ms = cache_wish_age_ms(llm_open_header(open, "cache-control"), client->route);
    if (client->route != &scratch && open->n_fallbacks == 0) return 200;
    struct llm_route *own = arena_alloc(client->arena, sizeof *own);
    if (!own) {
        (void)fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
        return 413;
    }
    *own          = *client->route;
    client->route = own;
    for (size_t i = 0; i < open->n_fallbacks; i++) {
        const char *model = arena_strdup(client->arena, str_from(open->fallbacks[i]));
        if (model) (void)catalog_add_fallback(catalog, str_from(model), own);
    }
    return 200;
}

/* Only what the rules about personal data leave of it goes on; it is read again. */
static int scrub_body(struct client_call *client, const Pb__LlmOpen *open, struct error *reterr)
{
    CLEANUP(json_unrefp) json body   = json_invalid();
    const struct scrub_options *rule = pii_policy_of(
        pipeline_catalog(client->pipeline)->pii, str_from(open->namespace_), client->route->name);
    if (!rule) return 200;
    if (pii_policy_apply(rule, client->body, &body, reterr) != STATUS_OK) return 422;
    if (json_equal(body, client->body)) return 200;
    chat_request_done(client->request);
    client->request = NULL;
    json_unref(client->body);
    client->body = json_take(&body);
    int http     = read_body(client, open, reterr);
    return http == 200 ? find_route(client, open, reterr) : http;
}

/* --- passed on ---------------------------------------------------------------------------------
 */

/* Whether nobody here needs its messages: whoever may be asked takes them as they are spelled. */
static bool goes_on_as_it_is(const struct client_call *client, const Pb__LlmOpen *open)
{
    const struct llm_route *route   = client->route;
    const struct pii_policies *pii  = pipeline_catalog(client->pipeline)->pii;
    const struct chat_request *chat = client->request;
    for (uint32_t i = 0; i < route->target_count; i++) {
        if (route->targets[i].provider->kind->protocol != client->dialect->protocol) return false;
    }
    return !chat->is_validated && client->cache_age_ms < 0 &&
           !route_defaults_are_needed(&route->defaults, chat) &&
           !pii_policy_of(pii, str_from(open->namespace_), route->name);
}

/* 0: it is to be parsed; else as client_request_read(). */
static int scan_body(struct client_call *client, const Pb__LlmOpen *open, struct error *reterr)
{
    struct chat_scanned scanned;
    str text = {.ptr = client->spelling, .len = open->body.len};
    if (!dialect_scan(client->dialect, open, text, BODY_VALUES_MAX, client->asked, &scanned)) {
        return 0;
    }
    client->request  = scanned.request;
    client->body     = scanned.rest;
    client->estimate = scanned.estimate;
    int http         = keep_request(client, reterr);
    if (http == 200) http = find_route(client, open, reterr);
    if (http != 200 || goes_on_as_it_is(client, open)) return http;
    json_unref(json_take(&client->body));
    client->request = NULL;
    return 0;
}

/* --- read --------------------------------------------------------------------------------------
 */

static int parse_body(struct client_call *client, const Pb__LlmOpen *open, struct error *reterr)
{
    str text                        = {.ptr = client->spelling, .len = open->body.len};
    const struct json_limits limits = {.depth_max = BODY_DEPTH_MAX, .values_max = BODY_VALUES_MAX};
    if (json_parse(text, &limits, &client->body, NULL, reterr) != STATUS_OK) return 400;
    int http = read_body(client, open, reterr);
    if (http == 200) http = find_route(client, open, reterr);
    /* An upstream of the client's protocol gets the values as they are spelled; a count may be of a
     * part of the body. What is read anew, since it was scrubbed, has no spelling. */
    if (http == 200 && !client->request->is_count) client->request->bytes = text;
    if (http == 200) http = scrub_body(client, open, reterr);
    bool is_embedding = client->dialect == &dialect_openai_embeddings;
    if (http == 200) client->estimate = token_estimate_of(client->body, is_embedding);
    return http;
}

int client_request_read(struct client_call *client, const Pb__LlmOpen *open, struct error *reterr)
{
    client->spelling = mem_dup(open->body.data, open->body.len);
    int http         = scan_body(client, open, reterr);
    return http != 0 ? http : parse_body(client, open, reterr);
}
