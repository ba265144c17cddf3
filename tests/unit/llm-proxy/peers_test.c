/* Two llm-proxies that ask each other, over a real transport, on one loop. */
#include "llm-proxy/peers/peers_internal.h"

#include "base/attr.h"
#include "base/mem.h"
#include "peer.pb-c.h"

#include "cmocka.h"

#include <stdio.h>
#include <stdlib.h>

enum { TURN_MS = 100, TEXT_SIZE = 32, LARGE = 17 << 20, WAIT_MS = 50, PATIENT_MS = 60'000 };

struct proxy {
    struct answers *answers;
    struct vault *vault;
    struct peers *peers;
    struct rpc_server *server;
    struct answers_claim claim;
    struct peers_search *search;
    bool is_told, is_recalled;
    enum answers_verdict verdict;
    char text[TEXT_SIZE];
};

struct world {
    struct loop *loop;
    char url[2][RPC_ENDPOINT_MAX];
    struct proxy proxies[2];
    int written;
};

static void print_interrupted(Pb__LlmOperation, struct buf *)
{
    /* There are no streams here. */
}

static void serve(struct world *world, int index)
{
    struct proxy *proxy                 = &world->proxies[index];
    struct error error                  = {};
    const struct rpc_service services[] = {
        {&pb__llm_peers__descriptor, peers_methods, proxy->peers}, {}};
    const struct rpc_server_options server = {
        .url = world->url[index], .services = services, .drain_ms = 100};
    if (rpc_server_start(&server, &proxy->server, &error) != STATUS_OK) fail_msg("%s", error.text);
}

/* The second one serves only if it `is_there`. */
static struct world *begin(bool is_there, int64_t wait_ms)
{
    static unsigned number;
    struct world *world = test_calloc(1, sizeof *world);
    char both[2 * RPC_ENDPOINT_MAX];
    number++;
    assert_int_equal(loop_new(NULL, &world->loop, NULL), STATUS_OK);
    for (int i = 0; i < 2; i++) {
        (void)snprintf(world->url[i], RPC_ENDPOINT_MAX, "inproc://peers-%u-%d", number, i);
    }
    (void)snprintf(both, sizeof both, "%s,%s", world->url[0], world->url[1]);
    for (int i = 0; i < 2; i++) {
        struct proxy *proxy                  = &world->proxies[i];
        const struct answers_options answers = {.loop              = world->loop,
                                                .print_interrupted = print_interrupted};
        assert_int_equal(answers_open(&answers, &proxy->answers, NULL), STATUS_OK);
        proxy->vault                       = vault_new((uint64_t)i + 1, 0);
        const struct peers_options options = {.endpoints = both,
                                              .wait_ms   = wait_ms,
                                              .loop      = world->loop,
                                              .answers   = proxy->answers,
                                              .vault     = proxy->vault};
        assert_int_equal(peers_open(&options, &proxy->peers, NULL), STATUS_OK);
        peers_set_worker(proxy->peers, i == 0 ? "first" : "second");
        if (i == 0 || is_there) serve(world, i);
    }
    return world;
}

static void end(struct world *world)
{
    for (int i = 0; i < 2; i++) rpc_server_stopp(&world->proxies[i].server);
    for (int i = 0; i < 2; i++) peers_close(world->proxies[i].peers);
    loop_turn(world->loop, 0); /* what was posted meanwhile */
    for (int i = 0; i < 2; i++) {
        struct proxy *proxy = &world->proxies[i];
        answers_unclaim(&proxy->claim);
        answers_stop(proxy->answers);
        answers_freep(&proxy->answers);
        peers_freep(&proxy->peers);
        vault_freep(&proxy->vault);
    }
    loop_freep(&world->loop);
    test_free(world);
}

static void on_found(enum answers_verdict verdict, const Pb__KeptAnswer *kept, void *context)
{
    struct proxy *proxy = context;
    proxy->search       = NULL;
    proxy->is_told      = true;
    proxy->verdict      = verdict;
    if (verdict != ANSWERS_CLAIMED) answers_unclaim(&proxy->claim); /* nothing is bought here */
    if (kept) {
        (void)snprintf(proxy->text, TEXT_SIZE, "%.*s", (int)kept->body.len, kept->body.data);
    }
}

/* `key` and `asked` are one letter each. */
static void claim(struct proxy *proxy, char key, char asked)
{
    Pb__KeptAnswer *kept = NULL;
    void *owner          = NULL;
    answers_unclaim(&proxy->claim);
    proxy->claim = (struct answers_claim){};
    memset(proxy->claim.name, key, SHA256_SIZE);
    memset(proxy->claim.request, asked, SHA256_SIZE);
    assert_int_equal(answers_claim(proxy->answers, &proxy->claim, &kept, &owner), ANSWERS_CLAIMED);
}

static void seek(struct proxy *proxy, const char *last_holder)
{
    proxy->is_told = false;
    proxy->search  = peers_seek(proxy->peers, &proxy->claim, last_holder, on_found, proxy);
    assert_non_null(proxy->search);
}

static enum answers_verdict told(struct world *world, struct proxy *proxy)
{
    while (!proxy->is_told) loop_turn(world->loop, TURN_MS);
    while (proxy->peers->questions) loop_turn(world->loop, TURN_MS); /* the search is freed */
    return proxy->verdict;
}

static void on_kept(bool is_kept, void *context)
{
    struct world *world = context;
    assert_true(is_kept);
    world->written++;
}

static void keep(struct world *world, struct proxy *proxy, char key, bytes body)
{
    Pb__KeptAnswer kept = PB__KEPT_ANSWER__INIT;
    int written         = world->written;
    claim(proxy, key, 'a');
    kept.number  = answers_next_number(proxy->answers);
    kept.name    = (ProtobufCBinaryData){.data = proxy->claim.name, .len = SHA256_SIZE};
    kept.request = (ProtobufCBinaryData){.data = proxy->claim.request, .len = SHA256_SIZE};
    kept.body    = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)body.ptr, .len = body.len};
    answers_keep(proxy->answers, &kept, on_kept, world);
    while (world->written == written) loop_turn(world->loop, TURN_MS);
    answers_unclaim(&proxy->claim);
}

