/* Workers: who leases jobs. Users see their own and those of the suite, and may drain their own. */
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

/* The worker of the path; NULL: the call has been answered. */
static const Pb__WorkerStatus *found(struct api_call *call, const Pb__SystemStatus *state,
                                     unsigned missing, const struct rpc_answer *failed)
{
    for (size_t i = 0; state && i < state->n_workers; i++) {
        const Pb__WorkerStatus *worker = state->workers[i];
        if (is_shown(call, worker) && str_is(call->params[0], worker->name)) return worker;
    }
    if (missing > 0) { /* it may be known there */
        api_fail_answer(call, failed);
    } else {
        api_fail_with(call, "not_found", (str){}, "no worker of this name has been seen lately");
    }
    return NULL;
}

static void send(struct api_call *call, const Pb__WorkerStatus *worker, int http_status)
{
    struct api_answer response;
    api_answer_begin(&response, call);
    view_worker(&response.json, worker);
    api_answer_send(&response, http_status, NULL);
}

static void on_worker(struct api_call *call, const Pb__SystemStatus *state, unsigned missing,
                      const struct rpc_answer *failed)
{
    const Pb__WorkerStatus *worker = found(call, state, missing, failed);
    if (worker) send(call, worker, 200);
}

/* --- draining ----------------------------------------------------------------------------------
 */

/* The suite's own workers serve all namespaces. */
static bool may_drain(struct api_call *call)
{
    str namespace     = str_from(api_namespace(call));
    str name          = call->params[0];
    const char *colon = memchr(name.ptr, ':', name.len);
    if (str_is(namespace, "*")) return true;
    return colon && str_equal(namespace, str_slice(name, 0, (size_t)(colon - name.ptr)));
}

static void on_draining(struct api_call *call, const Pb__SystemStatus *state, unsigned missing,
                        const struct rpc_answer *failed)
{
    const Pb__WorkerStatus *worker = found(call, state, missing, failed);
    if (worker) send(call, worker, 202);
}

static void on_drained(struct api_call *call, const Pb__WorkerStatus *)
{
    fleet_ask_status(call, on_draining);
}

/* Which process is meant stands in the status: one that takes its place is another worker. */
static void on_known(struct api_call *call, const Pb__SystemStatus *state, unsigned missing,
                     const struct rpc_answer *failed)
{
    const Pb__WorkerStatus *worker = found(call, state, missing, failed);
    Pb__DrainWorkerRequest message = PB__DRAIN_WORKER_REQUEST__INIT;
    if (!worker) return;
    if (!may_drain(call)) {
        api_fail_with(call, "forbidden", (str){},
                      "worker %s serves all namespaces: it takes a key of all of them",
                      worker->name);
        return;
    }
    message.name     = worker->name;
    message.instance = worker->instance;
    fleet_drain_worker(call, &message, on_drained);
}

static void not_drained(struct api_call *call)
{
    api_fail_with(call, "not_found", (str){}, "no worker of this name is drained in namespace %s",
                  api_namespace(call));
}

static void on_resumed(struct api_call *call, const Pb__WorkerStatus *worker)
{
    if (worker) {
        api_respond(call, 204, NULL, (str){}, NULL, 0);
    } else {
        not_drained(call);
    }
}

void workers_drain(struct api_call *call)
{
    if (api_make_repeatable(call)) fleet_ask_status(call, on_known);
}

void workers_resume(struct api_call *call)
{
    Pb__DrainWorkerRequest message = PB__DRAIN_WORKER_REQUEST__INIT;
    if (!may_drain(call)) {
        not_drained(call);
        return;
    }
    message.name    = api_text(call, call->params[0]);
    message.resumes = true;
    fleet_drain_worker(call, &message, on_resumed);
}

/* --- what there is -----------------------------------------------------------------------------
 */

void workers_list(struct api_call *call)
{
    fleet_ask_status(call, on_workers);
}

void workers_get(struct api_call *call)
{
    fleet_ask_status(call, on_worker);
}
