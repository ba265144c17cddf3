#include "tool-adapter/peers/mcp_ear.h"

#include "base/mem.h"

#include <stdlib.h>

struct mcp_ear {
    struct mcp_call *call;
    struct errand *errand; /* NULL: it has ended */
    struct rpc_reply reply;
};

/* The call that waited goes out. */
static void let_go(const struct mcp_ear *ear)
{
    struct mcp_call *call = ear->call;
    bool waits            = call->step == MCP_STEP_INITIALIZED && loop_timer_is_set(&call->pause);
    if (waits) mcp_call_send_soon(call, MCP_STEP_ASK, 0);
}

static status prepare(str, struct http_request *ret_request, void *context, struct error *reterr)
{
    const struct mcp_ear *ear = context;
    return mcp_call_request(ear->call, "", ret_request, reterr);
}

static enum http_flow on_headers(const struct http_answer *answer, void *context)
{
    struct mcp_ear *ear = context;
    str type            = {};
    (void)http_answer_header(answer, "content-type", &type);
    rpc_reply_begin(&ear->reply, type);
    if (answer->http_status != 200 || ear->reply.form != RPC_STREAM) return HTTP_STOP;
    let_go(ear);
    return HTTP_GO_ON;
}

static enum http_flow on_data(str data, void *context)
{
    struct mcp_ear *ear = context;
    return rpc_reply_feed(&ear->reply, data, NULL) == STATUS_OK ? HTTP_GO_ON : HTTP_STOP;
}

static void on_done(const struct errand_result *, void *context)
{
    struct mcp_ear *ear = context;
    ear->errand         = NULL;
    let_go(ear);
}

bool mcp_ear_open(struct mcp_call *call)
{
    if (!call->request.answers || !*call->session || call->ear) return false;
    struct mcp_ear *ear = mem_new(1, sizeof *ear);
    ear->call           = call;
    call->ear           = ear;
    rpc_reply_init(&ear->reply, -1, MCP_ANSWER_MAX, mcp_call_take_message, call); /* to nothing */
    mcp_call_send_soon(call, MCP_STEP_ASK, MCP_EAR_MS);
    struct errand *errand = mcp_call_errand(call, (struct errand_options){.prepare    = prepare,
                                                                          .on_headers = on_headers,
                                                                          .on_data    = on_data,
                                                                          .done       = on_done,
                                                                          .context    = ear});
    if (errand) ear->errand = errand; /* else it is over */
    return true;
}

void mcp_ear_close(struct mcp_call *call)
{
    struct mcp_ear *ear = TAKE(call->ear);
    if (!ear) return;
    if (ear->errand) errand_cancel(ear->errand);
    rpc_reply_done(&ear->reply);
    free(ear);
}
