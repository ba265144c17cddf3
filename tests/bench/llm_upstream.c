/*
 * A model for measuring what stands before it: OpenAI's chat completions, as fast as they can be
 * said, on one thread.
 *
 *   llm_upstream PORT [LATENCY_MS] [EVENTS] [GAP_MS] [HOST]   0, 100, 0 and 127.0.0.1 by default
 *
 * Answers any POST, after LATENCY_MS, with a short answer; a body that holds `"stream":true` with a
 * stream of EVENTS pieces of text, GAP_MS apart, the reason to end, the usage and [DONE]. PORT 0:
 * any free one; it says which.
 */
#include "base/assert.h"
#include "base/mem.h"
#include "base/process.h"
#include "httpd/httpd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BODY_MAX = 4 << 20, PIECES = 10, PIECE_MAX = 512 };

struct upstream {
    struct loop *loop;
    struct httpd *httpd;
    int64_t latency_ms, gap_ms;
    unsigned events;
    struct httpd_buffer *pieces[PIECES], *last;
};

/* An answer that waits, or a stream that goes on. */
struct said {
    struct upstream *upstream;
    struct httpd_handle handle;
    struct loop_timer timer;
    bool is_stream, has_begun;
    unsigned left; /* events */
};

#define USAGE "\"usage\":{\"prompt_tokens\":120,\"completion_tokens\":100,\"total_tokens\":220}"
#define CHUNK                                                                                      \
    "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,"    \
    "\"model\":\"m\",\"system_fingerprint\":\"f\",\"choices\":["

static const char answer[] =
    "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"created\":1700000000,\"model\":\"m\","
    "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"The quick brown "
    "fox jumps over the lazy dog.\",\"refusal\":null},\"logprobs\":null,\"finish_reason\":"
    "\"stop\"}]," USAGE ",\"system_fingerprint\":\"f\"}";

static const char last[] =
    CHUNK "{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":\"stop\"}]}\n\n" CHUNK
          "]," USAGE "}\n\ndata: [DONE]\n\n";

static void make_pieces(struct upstream *upstream)
{
    static const char *const words[PIECES] = {"The",   " quick", " brown", " fox",  " jumps",
                                              " over", " the",   " lazy",  " dog,", " and"};
    for (int i = 0; i < PIECES; i++) {
        char text[PIECE_MAX];
        (void)snprintf(text, sizeof text,
                       "%s{\"index\":0,\"delta\":{\"content\":\"%s\"},\"logprobs\":null,"
                       "\"finish_reason\":null}]}\n\n",
                       CHUNK, words[i]);
        upstream->pieces[i] = httpd_buffer_new(str_from(text));
    }
    upstream->last = httpd_buffer_new(str_from(last));
}

static void respond(const struct said *said, bool is_stream)
{
    const struct httpd_field fields[] = {
        {str_from("Content-Type"), str_from(is_stream ? "text/event-stream" : "application/json")}};
    struct httpd_response response = {.http_status = 200, .fields = fields, .field_count = 1};
    struct httpd *httpd            = said->upstream->httpd;
    if (is_stream) {
        httpd_stream_start(httpd, said->handle, &response, false);
    } else {
        response.body = str_from(answer);
        httpd_respond(httpd, said->handle, &response);
    }
}

/* Says the next event, or all of them. True: it is over. */
static bool go_on(struct said *said)
{
    struct upstream *upstream = said->upstream;
    if (!said->has_begun) respond(said, true);
    said->has_begun = true;
    while (said->left > 0) {
        httpd_stream_send(upstream->httpd, said->handle, upstream->pieces[said->left-- % PIECES],
                          HTTPD_MUST);
        if (upstream->gap_ms > 0 && said->left > 0) return false;
    }
    httpd_stream_send(upstream->httpd, said->handle, upstream->last, HTTPD_MUST);
    httpd_stream_end(upstream->httpd, said->handle);
    return true;
}

static void on_timer(void *context)
{
    struct said *said = context;
    bool is_over      = true;
    if (said->is_stream) {
        is_over = go_on(said);
    } else {
        respond(said, false);
    }
    if (is_over) {
        free(said);
        return;
    }
    loop_timer_set(said->upstream->loop, &said->timer,
                   loop_now_ms(said->upstream->loop) + said->upstream->gap_ms);
}

static bool route(struct httpd_handle, const struct httpd_request *, struct httpd_route *ret_route,
                  void *)
{
    ret_route->body_max = BODY_MAX;
    return true;
}

static void handle(struct httpd_handle handle, struct httpd_request *request, void *, void *context)
{
    static const char wish[]  = "\"stream\":true";
    struct upstream *upstream = context;
    struct said *said         = mem_new(1, sizeof *said);
    *said                     = (struct said){
                            .upstream  = upstream,
                            .handle    = handle,
                            .is_stream = memmem(request->body.ptr, request->body.len, wish, sizeof wish - 1) != NULL,
                            .left      = upstream->events};
    said->timer = (struct loop_timer){.fire = on_timer, .context = said};
    httpd_request_free(request);
    if (upstream->latency_ms > 0) {
        loop_timer_set(upstream->loop, &said->timer,
                       loop_now_ms(upstream->loop) + upstream->latency_ms);
    } else {
        on_timer(said);
    }
}

static long argument(int argc, char **argv, int at, long otherwise)
{
    return argc > at ? strtol(argv[at], NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
    struct upstream upstream = {.latency_ms = argument(argc, argv, 2, 0),
                                .events     = (unsigned)argument(argc, argv, 3, 100),
                                .gap_ms     = argument(argc, argv, 4, 0)};
    struct error error       = {};
    ASSERT(process_block_signals(NULL) == STATUS_OK);
    ASSERT(loop_new(NULL, &upstream.loop, NULL) == STATUS_OK);
    make_pieces(&upstream);
    const struct httpd_options options = {
        .host       = argc > 5 ? argv[5] : "127.0.0.1",
        .port       = (uint16_t)argument(argc, argv, 1, 0),
        .loops      = &upstream.loop,
        .loop_count = 1,
        .handlers   = {.route = route, .handle = handle},
        .context    = &upstream,
    };
    if (httpd_start(&options, &upstream.httpd, &error) != STATUS_OK) {
        (void)fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    ASSERT(loop_start(upstream.loop, "model", NULL) == STATUS_OK);
    (void)printf("port %u\n", (unsigned)httpd_port(upstream.httpd));
    (void)fflush(stdout);
    ASSERT(process_wait_for_stop(NULL) == STATUS_OK);
    loop_stop(upstream.loop);
    loop_join(upstream.loop);
    httpd_freep(&upstream.httpd);
    loop_freep(&upstream.loop);
    for (int i = 0; i < PIECES; i++) httpd_buffer_unref(upstream.pieces[i]);
    httpd_buffer_unref(upstream.last);
    return 0;
}
