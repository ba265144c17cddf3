/* Answers that are kept under their keys, over a restart and until their time is over; streams that
 * are followed, left, resumed, given up and interrupted. */
#include "llm-proxy/answers/answers.h"
#include "llm-proxy/answers/frames.h"
#include "llm-proxy/answers/recording.h"

#include "base/attr.h"
#include "support/folder.h"

#include "cmocka.h"

#include <dirent.h>
#include <stdio.h>

enum { TEXT_MAX = 64 << 10, READERS_MAX = 4, GRACE_MS = 60'000, PIECE_SIZE = 1 << 20 };

/* The clocks are turned by hand. */
static int64_t unix_us(void)
{
    return 1'700'000'000'000'000;
}

static int64_t two_hours_later_us(void)
{
    return unix_us() + INT64_C(2) * 3'600 * 1'000'000;
}

static int64_t two_days_later_us(void)
{
    return unix_us() + INT64_C(48) * 3'600 * 1'000'000;
}

/* A process, and a gateway that pulls from it. */
struct world {
    struct folder folder;
    uint64_t size_max; /* of the store */
    int64_t now_ms;    /* of the loop */
    struct loop *loop;
    struct answers *answers;
    struct recordings *recordings;
    struct subscriber *subscriber;
    Pb__LlmPull pull;
    Pb__LlmPulled pulled;
    struct rpc_call call;
    char text[TEXT_MAX]; /* all that a reader got: "200 data... <end>" */
    size_t len;
    int abandoned, relieved, written;
};

static int64_t now_ms(void *context)
{
    const struct world *world = context;
    return world->now_ms;
}

static void put(struct world *world, const char *text, size_t len)
{
    if (len > sizeof world->text - 1 - world->len) len = sizeof world->text - 1 - world->len;
    if (len == 0) return;
    memcpy(world->text + world->len, text, len);
    world->len += len;
    world->text[world->len] = '\0';
}

static void on_reply(struct rpc_call *call, status code, const struct error *)
{
    struct world *world         = call->context;
    const Pb__LlmPulled *pulled = call->response;
    if (code != STATUS_OK) return;
    world->pull.last_reply = pulled->reply;
    for (size_t i = 0; i < pulled->n_items; i++) {
        const Pb__LlmItem *item = pulled->items[i];
        char head[64];
        (void)snprintf(head, sizeof head, "%u ", item->http_status);
        if (item->kind == PB__LLM_ITEM_KIND__LLM_ITEM_KIND_HEAD) put(world, head, strlen(head));
        put(world, (const char *)item->data.data, item->data.len);
        if (item->kind != PB__LLM_ITEM_KIND__LLM_ITEM_KIND_END) continue;
        put(world, "<", 1);
        put(world, item->outcome, strlen(item->outcome));
        put(world, ">", 1);
    }
}

static void print_interrupted(Pb__LlmOperation, struct buf *out)
{
    (void)buf_put_text(out, "data: interrupted\n\n");
}

static void begin(struct world *world, int64_t (*clock)(void))
{
    static uint8_t id[SUBSCRIBER_ID_SIZE] = "gateway";
    const ProtobufCBinaryData name        = {.data = id, .len = sizeof id};
    const struct loop_options loop        = {.clock = now_ms, .clock_context = world};
    struct error error                    = {};
    assert_int_equal(loop_new(&loop, &world->loop, &error), STATUS_OK);
    const struct answers_options options = {.path              = world->folder.path,
                                            .size_max          = world->size_max,
                                            .loop              = world->loop,
                                            .unix_us           = clock,
                                            .print_interrupted = print_interrupted};
    if (answers_open(&options, &world->answers, &error) != STATUS_OK) fail_msg("%s", error.text);
    world->recordings = recordings_new(world->loop, world->answers, GRACE_MS);
    world->subscriber = subscriber_new(name, 1, world->loop, on_reply);
    world->pull       = (Pb__LlmPull)PB__LLM_PULL__INIT;
    world->call =
        (struct rpc_call){.context = world, .request = &world->pull, .response = &world->pulled};
}

/* As a process that is killed: what is on the disk stays. */
static void end(struct world *world)
{
    while (world->subscriber->followers) follower_drop(world->subscriber->followers);
    answers_stop(world->answers);
    recordings_freep(&world->recordings);
    answers_freep(&world->answers);
    subscriber_free(world->subscriber);
    loop_freep(&world->loop);
}

static void restart(struct world *world, int64_t (*clock)(void))
{
    end(world);
    begin(world, clock);
}

static int set_up(void **state)
{
    struct world *world = test_calloc(1, sizeof *world);
    world->folder       = folder_new();
    begin(world, unix_us);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    end(world);
    folder_remove(&world->folder);
    test_free(world);
    return 0;
}

/* --- keys --------------------------------------------------------------------------------------
 */

static void on_written(bool is_kept, void *context)
{
    struct world *world = context;
    assert_true(is_kept);
    world->written++;
}

static struct answers_claim claim_of(const char *key, const char *body)
{
    struct answers_claim claim = {};
    Pb__LlmOpen open           = PB__LLM_OPEN__INIT;
    open.operation             = PB__LLM_OPERATION__LLM_OPERATION_OPENAI_CHAT;
    open.idempotency_key       = key;
    open.namespace_            = "default";
    open.body = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)body, .len = strlen(body)};
    answers_name_call(&open, claim.name);
    answers_digest_call(&open, claim.request);
    return claim;
}

