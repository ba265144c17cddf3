/* Names of workflows' secrets; their values never come here. */
#include "gateway/handlers/handlers.h"
#include "system.pb-c.h"

static void on_secrets(struct api_call *call, const struct rpc_answer *answer)
{
    const Pb__SecretList *list = answer->message;
    struct api_answer response;
    api_list_begin(&response, call);
    for (size_t i = 0; i < list->n_secrets; i++) {
        json_begin_object(&response.json);
        json_put_text(&response.json, "name", str_from(list->secrets[i]->name));
        json_put_text(&response.json, "namespace", str_from(list->secrets[i]->namespace_));
        json_end_object(&response.json);
    }
    api_list_send(&response, "");
}

void secrets_list(struct api_call *call)
{
    Pb__ListSecrets message  = PB__LIST_SECRETS__INIT;
    message.namespace_       = api_namespace(call);
    const struct api_ask ask = {.service = &pb__system__descriptor,
                                .method  = "Secrets",
                                .message = &message,
                                .then    = on_secrets};
    api_ask_scheduler(call, &ask);
}