static void answers_of_the_other_one(void **)
{
    struct world *world  = begin(true, PATIENT_MS);
    struct proxy *first  = &world->proxies[0];
    struct proxy *second = &world->proxies[1];
    claim(first, 'k', 'a');
    seek(first, "");
    assert_int_equal(told(world, first), ANSWERS_CLAIMED); /* nobody, and not ourselves */

    claim(second, 'r', 'a');
    claim(first, 'r', 'a');
    seek(first, "");
    assert_int_equal(told(world, first), ANSWERS_RUNNING);
    claim(first, 'r', 'b');
    seek(first, "");
    assert_int_equal(told(world, first), ANSWERS_OTHER);

    keep(world, second, 'k', bytes_from(str_from("bought")));
    claim(first, 'k', 'a');
    seek(first, "second");
    assert_int_equal(told(world, first), ANSWERS_KEPT);
    assert_string_equal(first->text, "bought");
    claim(first, 'k', 'b');
    seek(first, "");
    assert_int_equal(told(world, first), ANSWERS_OTHER);
    assert_string_equal(first->peers->list[1].worker, "second");
    end(world);
}

static void one_of_two_that_ask_goes_on(void **)
{
    struct world *world  = begin(true, PATIENT_MS);
    struct proxy *first  = &world->proxies[0];
    struct proxy *second = &world->proxies[1];
    for (int round = 0; round < 10; round++) {
        claim(first, 'k', 'a');
        claim(second, 'k', 'a');
        seek(first, "");
        seek(second, "");
        bool first_buys  = told(world, first) == ANSWERS_CLAIMED;
        bool second_buys = told(world, second) == ANSWERS_CLAIMED;
        bool is_before =
            strcmp(answers_replica(first->answers), answers_replica(second->answers)) < 0;
        assert_int_equal(first_buys, is_before);
        assert_int_equal(second_buys, !is_before);
        assert_int_equal(first_buys ? second->verdict : first->verdict, ANSWERS_RUNNING);
    }
    end(world);
}

/* It was asked before it has claimed the key itself: both have heard that nobody has it. */
static void who_gives_way_does_not_buy(void **)
{
    struct world *world = begin(true, PATIENT_MS);
    struct proxy *first = &world->proxies[0];
    Pb__KeptAnswer *no  = NULL;
    claim(first, 'k', 'a');
    answers_begin_asking(first->answers, first->claim.name);
    assert_int_equal(
        answers_tell(first->answers, "zzz", first->claim.name, first->claim.request, &no),
        ANSWERS_RUNNING);
    assert_int_equal(answers_tell(first->answers, "", first->claim.name, first->claim.request, &no),
                     ANSWERS_CLAIMED);
    assert_false(answers_end_asking(first->answers, first->claim.name));

    claim(first, 'l', 'a'); /* who buys gives way to nobody */
    answers_begin_asking(first->answers, first->claim.name);
    assert_true(answers_end_asking(first->answers, first->claim.name));
    assert_int_equal(answers_tell(first->answers, "", first->claim.name, first->claim.request, &no),
                     ANSWERS_RUNNING);
    end(world);
}

