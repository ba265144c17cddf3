/* What is in a run: its tasks and its variables. */
#include "gateway/api/paging.h"
#include "gateway/api/view.h"
#include "gateway/handlers/handlers.h"
#include "run.pb-c.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { TOKEN_SIZE = 24, VALUE_MAX = 1 << 20 /* bytes */ };

static void ask(struct api_call *call, const char *method, const void *message, api_then *then)
{
    api_ask_owner(call, &pb__runs__descriptor, method, message, then);
}

/* --- tasks -------------------------------------------------------------------------------------
 */

static void view_task(struct json_writer *w, const Pb__TaskView *task)
{
    json_begin_object(w);
    json_put_text(w, "task", str_from(task->task));
    view_text_if(w, "iteration", task->iteration);
    json_put_text(w, "state", str_from(task->state));
    json_put_int(w, "attempts", task->attempts);
    view_text_if(w, "job", task->job);
    json_put_time(w, "started_at", task->started_us);
    if (task->ended_us > 0) json_put_time(w, "ended_at", task->ended_us);
    json_put_int(w, "sequence", (int64_t)task->sequence);
    view_json_if(w, "input", task->input_json);
    view_json_if(w, "output", task->output_json);
    view_json_if(w, "error", task->error_json);
    json_end_object(w);
}

static void on_tasks(struct api_call *call, const struct rpc_answer *answer)
{
    const Pb__TaskList *list = answer->message;
    struct api_answer response;
    api_list_begin(&response, call);
    for (size_t i = 0; i < list->n_tasks; i++) view_task(&response.json, list->tasks[i]);
    char token[TOKEN_SIZE] = "";
    if (list->has_more && list->n_tasks > 0) {
        uint64_t last = list->tasks[list->n_tasks - 1]->sequence;
        (void)snprintf(token, sizeof token, "%" PRIu64, last);
    }
    api_list_send(&response, token);
}

void runs_tasks(struct api_call *call)
{
    Pb__ListTasks message = PB__LIST_TASKS__INIT;
    const char *token     = "";
    str task              = {};
    if (!api_read_page(call, &message.count_max, &token)) return;
    if (strspn(token, "0123456789") != strlen(token) || strlen(token) > 18) {
        api_fail_with(call, "invalid_page_token", (str){}, "page_token: not one of ours");
        return;
    }
    if (api_query(call, "task", &task)) message.task = task.ptr;
    message.after      = strtoull(token, NULL, 10);
    message.id         = api_text(call, call->params[0]);
    message.namespace_ = api_namespace(call);
    ask(call, "Tasks", &message, on_tasks);
}

/* --- variables ---------------------------------------------------------------------------------
 */

static void on_variables(struct api_call *call, const struct rpc_answer *answer)
{
    const Pb__RunVariables *variables = answer->message;
    struct api_answer response;
    api_answer_begin(&response, call);
    json_begin_object(&response.json);
    view_json_if(&response.json, "variables", variables->context_json);
    json_put_int(&response.json, "last_sequence", (int64_t)variables->last_sequence);
    json_end_object(&response.json);
    api_answer_send_tagged(&response, 200, variables->last_sequence);
}

void runs_variables(struct api_call *call)
{
    Pb__GetRun message = PB__GET_RUN__INIT;
    message.id         = api_text(call, call->params[0]);
    message.namespace_ = api_namespace(call);
    ask(call, "Variables", &message, on_variables);
}

void runs_set_variable(struct api_call *call)
{
    CLEANUP(buf_done) struct buf value = buf_init(VALUE_MAX);
    Pb__SetRunVariable message         = PB__SET_RUN_VARIABLE__INIT;
    if (!api_match(call, "run", &message.last_sequence) ||
        !api_print(call, json_get_text(call->body, "value"), &value)) {
        return;
    }
    message.id         = api_text(call, call->params[0]);
    message.namespace_ = api_namespace(call);
    message.name       = api_text(call, call->params[1]);
    message.by         = call->identity.name;
    message.value_json = (ProtobufCBinaryData){.data = (uint8_t *)value.ptr, .len = value.len};
    ask(call, "SetVariable", &message, on_variables);
}
