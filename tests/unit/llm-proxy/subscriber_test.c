/* What a gateway pulls: in turn, joined, acknowledged, repeated when it was lost, stopped for slow
 * clients, and never more than a window. */
#include "llm-proxy/answers/subscriber.h"

#include "base/buf.h"

#include "cmocka.h"

#include <stdio.h>

enum { LOG_SIZE = 64 << 10, BIG_SIZE = 40 << 10, CALLS_MAX = 8, MANY = 201 };

/* A gateway: its Pull and what was answered. */
struct gateway {
    struct loop *loop;
    struct subscriber *subscriber;
    Pb__LlmPull pull;
    Pb__LlmPulled pulled;
    struct rpc_call call;
    int replies;
    char log[LOG_SIZE]; /* "7:head 200 7:data abc 7:end cut" of the last reply */
    size_t bytes;       /* of data in it */
    int relieved;
    int64_t now_ms; /* of a loop whose clock is turned by hand */
};

/* The context of rpc calls is not looked at, so the gateway is found by it. */
static void on_reply(struct rpc_call *call, status code, const struct error *)
{
    struct gateway *gateway     = call->context;
    const Pb__LlmPulled *pulled = call->response;
    size_t at                   = 0;
    gateway->replies++;
    gateway->log[0] = '\0';
    gateway->bytes  = 0;
    if (code != STATUS_OK) (void)snprintf(gateway->log, sizeof gateway->log, "refused");
    if (code != STATUS_OK) return;
    gateway->pulled.reply = pulled->reply;
    for (size_t i = 0; i < pulled->n_items; i++) {
        const Pb__LlmItem *item = pulled->items[i];
        char *to                = gateway->log + at;
        size_t room             = sizeof gateway->log - at;
        int len                 = 0;
        gateway->bytes += item->data.len;
        if (item->kind == PB__LLM_ITEM_KIND__LLM_ITEM_KIND_HEAD) {
            len = snprintf(to, room, "%d:%d head %u|", (int)item->call, (int)item->seq,
                           item->http_status);
        } else if (item->kind == PB__LLM_ITEM_KIND__LLM_ITEM_KIND_END) {
            len =
                snprintf(to, room, "%d:%d end %s|", (int)item->call, (int)item->seq, item->outcome);
        } else {
            int shown = item->data.len < 8 ? (int)item->data.len : 8;
            len       = snprintf(to, room, "%d:%d %.*s|", (int)item->call, (int)item->seq, shown,
                                 (const char *)item->data.data);
        }
        at += (size_t)len;
    }
}

static void on_relieved(void *context)
{
    ((struct gateway *)context)->relieved++;
}

static int set_up(void **state)
{
    static uint8_t id[SUBSCRIBER_ID_SIZE] = "gateway";
    struct gateway *gateway               = test_calloc(1, sizeof *gateway);
    if (loop_new(NULL, &gateway->loop, NULL) != STATUS_OK) return -1;
    const ProtobufCBinaryData name = {.data = id, .len = sizeof id};
    gateway->subscriber            = subscriber_new(name, 1, gateway->loop, on_reply);
    gateway->pull                  = (Pb__LlmPull)PB__LLM_PULL__INIT;
    gateway->pull.wait_ms          = SUBSCRIBER_WAIT_MS;
    gateway->call                  = (struct rpc_call){
                         .context = gateway, .request = &gateway->pull, .response = &gateway->pulled};
    *state = gateway;
    return 0;
}

static int tear_down(void **state)
{
    struct gateway *gateway = *state;
    subscriber_free(gateway->subscriber);
    loop_freep(&gateway->loop);
    test_free(gateway);
    return 0;
}

static struct outbox *outbox_of(struct gateway *gateway, uint64_t call)
{
    const struct outbox_owner owner = {.relieved = on_relieved, .context = gateway};
    struct outbox *outbox           = outbox_new(gateway->subscriber, call, &owner);
    assert_non_null(outbox);
    return outbox;
}

static void say(struct outbox *outbox, const char *text)
{
    outbox_data(outbox, str_from(text));
}

static void end(struct outbox *outbox, const char *outcome)
{
    const Pb__Usage usage = PB__USAGE__INIT;
    outbox_end(outbox, &usage, outcome);
}

