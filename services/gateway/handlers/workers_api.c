/* Workers: who leases jobs. Users see their own and those of the suite. */
#include "gateway/api/view.h"
#include "gateway/fleet.h"
#include "gateway/handlers/handlers.h"

static bool is_shown(struct api_call *call, const Pb__WorkerStatus *worker)
{
    str namespace     = str_from(api_namespace(call));
    const char *colon = strchr(worker->name, ':');
    if (!colon || strcmp(worker->kind, "external") != 0 || str_is(namespace, "*")) return true;
    return str_equal(namespace, (str){worker->name, (size_t)(colon - worker->name)});
}

static void on_workers(struct api_call *call, const Pb__SystemStatus *state, unsigned,
                       const struct rpc_answer *failed)
{
    if (!state) {
        api_fail_answer(call, failed);
        return;
    }
    struct api_answer response;
    api_list_begin(&response, call);
    for (size_t i = 0; i < state->n_workers; i++) {
        if (is_shown(call, state->workers[i])) view_worker(&response.json, state->workers[i]);
    }
    api_list_send(&response, "");
}

static void on_worker(struct api_call *call, const Pb__SystemStatus *state, unsigned missing,
                      const struct rpc_answer *failed)
{
    for (size_t i = 0; state && i < state->n_workers; i++) {
        const Pb__WorkerStatus *worker = state->workers[i];
        if (!is_shown(call, worker) || !str_is(call->params[0], worker->name)) continue;
        struct api_answer response;
        api_answer_begin(&response, call);
        view_worker(&response.json, worker);
        api_answer_send(&response, 200, NULL);
        return;
    }
    if (missing > 0) { /* it may be known there */
        api_fail_answer(call, failed);
        return;
    }
    api_fail_with(call, "not_found", (str){}, "no worker of this name has been seen lately");
}

void workers_list(struct api_call *call)
{
    fleet_ask_status(call, on_workers);
}

void workers_get(struct api_call *call)
{
    fleet_ask_status(call, on_worker);
}