static enum answers_verdict look(struct world *world, const char *key, const char *body,
                                 char *ret_text)
{
    struct answers_claim claim = claim_of(key, body);
    Pb__KeptAnswer *kept       = NULL;
    void *owner                = NULL;
    enum answers_verdict found = answers_claim(world->answers, &claim, &kept, &owner);
    if (kept) (void)snprintf(ret_text, 32, "%.*s", (int)kept->body.len, (char *)kept->body.data);
    if (kept) pb__kept_answer__free_unpacked(kept, NULL);
    answers_unclaim(&claim);
    return found;
}

static void keep(struct world *world, const char *key, const char *body, const char *answer)
{
    struct answers_claim claim = claim_of(key, body);
    Pb__KeptAnswer *none       = NULL;
    void *owner                = NULL;
    int written                = world->written;
    assert_int_equal(answers_claim(world->answers, &claim, &none, &owner), ANSWERS_CLAIMED);
    Pb__KeptAnswer kept = PB__KEPT_ANSWER__INIT;
    kept.number         = answers_next_number(world->answers);
    kept.name           = (ProtobufCBinaryData){.data = claim.name, .len = SHA256_SIZE};
    kept.request        = (ProtobufCBinaryData){.data = claim.request, .len = SHA256_SIZE};
    kept.body.data      = (uint8_t *)(uintptr_t)answer;
    kept.body.len       = strlen(answer);
    answers_keep(world->answers, &kept, on_written, world);
    assert_int_equal(answers_waiting(world->answers), 1);
    while (world->written == written) loop_turn(world->loop, 100);
    answers_unclaim(&claim);
}

static void kept_for_a_day_over_restarts(void **state)
{
    struct world *world = *state;
    char text[32]       = "";
    char replica[ANSWERS_REPLICA_SIZE];
    (void)snprintf(replica, sizeof replica, "%s", answers_replica(world->answers));
    assert_int_equal(look(world, "k", "a", text), ANSWERS_CLAIMED);
    keep(world, "k", "a", "hello");
    assert_int_equal(look(world, "k", "a", text), ANSWERS_KEPT);
    assert_string_equal(text, "hello");
    assert_int_equal(look(world, "k", "b", text), ANSWERS_OTHER);
    assert_int_equal(look(world, "l", "a", text), ANSWERS_CLAIMED);

    restart(world, two_hours_later_us);
    assert_string_equal(answers_replica(world->answers), replica);
    assert_int_equal(look(world, "k", "a", text), ANSWERS_KEPT);
    restart(world, two_days_later_us);
    assert_int_equal(look(world, "k", "a", text), ANSWERS_CLAIMED);
    assert_int_equal(look(world, "k", "b", text), ANSWERS_CLAIMED);
    keep(world, "k", "b", "again");
    assert_int_equal(look(world, "k", "b", text), ANSWERS_KEPT);
}