/* Asks for what there is; `has_arrived`: the last reply did. */
static const char *pull(struct gateway *gateway, bool has_arrived)
{
    if (has_arrived) gateway->pull.last_reply = gateway->pulled.reply;
    gateway->pulled = (Pb__LlmPulled){.base = gateway->pulled.base, .reply = gateway->pulled.reply};
    int replies     = gateway->replies;
    subscriber_pull(gateway->subscriber, &gateway->call);
    return gateway->replies > replies ? gateway->log : "parked";
}

static void in_turn_and_joined(void **state)
{
    struct gateway *gateway = *state;
    struct outbox *a        = outbox_of(gateway, 1);
    struct outbox *b        = outbox_of(gateway, 2);
    outbox_head(a, 200, NULL, 0);
    say(a, "x");
    say(a, "y");
    outbox_head(b, 429, NULL, 0);
    say(b, "z");
    end(b, "complete");
    assert_string_equal(pull(gateway, true),
                        "1:1 head 200|2:1 head 429|1:2 xy|2:2 z|2:3 end complete|");
    assert_string_equal(pull(gateway, true), "parked");
    say(a, "later");
    say(a, "!");
    end(a, "cut");
    int replies = gateway->replies;
    while (gateway->replies == replies) loop_turn(gateway->loop, 10);
    assert_string_equal(gateway->log, "1:3 later!|1:4 end cut|");
    assert_string_equal(pull(gateway, true), "parked");
}

static void what_was_lost_comes_again(void **state)
{
    struct gateway *gateway = *state;
    struct outbox *a        = outbox_of(gateway, 1);
    outbox_head(a, 200, NULL, 0);
    say(a, "x");
    assert_string_equal(pull(gateway, true), "1:1 head 200|1:2 x|");
    say(a, "y");
    assert_string_equal(pull(gateway, false), "1:1 head 200|1:2 x|1:3 y|"); /* x is not changed */
    assert_string_equal(pull(gateway, false), "1:1 head 200|1:2 x|1:3 y|");
    say(a, "z");
    assert_string_equal(pull(gateway, true), "1:4 z|");
    assert_string_equal(pull(gateway, true), "parked");
    end(a, "complete");
}

/* A gateway that was silent for long has another subscriber: its Pull says what it heard of the one
 * before. */
static void a_reply_of_before_is_refused(void **state)
{
    struct gateway *gateway   = *state;
    struct subscriber *before = gateway->subscriber;
    ProtobufCBinaryData name  = {.data = before->id, .len = sizeof before->id};
    uint64_t lost             = subscriber_next_call(before);
    uint64_t heard            = 0;
    say(outbox_of(gateway, lost), "x");
    (void)pull(gateway, true);
    heard = gateway->pulled.reply;
    assert_int_equal(heard >> SUBSCRIBER_ERA_BITS, lost >> SUBSCRIBER_ERA_BITS);

    gateway->subscriber = subscriber_new(name, 2, gateway->loop, on_reply);
    uint64_t call       = subscriber_next_call(gateway->subscriber);
    say(outbox_of(gateway, call), "y");
    assert_string_equal(pull(gateway, true), "refused");
    assert_int_not_equal(call >> SUBSCRIBER_ERA_BITS,
                         heard >> SUBSCRIBER_ERA_BITS); /* so this one is not gone */
    gateway->pulled.reply = 0;
    assert_string_equal(pull(gateway, true), "1:1 y|");
    gateway->pulled.reply += 1'000;
    assert_string_equal(pull(gateway, true), "refused");
    subscriber_free(before);
}

static void a_window_per_call(void **state)
{
    struct gateway *gateway = *state;
    struct outbox *a        = outbox_of(gateway, 1);
    struct outbox *b        = outbox_of(gateway, 2);
    char *big               = test_malloc(BIG_SIZE);
    memset(big, 'b', BIG_SIZE);
    size_t sent = 0;
    while (!outbox_is_full(a)) {
        outbox_data(a, (str){.ptr = big, .len = BIG_SIZE});
        sent += BIG_SIZE;
    }
    assert_in_range(sent, OUTBOX_FULL - BIG_SIZE, OUTBOX_FULL + BIG_SIZE);
    say(b, "small");
    (void)pull(gateway, true);
    assert_non_null(strstr(gateway->log, "2:1 small|")); /* the big one does not hold it up */
    assert_in_range(gateway->bytes, SUBSCRIBER_REPLY_SIZE / 2, SUBSCRIBER_REPLY_SIZE);
    assert_int_equal(gateway->relieved, 0); /* sent is not acknowledged */
    assert_true(outbox_is_full(a));
    (void)pull(gateway, true);
    assert_int_equal(gateway->relieved, 1);
    assert_false(outbox_is_full(a));
    end(a, "complete");
    end(b, "complete");
    test_free(big);
}

