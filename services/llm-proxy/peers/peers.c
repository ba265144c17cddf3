#include "llm-proxy/peers/peers_internal.h"

#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* To one of them. */
struct question {
    struct round *round;
    uint16_t peer;
    struct rpc_answer *answer; /* owned, once it is there */
    struct loop_notice notice; /* of that */
    struct question *previous, *next;
};

/* --- life --------------------------------------------------------------------------------------
 */

status peers_open(const struct peers_options *options, struct peers **ret_peers,
                  struct error *reterr)
{
    static const ProtobufCServiceDescriptor *const services[] = {&pb__llm_peers__descriptor, NULL};
    CLEANUP(peers_freep) struct peers *peers                  = mem_new(1, sizeof *peers);
    peers->loop                                               = options->loop;
    peers->answers                                            = options->answers;
    peers->vault                                              = options->vault;
    peers->wait_ms                                            = options->wait_ms;
    const struct rpc_client_options client                    = {.endpoints = options->endpoints,
                                                                 .choice    = RPC_OWNER,
                                                                 .services  = services,
                                                                 .identity  = options->identity,
                                                                 .tls       = options->tls};
    if (options->endpoints && *options->endpoints) {
        TRY(rpc_client_open(&client, &peers->client, reterr));
        peers->count = rpc_client_target_count(peers->client);
    }
    if (peers->count > PEERS_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "llm.peers: over %d endpoints", PEERS_MAX);
    }
    *ret_peers = TAKE(peers);
    return STATUS_OK;
}

void peers_set_worker(struct peers *peers, const char *name)
{
    (void)snprintf(peers->worker, sizeof peers->worker, "%s", name);
}

static void question_free(struct question *question)
{
    struct peers *peers = question->round->peers;
    if (question->previous) question->previous->next = question->next;
    if (question->next) question->next->previous = question->previous;
    if (peers->questions == question) peers->questions = question->next;
    rpc_answer_free(question->answer);
    free(question);
}

void peers_close(struct peers *peers)
{
    if (!peers) return;
    rpc_client_closep(&peers->client); /* after the last answers */
    while (peers->questions) {
        struct question *question = peers->questions;
        struct round *round       = question->round;
        loop_notice_clear(peers->loop, &question->notice);
        question_free(question);
        round->is_dropped = true;
        if (--round->open == 0) round->ended(round);
    }
}

void peers_freep(struct peers **ref)
{
    if (!*ref) return;
    peers_close(*ref);
    free(*ref);
    *ref = NULL;
}

/* --- rounds ------------------------------------------------------------------------------------
 */

static void note_absence(struct peers *peers, uint16_t index)
{
    struct peer *peer = &peers->list[index];
    if (peer->is_given_up || rpc_client_is_connected(peers->client, index)) return;
    peer->is_given_up = true;
    log_write(LOG_WARN, "llm.peer_given_up: it is not waited for until it is back",
              LOG_INT("peer", index));
}

static void on_loop(void *context)
{
    struct question *question = context;
    struct round *round       = question->round;
    struct peers *peers       = round->peers;
    struct peer *peer         = &peers->list[question->peer];
    if (question->answer->code == STATUS_OK) {
        peer->is_given_up = false;
    } else {
        note_absence(peers, question->peer);
    }
    if (!round->is_dropped) round->said(round, peer, question->answer);
    question_free(question);
    if (--round->open == 0) round->ended(round);
}

/* A notice cannot be refused as a post can. */
static void on_answer(const struct rpc_answer *answer, void *context)
{
    struct question *question = context;
    struct loop *loop         = question->round->peers->loop;
    question->answer          = rpc_answer_keep(answer);
    loop_notify(loop, &question->notice);
}

/* Says whether that worker is known, and here: nobody who is away can be it. */
static bool is_here(const struct peers *peers, const char *worker)
{
    if (strcmp(peers->worker, worker) == 0) return true;
    for (uint16_t i = 0; i < peers->count; i++) {
        bool is_it = strcmp(peers->list[i].worker, worker) == 0;
        if (is_it && rpc_client_is_connected(peers->client, i)) return true;
    }
    return false;
}

static bool is_waited_for(const struct peers *peers, uint16_t index,
                          const struct round_question *asked)
{
    bool may_have_held = *asked->last_holder && !is_here(peers, asked->last_holder);
    bool is_wanted     = !peers->list[index].is_given_up || may_have_held;
    if (!asked->waits || !is_wanted || peers->wait_ms == 0) return false;
    log_write(LOG_INFO, "llm.peer_awaited", LOG_INT("peer", index));
    return true;
}

static void ask(struct round *round, uint16_t index, const struct round_question *asked)
{
    struct peers *peers              = round->peers;
    struct question *question        = mem_new(1, sizeof *question);
    bool is_there                    = rpc_client_is_connected(peers->client, index);
    bool waits                       = !is_there && is_waited_for(peers, index, asked);
    question->round                  = round;
    question->peer                   = index;
    question->notice                 = (struct loop_notice){.run = on_loop, .context = question};
    question->next                   = peers->questions;
    const struct rpc_request request = {.service        = &pb__llm_peers__descriptor,
                                        .method         = asked->method,
                                        .message        = asked->message,
                                        .partition      = index,
                                        .timeout_ms     = waits ? peers->wait_ms : asked->answer_ms,
                                        .wait_for_ready = is_there || waits,
                                        .done           = on_answer,
                                        .context        = question};
    if (rpc_client_call(peers->client, &request, NULL, NULL) != STATUS_OK) {
        free(question);
        return;
    }
    if (question->next) question->next->previous = question;
    peers->questions = question;
    round->open++;
}

bool round_begin(struct round *round, const struct round_question *question)
{
    /* NOLINTNEXTLINE(bugprone-too-small-loop-variable): at most PEERS_MAX */
    for (uint16_t i = 0; i < round->peers->count; i++) ask(round, i, question);
    return round->open > 0;
}