static void a_claimed_key_is_running(void **state)
{
    struct world *world         = *state;
    struct answers_claim first  = claim_of("k", "a");
    struct answers_claim moved  = {};
    struct answers_claim second = claim_of("k", "a");
    struct answers_claim other  = claim_of("k", "b");
    Pb__KeptAnswer *kept        = NULL;
    void *owner                 = NULL;
    first.owner                 = world;
    assert_int_equal(answers_claim(world->answers, &first, &kept, &owner), ANSWERS_CLAIMED);
    assert_int_equal(answers_claim(world->answers, &second, &kept, &owner), ANSWERS_RUNNING);
    assert_ptr_equal(owner, world);
    assert_int_equal(answers_claim(world->answers, &other, &kept, &owner), ANSWERS_OTHER);
    answers_move_claim(&first, &moved);
    answers_unclaim(&first);
    assert_int_equal(answers_claim(world->answers, &second, &kept, &owner), ANSWERS_RUNNING);
    answers_unclaim(&moved);
    assert_int_equal(answers_claim(world->answers, &second, &kept, &owner), ANSWERS_CLAIMED);
    answers_unclaim(&second);
}

static void names_of_streams(void **state)
{
    struct world *world = *state;
    char text[ANSWERS_STREAM_SIZE];
    uint64_t number = 0;
    answers_stream_name(world->answers, 77, text);
    assert_int_equal(answers_read_stream(world->answers, str_from(text), &number), STATUS_OK);
    assert_int_equal(number, 77);
    text[0] = text[0] == '0' ? '1' : '0';
    assert_int_equal(answers_read_stream(world->answers, str_from(text), &number),
                     STATUS_OUT_OF_RANGE);
    static const char *const wrong[] = {"",
                                        "x",
                                        "0123456789ab-",
                                        "0123456789ab:0000000000000001",
                                        "0123456789ab-000000000000000g",
                                        "0123456789ab-00000000000000011"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        assert_int_equal(answers_read_stream(world->answers, str_from(wrong[i]), &number),
                         STATUS_INVALID_ARGUMENT);
    }
    assert_true(answers_next_number(world->answers) < answers_next_number(world->answers));
}

/* --- frames ------------------------------------------------------------------------------------
 */

static void frames_and_their_ids(void **)
{
    static const struct {
        Pb__LlmOperation operation;
        const char *first, *second;
    } rows[] = {
        {PB__LLM_OPERATION__LLM_OPERATION_OPENAI_CHAT, "id: s:1\ndata: a\n\n",
         "id: s:2\nevent: x\ndata: b\n\n"},
        {PB__LLM_OPERATION__LLM_OPERATION_GEMINI_CONTENT, "data: a\n\nid: s:1\n\n",
         "event: x\ndata: b\n\nid: s:2\n\n"},
    };
    str events = str_from("data: a\n\nevent: x\ndata: b\n\nrest");
    str a      = frames_first(events);
    str b      = frames_first(str_slice(events, a.len, events.len));
    assert_true(str_is(a, "data: a\n\n"));
    assert_true(str_is(frames_first(str_from("rest")), "rest"));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_done) struct buf out = buf_init(TEXT_MAX);
        Pb__LlmOperation operation       = rows[i].operation;
        frames_put(operation, "s", 1, a, &out);
        assert_true(str_is(buf_str(&out), rows[i].first));
        frames_put(operation, "s", 2, b, &out);
        size_t one = strlen(rows[i].first);
        assert_true(str_is(str_slice(buf_str(&out), one, out.len), rows[i].second));
        assert_int_equal(frames_behind(operation, buf_str(&out), 0, false), 0);
        assert_int_equal(frames_behind(operation, buf_str(&out), 1, false), one);
        assert_int_equal(frames_behind(operation, buf_str(&out), 2, false), out.len);
        assert_int_equal(frames_behind(operation, buf_str(&out), 9, false), out.len);
        assert_int_equal(frames_behind(operation, buf_str(&out), 9, true), one);
        assert_int_equal(frames_behind(operation, buf_str(&out), FRAMES_LAST_SEQUENCE, true),
                         out.len);
    }
}