/* Thousands that read slowly: what waits for each is little then, and for all of them bounded. */
static void a_window_for_all_calls(void **state)
{
    enum { CALLS = SUBSCRIBER_SIZE_MAX / OUTBOX_FULL + 10 };
    struct gateway *gateway          = *state;
    struct subscriber *all           = gateway->subscriber;
    struct outbox **outboxes         = test_calloc(CALLS, sizeof *outboxes);
    struct outbox *late              = NULL;
    static const char piece[1 << 10] = "x";
    for (int i = 0; i < CALLS; i++) {
        outboxes[i] = outbox_of(gateway, (uint64_t)i + 1);
        while (!outbox_is_full(outboxes[i])) {
            outbox_data(outboxes[i], (str){.ptr = piece, .len = sizeof piece});
        }
    }
    size_t most = SUBSCRIBER_SIZE_MAX + 11 * OUTBOX_CROWDED;
    assert_in_range(all->size, SUBSCRIBER_SIZE_MAX, most);
    late = outbox_of(gateway, CALLS + 1);
    assert_false(outbox_is_full(late));
    say(late, "hello");
    assert_false(outbox_is_full(late));
    for (size_t size = 0; size < OUTBOX_CROWDED; size += sizeof piece) {
        outbox_data(late, (str){.ptr = piece, .len = sizeof piece});
    }
    assert_true(outbox_is_full(late));
    for (int i = 0; i < CALLS; i++) outbox_drop(outboxes[i]); /* they have gone away */
    assert_in_range(all->size, OUTBOX_CROWDED, 2 * OUTBOX_CROWDED);
    assert_int_equal(gateway->relieved, 0);
    (void)pull(gateway, true);
    (void)pull(gateway, true); /* what it was brought has arrived: it hears that it may go on */
    assert_int_equal(gateway->relieved, 1);
    assert_int_equal(all->size, 0);
    end(late, "complete");
    test_free(outboxes);
}

static void slow_clients_are_left_out(void **state)
{
    struct gateway *gateway = *state;
    struct outbox *a        = outbox_of(gateway, 1);
    struct outbox *b        = outbox_of(gateway, 2);
    uint64_t slow           = 1;
    gateway->pull.stopped   = &slow;
    gateway->pull.n_stopped = 1;
    say(a, "a");
    say(b, "b");
    assert_string_equal(pull(gateway, true), "2:1 b|");
    say(a, "a");
    assert_string_equal(pull(gateway, true), "parked");
    int replies = gateway->replies;
    subscriber_resume(gateway->subscriber, &slow, 1);
    while (gateway->replies == replies) loop_turn(gateway->loop, 10);
    assert_string_equal(gateway->log, "1:1 aa|");
    assert_string_equal(pull(gateway, true), "parked"); /* stopped again, by the Pull */
    say(a, "c");
    gateway->pull.n_stopped  = 0;
    replies                  = gateway->replies;
    gateway->pull.last_reply = gateway->pulled.reply;
    subscriber_pull(gateway->subscriber, &gateway->call); /* instead of the parked one */
    assert_int_equal(gateway->replies, replies + 2);
    assert_string_equal(gateway->log, "1:2 c|");
    end(a, "complete");
    end(b, "complete");
}

static void what_nobody_wants_is_gone(void **state)
{
    struct gateway *gateway = *state;
    struct outbox *a        = outbox_of(gateway, 1);
    struct outbox *b        = outbox_of(gateway, 2);
    uint64_t slow           = 2;
    gateway->pull.stopped   = &slow;
    gateway->pull.n_stopped = 1;
    say(a, "a");
    say(b, "b");
    assert_string_equal(pull(gateway, true), "1:1 a|");
    say(a, "more");
    outbox_drop(a); /* with a piece that was sent, and one that was not */
    outbox_drop(b); /* while it is stopped */
    assert_string_equal(pull(gateway, false), "parked");
    struct outbox *c = outbox_of(gateway, 1); /* the number is free again */
    say(c, "c");
    gateway->pull.n_stopped = 0;
    int replies             = gateway->replies;
    while (gateway->replies == replies) loop_turn(gateway->loop, 10);
    assert_string_equal(gateway->log, "1:1 c|");
    assert_string_equal(pull(gateway, true), "parked");
    outbox_drop(c); /* the last one: the Pull has nothing to wait for */
    replies = gateway->replies;
    while (gateway->replies == replies) loop_turn(gateway->loop, 10);
    assert_string_equal(gateway->log, "");
}

