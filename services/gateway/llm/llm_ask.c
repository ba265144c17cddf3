#include "gateway/llm/llm_ask.h"

#include "base/mem.h"
#include "gateway/llm/llm_pull.h"
#include "llm.pb-c.h"

#include <stdlib.h>

enum { ASK_TIMEOUT_MS = 10'000 };

struct asking {
    struct api_call *call; /* a reference */
    api_then *then;
};

static void on_answer(const struct rpc_answer *answer, void *context)
{
    struct asking *asking = context;
    if (answer->code == STATUS_OK) {
        asking->then(asking->call, answer);
    } else {
        api_fail_answer(asking->call, answer);
    }
    api_call_unref(asking->call);
    free(asking);
}

void llm_ask(struct api_call *call, const char *method, const void *message, api_then *then)
{
    struct api *api = call->api;
    if (!api->llm) {
        api_fail_with(call, "unavailable", (str){},
                      "this gateway has no llm-proxy: set gateway.llm");
        return;
    }
    struct asking *asking            = mem_new(1, sizeof *asking);
    *asking                          = (struct asking){api_call_ref(call), then};
    const struct rpc_request request = {.service    = &pb__llm__descriptor,
                                        .method     = method,
                                        .message    = message,
                                        .partition  = llm_pull_choose(api->llm_pull),
                                        .timeout_ms = ASK_TIMEOUT_MS,
                                        .request_id = str_from(call->rpc_id),
                                        .namespace  = str_from(api_namespace(call)),
                                        .key_id     = str_from(call->identity.key_id),
                                        .done       = on_answer,
                                        .context    = asking};
    struct error error               = {};
    status code                      = api_call_llm(api, &request, &error);
    if (code == STATUS_OK) return;
    api_fail(call, code, &error);
    api_call_unref(call);
    free(asking);
}