/* --- recordings --------------------------------------------------------------------------------
 */

static void on_relieved(void *context)
{
    ((struct world *)context)->relieved++;
}

static void on_abandoned(void *context)
{
    ((struct world *)context)->abandoned++;
}

static struct recording *record(struct world *world, bool is_durable, const char *key)
{
    const struct recording_owner owner = {
        .relieved = on_relieved, .abandoned = on_abandoned, .context = world};
    struct answers_claim claim = key ? claim_of(key, "a") : (struct answers_claim){};
    Pb__KeptAnswer *kept       = NULL;
    void *someone              = NULL;
    Pb__LlmOpen open           = PB__LLM_OPEN__INIT;
    open.operation             = PB__LLM_OPERATION__LLM_OPERATION_OPENAI_CHAT;
    open.namespace_            = "default";
    if (key) {
        assert_int_equal(answers_claim(world->answers, &claim, &kept, &someone), ANSWERS_CLAIMED);
    }
    struct recording *recording =
        recording_new(world->recordings, &open, is_durable, &claim, &owner);
    assert_non_null(recording);
    return recording;
}

/* What is there for the readers, all in one. */
static const char *hear(struct world *world)
{
    world->len     = 0;
    world->text[0] = '\0';
    while (answers_waiting(world->answers) > 0) loop_turn(world->loop, 100);
    for (int i = 0; i < 3; i++) { /* the last word follows when what was before is acknowledged */
        world->pulled       = (Pb__LlmPulled)PB__LLM_PULLED__INIT;
        world->pull.wait_ms = 0;
        subscriber_pull(world->subscriber, &world->call);
        loop_turn(world->loop, 0);
    }
    return world->text;
}

static enum attach_verdict attach(struct world *world, const char *stream, uint64_t sequence,
                                  uint64_t number)
{
    Pb__LlmAttach message = PB__LLM_ATTACH__INIT;
    message.namespace_    = "default";
    message.stream        = stream;
    message.sequence      = sequence;
    return recordings_attach(world->recordings, world->subscriber, number, &message);
}

static void finish(struct world *world, struct recording *recording, const char *last,
                   enum recording_end how)
{
    const Pb__Usage usage = PB__USAGE__INIT;
    recording_end(recording, str_from(last), &usage, how);
    (void)world;
}

static void a_process_knows_whose_place_it_takes(void **state)
{
    struct world *world = *state;
    uint64_t before[ANSWERS_DEAD_MAX + 3]; /* the newest first */
    size_t count = 0;
    assert_true(answers_dead(world->answers)[0] == 0);
    for (; count < ARRAY_LEN(before); restart(world, unix_us)) {
        memmove(&before[1], &before[0], count * sizeof before[0]);
        before[0] = answers_instance(world->answers);
        count++;
        assert_true(before[0] != 0 && (count == 1 || before[0] != before[1]));
    }
    for (size_t i = 0; i < ANSWERS_DEAD_MAX; i++) {
        assert_true(answers_dead(world->answers)[i] == before[i]);
    }
    assert_true(answers_dead(world->answers)[ANSWERS_DEAD_MAX] == 0);
}

static void move_files(const char *from, const char *to)
{
    DIR *files = opendir(from);
    assert_non_null(files);
    for (const struct dirent *file; (file = readdir(files));) { // NOLINT(concurrency-mt-unsafe)
        char old[FOLDER_PATH_MAX];
        char new[FOLDER_PATH_MAX];
        if (file->d_name[0] == '.') continue;
        (void)snprintf(old, sizeof old, "%s/%s", from, file->d_name);
        (void)snprintf(new, sizeof new, "%s/%s", to, file->d_name);
        assert_int_equal(rename(old, new), 0);
    }
    (void)closedir(files);
}

