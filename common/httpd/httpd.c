#include "httpd/httpd.h"

#include "base/assert.h"
#include "base/mem.h"
#include "httpd/server_internal.h"

#include <stdlib.h>

static void fill_defaults(struct httpd_options *options)
{
    if (options->connections_max == 0) options->connections_max = HTTPD_CONNECTIONS_MAX;
    if (options->body_budget == 0) options->body_budget = HTTPD_BODY_BUDGET;
    if (options->head_ms == 0) options->head_ms = HTTPD_HEAD_MS;
    if (options->body_ms == 0) options->body_ms = HTTPD_BODY_MS;
    if (options->idle_ms == 0) options->idle_ms = HTTPD_IDLE_MS;
    if (options->write_ms == 0) options->write_ms = HTTPD_WRITE_MS;
    if (options->comment_ms == 0) options->comment_ms = HTTPD_COMMENT_MS;
}

status httpd_start(const struct httpd_options *options, struct httpd **ret_httpd,
                   struct error *reterr)
{
    ASSERT(options->loop_count >= 1 && options->loop_count <= HTTPD_LOOPS_MAX);
    ASSERT(options->handlers.route != NULL);
    ASSERT(options->handlers.handle != NULL);
    size_t size = sizeof(struct httpd) + options->loop_count * sizeof(struct worker);
    CLEANUP(httpd_freep) struct httpd *httpd = mem_new(1, size);
    httpd->options                           = *options;
    fill_defaults(&httpd->options);
    httpd->budget       = budget_new(httpd->options.body_budget);
    httpd->port         = options->port;
    httpd->worker_count = options->loop_count;
    for (uint32_t i = 0; i < options->loop_count; i++) {
        TRY(worker_listen(&httpd->workers[i], httpd, i, reterr));
    }
    *ret_httpd = TAKE(httpd);
    return STATUS_OK;
}

uint16_t httpd_port(const struct httpd *httpd)
{
    return httpd->port;
}

static void notify_all(struct httpd *httpd)
{
    for (size_t i = 0; i < httpd->worker_count; i++) {
        loop_notify(httpd->workers[i].loop, &httpd->workers[i].notice);
    }
}

void httpd_drain(struct httpd *httpd)
{
    atomic_store(&httpd->is_draining, true);
    notify_all(httpd);
}

void httpd_stop(struct httpd *httpd)
{
    atomic_store(&httpd->is_stopped, true);
    notify_all(httpd);
}

size_t httpd_connections(const struct httpd *httpd)
{
    return atomic_load(&httpd->counters.open);
}

void httpd_free(struct httpd *httpd)
{
    if (!httpd) return;
    for (size_t i = 0; i < httpd->worker_count; i++) worker_done(&httpd->workers[i]);
    ASSERT(atomic_load(&httpd->counters.open) == 0);
    budget_unref(httpd->budget);
    free(httpd);
}

void httpd_freep(struct httpd **httpd)
{
    httpd_free(*httpd);
    *httpd = NULL;
}

static void post(struct httpd *httpd, const struct message *message)
{
    if (message->handle.generation == 0) {
        httpd_buffer_unref(message->answer.buffer);
        return;
    }
    ASSERT(message->handle.loop < httpd->worker_count);
    worker_post(&httpd->workers[message->handle.loop], message);
}

void httpd_respond(struct httpd *httpd, struct httpd_handle handle,
                   const struct httpd_response *response)
{
    const struct message message = {
        .kind   = MESSAGE_ANSWER,
        .handle = handle,
        .answer = answer_encode(response, false),
    };
    post(httpd, &message);
}

void httpd_stream_start(struct httpd *httpd, struct httpd_handle handle,
                        const struct httpd_response *response, bool has_comments)
{
    const struct message message = {
        .kind         = MESSAGE_START,
        .handle       = handle,
        .answer       = answer_encode(response, true),
        .has_comments = has_comments,
    };
    post(httpd, &message);
}

void httpd_stream_give(struct httpd *httpd, struct httpd_handle handle, struct httpd_buffer *buffer,
                       enum httpd_send how)
{
    const struct message message = {
        .kind = MESSAGE_SEND, .handle = handle, .answer = {.buffer = buffer}, .how = how};
    post(httpd, &message);
}

void httpd_stream_send(struct httpd *httpd, struct httpd_handle handle, struct httpd_buffer *buffer,
                       enum httpd_send how)
{
    httpd_stream_give(httpd, handle, httpd_buffer_ref(buffer), how);
}

void httpd_stream_end(struct httpd *httpd, struct httpd_handle handle)
{
    const struct message message = {.kind = MESSAGE_END, .handle = handle};
    post(httpd, &message);
}

struct httpd_stats httpd_stats(const struct httpd *httpd)
{
    const struct counters *counters = &httpd->counters;
    return (struct httpd_stats){
        .connections      = atomic_load(&counters->connections),
        .requests         = atomic_load(&counters->requests),
        .refused          = atomic_load(&counters->refused),
        .streams_closed   = atomic_load(&counters->streams_closed),
        .sends_dropped    = atomic_load(&counters->sends_dropped),
        .connections_open = atomic_load(&counters->open),
        .body_bytes       = atomic_load(&httpd->budget->used),
    };
}