static void who_is_away_is_given_up_and_comes_back(void **)
{
    struct world *world  = begin(false, WAIT_MS);
    struct proxy *first  = &world->proxies[0];
    struct peers *peers  = first->peers;
    struct proxy *second = &world->proxies[1];
    keep(world, second, 'k', bytes_from(str_from("late")));
    claim(first, 'k', 'a');
    seek(first, "");
    assert_int_equal(told(world, first), ANSWERS_CLAIMED);
    assert_true(peers->list[1].is_given_up);
    seek(first, "second"); /* it may have held the job: it is waited for again */
    assert_int_equal(told(world, first), ANSWERS_CLAIMED);

    serve(world, 1);
    while (first->verdict != ANSWERS_KEPT) {
        claim(first, 'k', 'a');
        seek(first, "");
        (void)told(world, first);
    }
    assert_false(peers->list[1].is_given_up);
    assert_string_equal(first->text, "late");
    end(world);
}

static void too_large_to_be_brought(void **)
{
    struct world *world = begin(true, PATIENT_MS);
    struct proxy *first = &world->proxies[0];
    char *large         = mem_new(1, LARGE);
    keep(world, &world->proxies[1], 'k', (bytes){.ptr = large, .len = LARGE});
    claim(first, 'k', 'a');
    seek(first, "");
    assert_int_equal(told(world, first), ANSWERS_UNKNOWN);
    free(large);
    end(world);
}

static void dropped_and_closed(void **)
{
    struct world *world = begin(false, PATIENT_MS);
    struct proxy *first = &world->proxies[0];
    claim(first, 'k', 'a');
    seek(first, "");
    peers_search_drop(first->search);
    answers_unclaim(&first->claim);
    claim(first, 'l', 'a');
    seek(first, "");
    end(world); /* both wait still: nobody is told */
}

/* --- vaults ------------------------------------------------------------------------------------
 */

static void on_recalled(void *context)
{
    ((struct proxy *)context)->is_recalled = true;
}

static struct peers_recall *recall(struct proxy *proxy, const char *id, const char *namespace)
{
    struct chat_part part       = {.kind = PART_TOOL_CALL, .id = str_from(id)};
    struct chat_message message = {.role = ROLE_ASSISTANT, .parts = &part, .part_count = 1};
    struct chat_request request = {.messages = &message, .message_count = 1};
    proxy->is_recalled          = false;
    return peers_recall(proxy->peers, &request, str_from(namespace), on_recalled, proxy);
}

static void what_other_vaults_have(void **)
{
    struct world *world               = begin(true, PATIENT_MS);
    struct proxy *first               = &world->proxies[0];
    struct vault *theirs              = world->proxies[1].vault;
    int64_t now_ms                    = loop_now_ms(world->loop);
    const struct vault_block blocks[] = {
        {.text = str_from("hm"), .signature = str_from("s\xff")},
        {.is_sealed = true, .is_early = true, .text = str_from("x")}};
    const struct vault_entry entry = {.provider    = str_from("p"),
                                      .model       = str_from("m"),
                                      .id          = str_from("call_1"),
                                      .signature   = str_from("sig"),
                                      .blocks      = blocks,
                                      .block_count = ARRAY_LEN(blocks),
                                      .result_mark = VAULT_MARK_1H};
    char id[VAULT_ID_SIZE];
    vault_mint(theirs, id);
    vault_put(theirs, str_from("ns"), str_from(id), &entry, now_ms);

    assert_null(recall(first, "call_1", "ns")); /* no id of a vault */
    assert_non_null(recall(first, id, "other"));
    while (!first->is_recalled) loop_turn(world->loop, TURN_MS);
    assert_int_equal(vault_count(first->vault), 0);

    assert_non_null(recall(first, id, "ns"));
    while (!first->is_recalled) loop_turn(world->loop, TURN_MS);
    const struct vault_entry *found = vault_get(first->vault, str_from("ns"), str_from(id), now_ms);
    assert_non_null(found);
    assert_true(str_is(found->provider, "p") && str_is(found->model, "m"));
    assert_true(str_is(found->id, "call_1") && str_is(found->signature, "sig"));
    assert_int_equal(found->block_count, ARRAY_LEN(blocks));
    assert_true(str_is(found->blocks[0].text, "hm") && str_is(found->blocks[0].signature, "s\xff"));
    assert_true(found->blocks[1].is_sealed && found->blocks[1].is_early);
    assert_int_equal(found->call_mark, VAULT_MARK_NONE);
    assert_int_equal(found->result_mark, VAULT_MARK_1H);

    assert_null(recall(first, id, "ns")); /* it is here now */
    vault_mint(first->vault, id);
    assert_null(recall(first, id, "ns")); /* ours, and gone: nobody else has it */
    end(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_of_the_other_one),
        cmocka_unit_test(one_of_two_that_ask_goes_on),
        cmocka_unit_test(who_gives_way_does_not_buy),
        cmocka_unit_test(who_is_away_is_given_up_and_comes_back),
        cmocka_unit_test(too_large_to_be_brought),
        cmocka_unit_test(dropped_and_closed),
        cmocka_unit_test(what_other_vaults_have),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
