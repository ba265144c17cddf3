/* Connections that are tried out (tool_trial.h) for a gateway. */
#include "base/log.h"
#include "base/mem.h"
#include "tool-adapter/call/tool_service_internal.h"
#include "tool-adapter/call/tool_trial.h"
#include "tool.pb-c.h"

#include <stdlib.h>

/* A connection that is being tried out. */
struct testing {
    struct testing *next, *previous;
    struct tool_service *service;
    struct rpc_call *rpc;
    struct tool_trial *trial;
};

static void testing_free(struct testing *testing)
{
    if (testing->next) testing->next->previous = testing->previous;
    *(testing->previous ? &testing->previous->next : &testing->service->tests) = testing->next;
    testing->service->count--;
    free(testing);
}

void tool_service_drop_tests(struct tool_service *service)
{
    while (service->tests) {
        tool_trial_cancel(service->tests->trial);
        testing_free(service->tests);
    }
}

static Pb__ToolTrial *trial_view(struct rpc_call *rpc, const struct tool_trial_row *row)
{
    Pb__ToolTrial *view = arena_alloc(rpc->arena, sizeof *view);
    if (!view) return NULL;
    pb__tool_trial__init(view);
    const struct manifest *manifest = row->action->manifest;
    const char *function = arena_printf(rpc->arena, "%s.%s", manifest->name, row->action->name);
    view->function       = function ? function : "";
    view->class_         = outcome_class_name(row->class);
    view->skipped        = row->is_skipped;
    view->http_status    = (uint32_t)row->http_status;
    view->duration_ms    = row->duration_ms;
    view->error_json     = tool_service_document(rpc, row->error);
    return view;
}

static void on_tested(const struct tool_trial_result *result, void *context)
{
    struct testing *testing      = context;
    struct rpc_call *rpc         = testing->rpc;
    Pb__TestedToolConnection *to = rpc->response;
    to->connection               = result->connection->name;
    to->adapter                  = result->connection->manifest->name;
    to->trials = arena_alloc(rpc->arena, (result->count + 1) * sizeof *to->trials);
    for (size_t i = 0; to->trials && i < result->count; i++) {
        Pb__ToolTrial *view = trial_view(rpc, &result->rows[i]);
        if (view) to->trials[to->n_trials++] = view;
    }
    if (json_is(result->account, JSON_TEXT)) {
        const char *account = arena_strdup(rpc->arena, json_str(result->account));
        to->account         = account ? account : "";
    }
    log_write(LOG_INFO, "tool.connection_tested", LOG_TEXT_OF("connection", to->connection),
              LOG_STR("key", rpc->caller.key_id));
    rpc_reply(rpc, STATUS_OK, NULL);
    testing_free(testing);
}

static status answer_test(struct tool_service *service, struct rpc_call *rpc, struct error *reterr)
{
    const Pb__TestToolConnection *message = rpc->request;
    if (service->count >= TOOL_CALLS_MAX) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "more than %d calls at once",
                    TOOL_CALLS_MAX);
    }
    struct testing *testing = mem_new(1, sizeof *testing);
    *testing = (struct testing){.next = service->tests, .service = service, .rpc = rpc};
    if (testing->next) testing->next->previous = testing;
    service->tests = testing;
    service->count++;
    const struct tool_trial_request request = {.toolbox    = service->toolbox,
                                               .connection = str_from(message->connection),
                                               .namespace  = str_from(message->namespace_),
                                               .done       = on_tested,
                                               .context    = testing};
    struct tool_trial *trial                = NULL;
    status code = tool_trial_start(&service->means, &request, &trial, reterr);
    if (code != STATUS_OK) {
        testing_free(testing);
    } else if (trial) {
        testing->trial = trial; /* else it is gone */
    }
    return code;
}

status tool_service_handle_test(struct rpc_call *rpc, struct error *reterr)
{
    return tool_service_post(rpc, answer_test, reterr);
}