/* The same rows in another folder: the process they name may be alive in the first one. */
static void who_has_a_copy_takes_nobodys_place(void **state)
{
    struct world *world         = *state;
    const struct folder origin  = world->folder;
    const struct folder another = folder_new();
    char replica[ANSWERS_REPLICA_SIZE];
    restart(world, unix_us);
    assert_true(answers_dead(world->answers)[0] != 0);
    (void)snprintf(replica, sizeof replica, "%s", answers_replica(world->answers));
    end(world);
    move_files(origin.path, another.path);
    world->folder = another;
    begin(world, unix_us);
    uint64_t first = answers_instance(world->answers);
    assert_true(answers_dead(world->answers)[0] == 0);
    assert_string_equal(answers_replica(world->answers), replica); /* its streams are found */
    restart(world, unix_us);
    assert_true(answers_dead(world->answers)[0] == first);
    assert_true(answers_dead(world->answers)[1] == 0);
    folder_remove(&origin);
}

static void the_last_words_wait_for_the_store(void **state)
{
    struct world *world         = *state;
    char text[32]               = "";
    struct recording *recording = record(world, false, "k");
    assert_true(recording_follow(recording, world->subscriber, 1));
    assert_true(recording_is_kept(recording));
    recording_head(recording, 200, NULL, 0);
    recording_data(recording, str_from("data: a\n\n"));
    assert_string_equal(hear(world), "200 data: a\n\n");
    finish(world, recording, "data: b\n\n", RECORDING_BOUGHT);
    assert_int_equal(look(world, "k", "a", text), ANSWERS_RUNNING);
    assert_string_equal(hear(world), "data: b\n\n<complete>");
    assert_int_equal(look(world, "k", "a", text), ANSWERS_KEPT);
    assert_string_equal(text, "data: a\n\ndata: b\n\n");

    /* What was not bought is not kept, and the key is free. */
    recording = record(world, false, "l");
    assert_true(recording_follow(recording, world->subscriber, 2));
    recording_head(recording, 502, NULL, 0);
    finish(world, recording, "no", RECORDING_FAILED);
    assert_string_equal(hear(world), "502 no<complete>");
    assert_int_equal(look(world, "l", "a", text), ANSWERS_CLAIMED);
    recording = record(world, false, "l");
    recording_drop(recording);
    assert_int_equal(look(world, "l", "a", text), ANSWERS_CLAIMED);
}

static void readers_come_and_go(void **state)
{
    struct world *world         = *state;
    struct recording *recording = record(world, true, NULL);
    char stream[ANSWERS_STREAM_SIZE];
    (void)snprintf(stream, sizeof stream, "%s", recording_stream(recording));
    assert_true(recording_follow(recording, world->subscriber, 1));
    recording_head(recording, 200, NULL, 0);
    recording_data(recording, str_from("data: a\n\ndata: b\n\n"));
    const char *heard = hear(world);
    assert_non_null(strstr(heard, ":1\ndata: a\n\n"));
    assert_non_null(strstr(heard, ":2\ndata: b\n\n"));
    follower_drop(follower_of(world->subscriber, 1));
    assert_int_equal(attach(world, stream, 1, 2), ATTACH_OK);
    heard = hear(world);
    assert_null(strstr(heard, "data: a"));
    assert_non_null(strstr(heard, "data: b"));
    follower_drop(follower_of(world->subscriber, 2));

    /* Nobody reads: it is given up when the time is over, not before. */
    world->now_ms += GRACE_MS - 1;
    loop_turn(world->loop, 0);
    assert_int_equal(world->abandoned, 0);
    assert_int_equal(attach(world, stream, 2, 3), ATTACH_OK);
    world->now_ms += GRACE_MS;
    loop_turn(world->loop, 0);
    assert_int_equal(world->abandoned, 0);
    follower_drop(follower_of(world->subscriber, 3));
    world->now_ms += GRACE_MS;
    loop_turn(world->loop, 0);
    assert_int_equal(world->abandoned, 1);
    finish(world, recording, "data: cut\n\n", RECORDING_CUT);
    (void)hear(world);
    assert_int_equal(attach(world, stream, 2, 4), ATTACH_OK);
    heard = hear(world);
    assert_non_null(strstr(heard, ":3\ndata: cut\n\n<cut>"));

    restart(world, two_hours_later_us);
    assert_int_equal(attach(world, stream, 0, 5), ATTACH_GONE);
    assert_int_equal(attach(world, "0123456789ab-0000000000000001", 0, 5), ATTACH_ELSEWHERE);
    assert_int_equal(attach(world, "x", 0, 5), ATTACH_GONE);
}