static void silence(void **state)
{
    struct gateway *gateway = *state;
    int64_t now_ms          = loop_now_ms(gateway->loop);
    assert_false(subscriber_is_silent(gateway->subscriber, now_ms));
    assert_true(subscriber_is_silent(gateway->subscriber, now_ms + 1));
    assert_string_equal(pull(gateway, true), "parked");
    assert_false(subscriber_is_silent(gateway->subscriber, now_ms + 1));
}

static void at_the_end_nobody_waits_long(void **state)
{
    struct gateway *gateway = *state;
    assert_string_equal(pull(gateway, true), "parked");
    int replies = gateway->replies;
    subscriber_drain(gateway->subscriber);
    while (gateway->replies == replies) loop_turn(gateway->loop, 10);
    assert_string_equal(pull(gateway, true), "parked");
    replies = gateway->replies;
    while (gateway->replies == replies) loop_turn(gateway->loop, 10);
}

static int64_t turned_ms(void *context)
{
    return ((const struct gateway *)context)->now_ms;
}

static int set_up_turned(void **state)
{
    static uint8_t id[SUBSCRIBER_ID_SIZE] = "gateway";
    const ProtobufCBinaryData name        = {.data = id, .len = sizeof id};
    if (set_up(state) != 0) return -1;
    struct gateway *gateway        = *state;
    const struct loop_options loop = {.clock = turned_ms, .clock_context = gateway};
    subscriber_free(gateway->subscriber);
    loop_freep(&gateway->loop);
    gateway->now_ms = 1'000;
    if (loop_new(&loop, &gateway->loop, NULL) != STATUS_OK) return -1;
    gateway->subscriber = subscriber_new(name, 1, gateway->loop, on_reply);
    return 0;
}

/* Says whether a reply left in the turn at that time. */
static bool leaves(struct gateway *gateway, int64_t now_ms)
{
    int replies     = gateway->replies;
    gateway->now_ms = now_ms;
    loop_turn(gateway->loop, 0);
    return gateway->replies > replies;
}

static void pieces_of_many_wait_for_each_other(void **state)
{
    struct gateway *gateway = *state;
    struct outbox *many[MANY];
    for (uint64_t i = 0; i < MANY; i++) many[i] = outbox_of(gateway, i + 1);
    outbox_head(many[0], 200, NULL, 0);
    assert_string_equal(pull(gateway, true), "1:1 head 200|"); /* at 1,000 */
    assert_string_equal(pull(gateway, true), "parked");
    say(many[0], "a");
    assert_false(leaves(gateway, 1'001));
    say(many[1], "b");
    assert_true(leaves(gateway, 1'002)); /* two hundred calls: two milliseconds */
    assert_string_equal(gateway->log, "1:2 a|2:1 b|");
    say(many[0], "c");
    assert_string_equal(pull(gateway, true), "parked"); /* it waits here as well */
    assert_false(leaves(gateway, 1'003));
    end(many[1], "complete"); /* that is waited for by somebody */
    assert_true(leaves(gateway, 1'003));
    assert_string_equal(gateway->log, "1:3 c|2:2 end complete|");
    assert_string_equal(pull(gateway, true), "parked");
    gateway->now_ms = 2'000;
    loop_turn(gateway->loop, 0);
    say(many[0], "d"); /* nothing has left for long: it does at once */
    assert_true(leaves(gateway, 2'000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(in_turn_and_joined, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_lost_comes_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_reply_of_before_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_window_for_all_calls, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_window_per_call, set_up, tear_down),
        cmocka_unit_test_setup_teardown(slow_clients_are_left_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_nobody_wants_is_gone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(at_the_end_nobody_waits_long, set_up, tear_down),
        cmocka_unit_test_setup_teardown(silence, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pieces_of_many_wait_for_each_other, set_up_turned,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
