/* A request on its way to a protocol that is not its client's, and what comes back: names of
 * functions, and what the vault keeps. */
#include "base/clock.h"
#include "llm-proxy/call/call_internal.h"
#include "llm-proxy/vault/recall.h"

static bool is_passed_on(const struct llm_call *call)
{
    return call->request->protocol == call_target(call)->provider->kind->protocol &&
           json_is(call->request->source, JSON_OBJECT);
}

static bool recall(struct llm_call *call, struct chat_request *copy)
{
    const struct route_target *target = call_target(call);
    const struct recall what          = {.vault     = call->pipeline->options.vault,
                                         .namespace = call->namespace,
                                         .provider  = str_from(target->provider->name),
                                         .model     = target->model,
                                         .now_ms    = loop_now_ms(call->pipeline->options.loop),
                                         .arena     = call->arena};
    return recall_fill(&what, copy, &call->losses);
}

static void fill_gaps(struct llm_call *call, struct chat_request *copy)
{
    const struct provider *provider = call_target(call)->provider;
    enum chat_flavor words = provider->kind == &provider_openai ? FLAVOR_OPENAI : FLAVOR_COMPATIBLE;
    if (provider->flavor) words = provider->flavor->words;
    json_unref(json_take(&call->source));
    route_defaults_fill(&call->route->defaults, words, copy, &call->source);
}

const struct chat_request *call_adapt(struct llm_call *call)
{
    const struct chat_request *request = call->request;
    enum llm_protocol protocol         = call_target(call)->provider->kind->protocol;
    bool is_translated                 = !is_passed_on(call);
    bool has_kept                      = call->pipeline->options.vault && recall_is_needed(request);
    bool has_misfits = is_translated && function_names_are_needed(request, protocol);
    call->names      = (struct function_names){};
    if (is_translated && call->pipeline->options.vault) {
        call->scribe =
            scribe_new(call->pipeline->options.vault, call->namespace,
                       str_from(call_target(call)->provider->name), call_target(call)->model);
    }
    bool has_gaps =
        !request->is_count && route_defaults_are_needed(&call->route->defaults, request);
    if (!has_kept && !has_misfits && !has_gaps) return request;
    struct chat_request *copy = chat_copy(request, call->arena);
    if (!copy || (has_kept && !recall(call, copy))) return NULL;
    /* The names outlive the try's arena: the answer has them again. */
    if (has_misfits &&
        !function_names_change(copy, protocol, request->arena, &call->losses, &call->names)) {
        return NULL;
    }
    if (has_gaps) fill_gaps(call, copy);
    return is_translated || has_gaps ? copy : request;
}

const struct llm_event *call_adapt_event(struct llm_call *call, const struct llm_event *event,
                                         struct llm_event *room)
{
    if (!call->scribe && event->kind != LLM_TOOL_START) return event;
    *room = *event;
    if (call->scribe) {
        *room = scribe_take(call->scribe, event, loop_now_ms(call->pipeline->options.loop));
    }
    if (room->kind == LLM_TOOL_START) room->name = function_name_own(&call->names, room->name);
    return room;
}