static void interrupted_by_a_restart(void **state)
{
    struct world *world         = *state;
    struct recording *announced = record(world, true, NULL);
    struct recording *said      = record(world, true, NULL);
    char streams[2][ANSWERS_STREAM_SIZE];
    (void)snprintf(streams[0], sizeof streams[0], "%s", recording_stream(announced));
    (void)snprintf(streams[1], sizeof streams[1], "%s", recording_stream(said));
    recording_head(said, 200, NULL, 0);
    recording_data(said, str_from("data: a\n\ndata: b\n\n"));
    world->now_ms += RECORDING_WRITE_MS;
    loop_turn(world->loop, 0);
    while (answers_waiting(world->answers) > 0) loop_turn(world->loop, 100);
    restart(world, unix_us);
    assert_int_equal(attach(world, streams[0], 0, 1), ATTACH_OK);
    const char *heard = hear(world);
    assert_non_null(strstr(heard, "200 id: "));
    assert_non_null(strstr(heard, ":9223372036854775807\ndata: interrupted\n\n<cut>"));
    assert_int_equal(attach(world, streams[1], 1, 2), ATTACH_OK);
    heard = hear(world);
    assert_null(strstr(heard, "data: a"));
    assert_non_null(strstr(heard, ":2\ndata: b\n\n"));
    assert_non_null(strstr(heard, "data: interrupted\n\n<cut>"));
    assert_int_equal(attach(world, streams[1], 50, 3), ATTACH_OK); /* it had seen more */
    assert_int_equal(strncmp(hear(world), "200 id: ", 8), 0);
    assert_int_equal(attach(world, streams[1], FRAMES_LAST_SEQUENCE, 4), ATTACH_OK);
    assert_string_equal(hear(world), "200 <cut>");
}

