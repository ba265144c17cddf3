/*
 * Each time that calls between two processes' worth of code ask for memory it is refused (trial.h):
 * while a server starts, a client opens, and calls go to and fro. The process may end, or a call
 * may be refused; no answer is wrong, every call is answered, and when there is memory again calls
 * work.
 *
 *     refused_rpc [--refusals N]
 *
 * N of them, evenly spread; without it each. Threads ask in no fixed order: N is a place, about.
 */
#include "base/mem.h"
#include "refusal/refusal.h"
#include "refusal/trial.h"
#include "support/echo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CALLS = 6, TIMEOUT_MS = 500, TIMEOUT_LAST_MS = 20'000, WRONG = 4 };

struct pair {
    struct echo echo;
    struct rpc_server *server;
    struct rpc_client *client;
};

static _Noreturn void wrong(const char *what, status code, const struct error *error)
{
    (void)fprintf(stderr, "%s: %s: %s\n", what, status_name(code), error->text);
    _exit(WRONG);
}

/* What a call may come to for want of memory somewhere. */
static bool is_excused(status code)
{
    return code == STATUS_RESOURCE_EXHAUSTED || code == STATUS_UNAVAILABLE ||
           code == STATUS_DEADLINE_EXCEEDED || code == STATUS_CANCELLED;
}

static status say(struct pair *pair, unsigned number, unsigned timeout_ms, struct error *reterr)
{
    Test__Saying message             = TEST__SAYING__INIT;
    struct rpc_answer *answer        = NULL;
    message.text                     = "hello";
    message.number                   = number;
    const struct rpc_request request = {.service        = &test__echo__descriptor,
                                        .method         = number % 2 ? "Write" : "Say",
                                        .message        = &message,
                                        .wait_for_ready = true,
                                        .timeout_ms     = timeout_ms};
    status code                      = rpc_client_ask(pair->client, &request, &answer, reterr);
    if (code == STATUS_OK) {
        const Test__Saying *response = answer->message;
        bool is_right = response->number == number && strcmp(response->text, "hello") == 0;
        if (!is_right) wrong("another answer", code, reterr);
    }
    rpc_answer_free(answer);
    return code;
}

static status pair_open(struct pair *pair, struct error *reterr)
{
    struct rpc_service services[2];
    char endpoint[RPC_ENDPOINT_MAX * 2];
    echo_init(&pair->echo);
    echo_services(&pair->echo, services);
    const struct rpc_server_options options = {
        .url      = "inproc://refused",
        .services = services,
        .contract = echo_contract,
        .hooks    = {.batch_end = echo_batch_end, .context = &pair->echo},
    };
    TRY(rpc_server_start(&options, &pair->server, reterr));
    (void)snprintf(endpoint, sizeof endpoint, "%s %s", rpc_server_url(pair->server),
                   rpc_server_long_url(pair->server));
    const struct rpc_client_options client = echo_client_options(endpoint);
    return rpc_client_open(&client, &pair->client, reterr);
}

static void pair_close(struct pair *pair)
{
    rpc_client_closep(&pair->client);
    rpc_server_stopp(&pair->server);
    echo_done(&pair->echo);
}

/* NNG 1.5 does not survive being refused memory where it opens a socket: it crashes where it cleans
 * up what is half made. So the pair is there before anything is refused. */
static void work(void *)
{
    struct error error = {};
    refusal_pause();
    struct pair *pair = mem_new(1, sizeof *pair);
    status code       = pair_open(pair, &error);
    if (code == STATUS_OK) code = say(pair, 0, TIMEOUT_LAST_MS, &error);
    if (code != STATUS_OK) wrong("with memory", code, &error);
    refusal_resume();
    for (unsigned i = 0; i < CALLS; i++) {
        code = say(pair, i, TIMEOUT_MS, &error);
        if (code != STATUS_OK && !is_excused(code)) wrong("a call", code, &error);
    }
    refusal_pause();
    code = say(pair, CALLS, TIMEOUT_LAST_MS, &error);
    if (code != STATUS_OK) wrong("with memory again", code, &error);
    pair_close(pair);
    free(pair);
}

int main(int argc, char **argv)
{
    bool has_count       = argc == 3 && strcmp(argv[1], "--refusals") == 0;
    struct trial_sum sum = {};
    if (argc > 1 && !has_count) {
        (void)fprintf(stderr, "usage: refused_rpc [--refusals N]\n");
        return 2;
    }
    trial_all("rpc", work, NULL, NULL, has_count ? strtoull(argv[2], NULL, 10) : 0, &sum);
    return trial_sum_print("rpc", &sum) ? 0 : 1;
}
