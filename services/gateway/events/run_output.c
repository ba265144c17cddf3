#include "gateway/events/run_output.h"

#include "base/mem.h"
#include "gateway/runs/job_tokens.h"

#include <inttypes.h>
#include <stdlib.h>

enum { PACE_SIZE = 16 << 10 /* bytes sent before we wait for the client to take them */ };

struct run_output {
    struct api_call *call;
    const uint64_t *position;
    struct job_tokens *tokens;
    struct buf unsent;
    size_t paced;
    bool is_behind; /* something did not fit */
};

static void send(struct run_output *output)
{
    struct api_call *call = output->call;
    if (output->unsent.len == 0 || atomic_load(&call->is_slow) || api_call_is_gone(call)) return;
    enum httpd_send how = HTTPD_MUST;
    output->paced += output->unsent.len;
    if (output->paced >= PACE_SIZE) {
        output->paced = 0;
        how           = HTTPD_PACED;
        atomic_store(&call->is_slow, true); /* until the server tells otherwise */
    }
    str frames                                               = buf_str(&output->unsent);
    CLEANUP(httpd_buffer_unrefp) struct httpd_buffer *buffer = httpd_buffer_new(frames);
    httpd_stream_send(call->api->httpd, call->handle, buffer, how);
    buf_clear(&output->unsent);
}

static void put(struct run_output *output, const char *event, const struct job_token *token,
                str data)
{
    (void)buf_printf(&output->unsent,
                     "id: %" PRIu64 "~" STR_FMT "\nevent: %s\ndata: " STR_FMT "\n\n",
                     *output->position, STR_ARG(token->place), event, STR_ARG(data));
}

static void take(const struct job_token *token, void *context)
{
    struct run_output *output = context;
    size_t before             = output->unsent.len;
    if (output->is_behind) put(output, "gap", token, str_from("{}"));
    put(output, token->is_gap ? "gap" : "job.output", token, token->data);
    output->is_behind = output->unsent.is_full;
    if (output->is_behind) { /* all of it, or nothing */
        output->unsent.is_full = false;
        output->unsent.len     = before;
        if (output->unsent.ptr) output->unsent.ptr[before] = '\0';
    }
    send(output);
}

struct run_output *run_output_new(struct api_call *call, const char *run, const uint64_t *position)
{
    struct run_output *output = mem_new(1, sizeof *output);
    output->call              = call;
    output->position          = position;
    output->unsent            = buf_init(RUN_OUTPUT_UNSENT_MAX);
    output->tokens            = job_tokens_new(call->api, run, take, output);
    return output;
}

void run_output_free(struct run_output *output)
{
    if (!output) return;
    job_tokens_free(output->tokens);
    buf_done(&output->unsent);
    free(output);
}

void run_output_ask(struct run_output *output)
{
    if (output) job_tokens_ask(output->tokens);
}

void run_output_resume(struct run_output *output)
{
    if (output) send(output);
}