static void too_long_to_be_kept(void **state)
{
    struct world *world         = *state;
    struct recording *recording = record(world, true, NULL);
    char stream[ANSWERS_STREAM_SIZE];
    CLEANUP(buf_done) struct buf event = buf_init(PIECE_SIZE);
    (void)buf_put_text(&event, "data: ");
    while (event.len < PIECE_SIZE - 2) (void)buf_put_byte(&event, 'x');
    (void)buf_put_text(&event, "\n\n");
    (void)snprintf(stream, sizeof stream, "%s", recording_stream(recording));
    recording_head(recording, 200, NULL, 0);
    for (int i = 0; i < RECORDING_MAX / PIECE_SIZE - 1; i++) {
        recording_data(recording, buf_str(&event));
        assert_false(recording_is_full(recording));
    }
    assert_int_equal(attach(world, stream, 0, 1), ATTACH_OK);
    recording_data(recording, buf_str(&event));
    recording_data(recording, buf_str(&event));
    assert_false(recording_is_kept(recording));
    assert_true(recording_is_full(recording)); /* its reader sets the pace now */
    assert_int_equal(attach(world, stream, 0, 2), ATTACH_GONE);
    size_t got = 0;
    while (recording_is_full(recording)) {
        (void)hear(world);
        got++;
        assert_true(got < 1'000);
    }
    assert_true(world->relieved > 0);
    follower_drop(follower_of(world->subscriber, 1));
    loop_turn(world->loop, 0); /* nobody can come back: it is given up at once */
    assert_int_equal(world->abandoned, 1);
    finish(world, recording, "data: cut\n\n", RECORDING_CUT);
    (void)hear(world);
    assert_int_equal(attach(world, stream, 0, 3), ATTACH_GONE);
}

/* What one piece of that size becomes, and when it is in the store or is not. */
static void say(struct world *world, struct recording *recording, const char *text, size_t size)
{
    CLEANUP(buf_done) struct buf event = buf_init(PIECE_SIZE + 16);
    (void)buf_printf(&event, "data: %s", text);
    while (event.len < size) (void)buf_put_byte(&event, 'x');
    (void)buf_put_text(&event, "\n\n");
    recording_data(recording, buf_str(&event));
    world->now_ms += RECORDING_WRITE_MS;
    loop_turn(world->loop, 0);
    while (answers_waiting(world->answers) > 0) loop_turn(world->loop, 100);
}

static void a_full_store_leaves_no_hole(void **state)
{
    struct world *world = *state;
    char streams[2][ANSWERS_STREAM_SIZE];
    end(world);
    world->size_max = PIECE_SIZE / 2;
    begin(world, unix_us);
    struct recording *left = record(world, true, NULL);
    struct recording *read = record(world, true, NULL);
    (void)snprintf(streams[0], sizeof streams[0], "%s", recording_stream(left));
    (void)snprintf(streams[1], sizeof streams[1], "%s", recording_stream(read));
    assert_true(recording_follow(read, world->subscriber, 1));
    recording_head(left, 200, NULL, 0);
    recording_head(read, 200, NULL, 0);
    say(world, left, "a", 0);
    say(world, read, "a", 0);
    assert_true(recording_is_kept(read));
    say(world, left, "b", PIECE_SIZE);
    say(world, read, "b", PIECE_SIZE);
    say(world, read, "c", 0); /* there is room again */
    assert_false(recording_is_kept(read));
    assert_int_equal(attach(world, streams[1], 1, 2), ATTACH_GONE);
    assert_int_equal(attach(world, streams[0], 1, 2), ATTACH_GONE);
    assert_int_equal(world->abandoned, 1); /* the one that nobody reads */
    world->relieved = 0;
    while (recording_is_full(read)) (void)hear(world);
    finish(world, left, "data: cut\n\n", RECORDING_CUT);
    finish(world, read, "data: d\n\n", RECORDING_BOUGHT);
    const char *heard = hear(world);
    assert_non_null(strstr(heard, "data: d\n\n<complete>"));
    world->size_max = 0;
    restart(world, unix_us);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(attach(world, streams[i], 0, 3), ATTACH_GONE);
    }
}

/* As it is if not even the forgetting has found room. */
static void a_stream_with_a_hole_is_forgotten(void **state)
{
    static const struct {
        uint64_t pieces[3];
        enum attach_verdict verdict;
    } rows[] = {{{0, 1, 2}, ATTACH_OK}, {{0, 1, 3}, ATTACH_GONE}, {{1, 2, 3}, ATTACH_GONE}};
    struct world *world = *state;
    char streams[ARRAY_LEN(rows)][ANSWERS_STREAM_SIZE];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t number = answers_next_number(world->answers);
        answers_stream_name(world->answers, number, streams[i]);
        for (size_t k = 0; k < ARRAY_LEN(rows[i].pieces); k++) {
            Pb__StreamPiece piece = PB__STREAM_PIECE__INIT;
            piece.operation       = PB__LLM_OPERATION__LLM_OPERATION_OPENAI_CHAT;
            piece.namespace_      = "default";
            answers_append(world->answers, number, rows[i].pieces[k], &piece, NULL, NULL);
        }
    }
    while (answers_waiting(world->answers) > 0) loop_turn(world->loop, 100);
    restart(world, unix_us);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(attach(world, streams[i], 0, 1 + i), rows[i].verdict);
    }
    (void)hear(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(kept_for_a_day_over_restarts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_claimed_key_is_running, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_of_streams, set_up, tear_down),
        cmocka_unit_test(frames_and_their_ids),
        cmocka_unit_test_setup_teardown(a_process_knows_whose_place_it_takes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_has_a_copy_takes_nobodys_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_last_words_wait_for_the_store, set_up, tear_down),
        cmocka_unit_test_setup_teardown(readers_come_and_go, set_up, tear_down),
        cmocka_unit_test_setup_teardown(interrupted_by_a_restart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(too_long_to_be_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_store_leaves_no_hole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stream_with_a_hole_is_forgotten, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
