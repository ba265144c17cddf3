/* What is remembered, recalled, listed and deleted; limits, threads, restarts. */
#include "support/folder.h"
#include "support/memory_fixture.h"

#include "base/log.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static void remembers_and_recalls(void **state)
{
    struct fixture *it = *state;
    (void)answer(it, 200, "memory.remember",
                 "{\"key\":\"a\",\"content\":\"aaab\",\"metadata\":{\"n\":1},\"subject\":\"ann\"}");
    assert_int_equal(it->calls, 1);
    (void)answer(it, 200, "memory.remember", "{\"key\":\"b\",\"content\":\"bbba\"}");
    json body  = answer(it, 200, "memory.recall", "{\"query\":\"aaaa\",\"limit\":2}");
    json items = member(body, "items");
    assert_int_equal(json_count(items), 2);
    assert_true(str_is(text_at(json_at(items, 0), "key"), "a"));
    assert_true(str_is(text_at(json_at(items, 0), "content"), "aaab"));
    assert_int_equal(int_at(member(json_at(items, 0), "metadata"), "n"), 1);
    double score = json_number(member(json_at(items, 0), "score"));
    assert_true(score > 0.9 && score <= 1);
    assert_int_equal(text_at(json_at(items, 0), "id").len, UUID_TEXT_SIZE - 1);
    body = answer(it, 200, "memory.recall", "{\"query\":\"aaaa\",\"min_score\":0.9}");
    assert_int_equal(json_count(member(body, "items")), 1);
    body = answer(it, 200, "memory.recall", "{\"query\":\"b\",\"filter\":{\"n\":1}}");
    assert_true(str_is(text_at(json_at(member(body, "items"), 0), "key"), "a"));
    assert_int_equal(json_count(member(body, "items")), 1);
    body = answer(it, 200, "memory.recall", "{\"query\":\"b\",\"subject\":\"bob\"}");
    assert_int_equal(json_count(member(body, "items")), 0);
    body = answer(it, 200, "memory.recall", "{\"namespace\":\"other\",\"query\":\"b\"}");
    assert_int_equal(json_count(member(body, "items")), 0);
    (void)snprintf(it->tenant, sizeof it->tenant, "else");
    body = answer(it, 200, "memory.get", "{\"key\":\"a\"}");
    assert_true(json_is(member(body, "item"), JSON_NULL));
}

static void embeds_nothing_twice(void **state)
{
    struct fixture *it        = *state;
    static const char items[] = "{\"items\":[{\"key\":\"a\",\"content\":\"one\"},"
                                "{\"key\":\"b\",\"content\":\"two\"}]}";
    (void)answer(it, 200, "memory.remember_many", items);
    assert_int_equal(it->asked, 2);
    (void)answer(it, 200, "memory.remember_many", items);
    assert_int_equal(it->asked, 2);
    assert_int_equal(it->calls, 0);
    (void)answer(it, 200, "memory.remember",
                 "{\"key\":\"a\",\"content\":\"one\",\"metadata\":{\"x\":true}}");
    assert_int_equal(it->asked, 2);
    json item = member(answer(it, 200, "memory.get", "{\"key\":\"a\"}"), "item");
    assert_true(json_is(member(member(item, "metadata"), "x"), JSON_TRUE));
    (void)answer(it, 200, "memory.remember", "{\"key\":\"a\",\"content\":\"three\"}");
    assert_int_equal(it->asked, 3);
    json space = json_at(member(answer(it, 200, "memory.stats", "{}"), "spaces"), 0);
    assert_int_equal(int_at(space, "count"), 2);
    assert_int_equal(int_at(member(space, "current"), "vectors"), 2);
}

static void takes_vectors_that_are_given(void **state)
{
    struct fixture *it = *state;
    (void)answer(it, 200, "memory.remember_many",
                 "{\"items\":[{\"key\":\"x\",\"content\":\"x\",\"vector\":[1,0,0]},"
                 "{\"key\":\"y\",\"content\":\"y\",\"vector\":[0,2,0]}]}");
    assert_int_equal(it->asked, 0);
    json items =
        member(answer(it, 200, "memory.recall", "{\"vector\":[1,3,0],\"limit\":1}"), "items");
    assert_true(str_is(text_at(json_at(items, 0), "key"), "y"));
    it->dimensions = 3;
    (void)answer(it, 200, "memory.recall", "{\"query\":\"words\"}");
}

static void a_model_that_is_away_changes_nothing(void **state)
{
    struct fixture *it = *state;
    it->dimensions     = 0;
    assert_int_equal(ask(it, "memory.remember", "{\"key\":\"a\",\"content\":\"one\"}"), STATUS_OK);
    assert_int_equal(it->code, STATUS_UNAVAILABLE);
    it->dimensions = DIMENSIONS;
    json body      = answer(it, 200, "memory.stats", "{}");
    assert_int_equal(json_count(member(body, "spaces")), 0);
}

static void deletes(void **state)
{
    struct fixture *it = *state;
    (void)answer(
        it, 200, "memory.remember_many",
        "{\"items\":[{\"key\":\"d\",\"content\":\"1\"},{\"key\":\"d#0\",\"content\":\"2\"},"
        "{\"key\":\"d#1\",\"content\":\"3\",\"subject\":\"ann\"},{\"key\":\"d2\",\"content\":\"4\"}"
        ","
        "{\"key\":\"e\",\"content\":\"5\",\"subject\":\"ann\",\"metadata\":{\"k\":[1]}},"
        "{\"key\":\"f\",\"content\":\"6\",\"metadata\":{\"k\":[1]}}]}");
    assert_int_equal(int_at(answer(it, 200, "memory.delete", "{\"document\":\"d\"}"), "deleted"),
                     3);
    assert_int_equal(int_at(answer(it, 200, "memory.delete", "{\"subject\":\"ann\"}"), "deleted"),
                     1);
    assert_int_equal(
        int_at(answer(it, 200, "memory.delete", "{\"filter\":{\"k\":[1]}}"), "deleted"), 1);
    assert_int_equal(
        int_at(answer(it, 200, "memory.delete", "{\"keys\":[\"f\",\"d2\"]}"), "deleted"), 1);
    json space = json_at(member(answer(it, 200, "memory.stats", "{}"), "spaces"), 0);
    assert_int_equal(int_at(space, "count"), 0);
    assert_int_equal(int_at(member(space, "current"), "vectors"), 0);
    json body = answer(it, 200, "memory.recall", "{\"query\":\"1\"}");
    assert_int_equal(json_count(member(body, "items")), 0);
}

static void lists_in_pages(void **state)
{
    struct fixture *it = *state;
    (void)answer(it, 200, "memory.remember_many",
                 "{\"items\":[{\"key\":\"c\",\"content\":\"1\"},{\"key\":\"a\",\"content\":\"2\"},"
                 "{\"key\":\"b\",\"content\":\"3\",\"metadata\":{\"x\":1}}]}");
    json body = answer(it, 200, "memory.list", "{\"limit\":2}");
    assert_int_equal(json_count(member(body, "items")), 2);
    assert_true(str_is(text_at(body, "cursor"), "b"));
    body = answer(it, 200, "memory.list", "{\"limit\":2,\"cursor\":\"b\"}");
    assert_true(str_is(text_at(json_at(member(body, "items"), 0), "key"), "c"));
    assert_true(json_is(member(body, "cursor"), JSON_NULL));
    body = answer(it, 200, "memory.list", "{\"filter\":{\"x\":1}}");
    assert_int_equal(json_count(member(body, "items")), 1);
}

/* A document that has become shorter: what it had behind its last chunk goes with the next call. */
static void drops_what_a_document_has_no_more(void **state)
{
    struct fixture *it = *state;
    (void)answer(it, 200, "memory.remember_many",
                 "{\"items\":[{\"key\":\"d#0\",\"content\":\"1\"},"
                 "{\"key\":\"d#1\",\"content\":\"2\"},{\"key\":\"d#10\",\"content\":\"3\"},"
                 "{\"key\":\"d#x\",\"content\":\"4\"},{\"key\":\"d#01\",\"content\":\"5\"},"
                 "{\"key\":\"d\",\"content\":\"6\"},{\"key\":\"d1#9\",\"content\":\"7\"}]}");
    json body = answer(it, 200, "memory.remember_many",
                       "{\"document\":\"d\",\"chunks\":1,"
                       "\"items\":[{\"key\":\"d#0\",\"content\":\"1\"}]}");
    assert_int_equal(int_at(body, "dropped"), 2);
    json space = json_at(member(answer(it, 200, "memory.stats", "{}"), "spaces"), 0);
    assert_int_equal(int_at(space, "count"), 5);
    assert_int_equal(int_at(member(space, "current"), "vectors"), 5);
    body =
        answer(it, 200, "memory.remember_many", "{\"document\":\"d\",\"chunks\":0,\"items\":[]}");
    assert_int_equal(int_at(body, "dropped"), 1);
    body = answer(it, 200, "memory.list", "{}");
    assert_int_equal(json_count(member(body, "items")), 4);
}

/* What an undo does: entries come back as they were, without the model. */
static void puts_entries_back(void **state)
{
    struct fixture *it = *state;
    (void)answer(it, 200, "memory.remember",
                 "{\"key\":\"a\",\"content\":\"old\",\"metadata\":{\"v\":1},\"subject\":\"s\"}");
    json body =
        answer(it, 200, "memory.get_entries", "{\"keys\":[\"a\",\"none\"],\"vectors\":true}");
    CLEANUP(buf_done) struct buf back = buf_init(1 << 16);
    assert_true(json_print(body, JSON_COMPACT, &back));
    (void)answer(it, 200, "memory.remember", "{\"key\":\"a\",\"content\":\"new\"}");
    assert_int_equal(it->asked, 2);
    (void)answer(it, 200, "memory.put_entries", back.ptr);
    assert_int_equal(it->asked, 2);
    json item = member(answer(it, 200, "memory.get", "{\"key\":\"a\"}"), "item");
    assert_true(str_is(text_at(item, "content"), "old"));
    assert_true(str_is(text_at(item, "subject"), "s"));
    body = answer(it, 200, "memory.recall", "{\"query\":\"old\",\"min_score\":0.999}");
    assert_int_equal(json_count(member(body, "items")), 1);
}

/* --- another version ----------------------------------------------------------------------------
 */

static void another_thread_makes_the_space(struct fixture *it)
{
    it->meanwhile                   = NULL;
    float vector[DIMENSIONS]        = {1};
    const struct memory_scope scope = {.tenant    = str_from("acme"),
                                       .namespace = str_from("default")};
    struct memory_item item         = {
                .key = str_from("other"), .content = str_from("o"), .vectors = {[MEMORY_CURRENT] = vector}};
    const struct memory_space space = {
        .versions = {
            {.model = str_from("letters"), .dimensions = DIMENSIONS, .label = str_from("1")}}};
    sha256(bytes_from(item.content), item.hash);
    assert_int_equal(memory_write(it->memory.store, &scope, &space, &item, 1, 1, NULL), STATUS_OK);
}

static void two_make_a_space_at_once(void **state)
{
    struct fixture *it = *state;
    it->meanwhile      = another_thread_makes_the_space;
    (void)answer(it, 200, "memory.remember", "{\"key\":\"a\",\"content\":\"one\"}");
    json space = json_at(member(answer(it, 200, "memory.stats", "{}"), "spaces"), 0);
    assert_int_equal(int_at(space, "count"), 2);
}

/* More than a row of vectors holds, taken away one by one. */
static void holds_many(void **state)
{
    enum { COUNT = 200 };
    struct fixture *it              = *state;
    const struct memory_scope scope = {.tenant    = str_from(it->tenant),
                                       .namespace = str_from("default")};
    uint64_t deleted                = 0;
    for (unsigned i = 0; i < COUNT; i++) {
        char settings[128];
        (void)snprintf(settings, sizeof settings,
                       "{\"key\":\"%03u\",\"content\":\"x\",\"vector\":[%u,1]}", i, i);
        (void)answer(it, 200, "memory.remember", settings);
    }
    json items =
        member(answer(it, 200, "memory.recall", "{\"vector\":[1,0],\"limit\":100}"), "items");
    assert_int_equal(json_count(items), 100);
    for (unsigned i = 0; i < 100; i++) {
        char key[8];
        (void)snprintf(key, sizeof key, "%03u", COUNT - 1 - i);
        assert_true(str_is(text_at(json_at(items, i), "key"), key));
    }
    for (unsigned i = 0; i < COUNT; i++) {
        char key[8];
        (void)snprintf(key, sizeof key, "%03u", i);
        const str name = str_from(key);
        assert_int_equal(memory_delete_keys(it->memory.store, &scope, &name, 1, &deleted, NULL),
                         STATUS_OK);
        assert_int_equal(deleted, 1);
    }
    json space = json_at(member(answer(it, 200, "memory.stats", "{}"), "spaces"), 0);
    assert_int_equal(int_at(member(space, "current"), "vectors"), 0);
}

/* --- limits of looking and deleting -------------------------------------------------------------
 */

enum { MANY = 1'100, MANY_BATCH = 100, METADATA_SIZE = 2'000 };

static const struct memory_scope many_scope = {.tenant    = {.ptr = "acme", .len = 4},
                                               .namespace = {.ptr = "default", .len = 7}};

/* Entries with large metadata, every second one of the subject "odd". */
static void write_many(struct fixture *it)
{
    CLEANUP(buf_done) struct buf metadata = buf_init(METADATA_SIZE + 16);
    float vector[]                        = {1, 0};
    (void)buf_put_text(&metadata, "{\"x\":\"");
    for (unsigned i = 0; i < METADATA_SIZE; i++) (void)buf_put_byte(&metadata, 'x');
    (void)buf_put_text(&metadata, "\"}");
    for (unsigned from = 0; from < MANY; from += MANY_BATCH) {
        CLEANUP(arena_freep) struct arena *arena = arena_new(1 << 20);
        struct memory_item items[MANY_BATCH]     = {};
        char keys[MANY_BATCH][8];
        struct memory_space space = {};
        for (unsigned i = 0; i < MANY_BATCH; i++) {
            (void)snprintf(keys[i], sizeof keys[i], "%05u", from + i);
            items[i] = (struct memory_item){.key      = str_from(keys[i]),
                                            .content  = str_from("c"),
                                            .metadata = buf_str(&metadata),
                                            .subject  = str_from(i % 2 ? "odd" : "even"),
                                            .vectors  = {[MEMORY_CURRENT] = vector}};
        }
        assert_int_equal(
            memory_look(it->memory.store, &many_scope, items, MANY_BATCH, arena, &space, NULL),
            STATUS_OK);
        if (!space.id) {
            space.versions[MEMORY_CURRENT] = (struct memory_version){
                .model = str_from("m"), .dimensions = 2, .label = str_from("1")};
        }
        assert_int_equal(
            memory_write(it->memory.store, &many_scope, &space, items, MANY_BATCH, 1, NULL),
            STATUS_OK);
    }
}

/* What is looked at and not meant takes no memory of the answer's. */
static void looks_through_more_than_it_may_hold(void **state)
{
    struct fixture *it                       = *state;
    CLEANUP(arena_freep) struct arena *arena = arena_new(256 << 10);
    const atomic_bool is_cancelled           = false;
    const struct memory_until until          = {&is_cancelled, INT64_MAX};
    const struct memory_filter filter        = {.subject = str_from("nobody"), .limit = 10};
    struct memory_page page                  = {};
    write_many(it);
    assert_int_equal(
        memory_list(it->memory.store, &many_scope, &filter, &until, arena, &page, NULL), STATUS_OK);
    assert_int_equal(page.count, 0);
}

static void deletes_many_in_one_pass(void **state)
{
    struct fixture *it                = *state;
    const atomic_bool is_cancelled    = false;
    const struct memory_until until   = {&is_cancelled, INT64_MAX};
    const struct memory_filter filter = {.subject = str_from("odd")};
    uint64_t deleted                  = 0;
    write_many(it);
    assert_int_equal(
        memory_delete_matching(it->memory.store, &many_scope, &filter, &until, &deleted, NULL),
        STATUS_OK);
    assert_int_equal(deleted, MANY / 2);
    json space = json_at(member(answer(it, 200, "memory.stats", "{}"), "spaces"), 0);
    assert_int_equal(int_at(space, "count"), MANY / 2);
}

static void stops_when_it_is_told_to(void **state)
{
    struct fixture *it                       = *state;
    CLEANUP(arena_freep) struct arena *arena = arena_new(1 << 20);
    const atomic_bool yes                    = true;
    const atomic_bool no                     = false;
    const struct memory_filter filter        = {.subject = str_from("odd"), .limit = 10};
    const struct {
        struct memory_until until;
        status code;
    } rows[] = {{{&yes, INT64_MAX}, STATUS_CANCELLED}, {{&no, 0}, STATUS_DEADLINE_EXCEEDED}};
    write_many(it);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct memory_page page = {};
        uint64_t deleted        = 0;
        assert_int_equal(
            memory_list(it->memory.store, &many_scope, &filter, &rows[i].until, arena, &page, NULL),
            rows[i].code);
        assert_int_equal(memory_delete_matching(it->memory.store, &many_scope, &filter,
                                                &rows[i].until, &deleted, NULL),
                         rows[i].code);
        assert_int_equal(deleted, 0);
    }
}

/* Large entries are embedded anew a few at a time, whatever the limit says. */
static void reembeds_large_entries(void **state)
{
    enum { COUNT = 10, SIZE = 1'000'000 };
    struct fixture *it                = *state;
    CLEANUP(buf_done) struct buf text = buf_init(2 << 20);
    for (unsigned i = 0; i < COUNT; i++) {
        buf_clear(&text);
        (void)buf_printf(&text, "{\"key\":\"%u\",\"vector\":[1,2],\"content\":\"", i);
        for (unsigned at = 0; at < SIZE; at++) (void)buf_put_byte(&text, (char)('a' + i));
        (void)buf_put_text(&text, "\"}");
        (void)answer(it, 200, "memory.remember", text.ptr);
    }
    CLEANUP(buf_done) struct buf asked = buf_init(1000);
    (void)buf_put_text(&asked, "{\"to\":\"wide\",\"limit\":1000}");
    int64_t left = COUNT;
    for (bool is_done = false; !is_done;) {
        json body        = answer(it, 200, "memory.reembed", asked.ptr);
        int64_t embedded = int_at(body, "embedded");
        assert_in_range(embedded, 1,
                        MEMORY_EMBED_BATCH / SIZE + 1); /* fewer: it took MEMORY_READ_MS */
        left -= embedded;
        is_done = json_is(member(body, "done"), JSON_TRUE);
        buf_clear(&asked);
        if (!is_done) {
            (void)buf_printf(&asked, "{\"to\":\"wide\",\"limit\":1000,\"cursor\":\"" STR_FMT "\"}",
                             STR_ARG(text_at(body, "cursor")));
        }
    }
    assert_int_equal(left, 0);
}

/* Also where the rounding of a vector's length is on the other side. */
static void scores_are_cosines(void **state)
{
    enum { TEXTS = 60, TEXT_MAX = 128 };
    struct fixture *it = *state;
    for (int i = 1; i <= TEXTS; i++) {
        char written[TEXT_MAX];
        char asked[TEXT_MAX];
        (void)snprintf(written, sizeof written, "{\"key\":\"a\",\"content\":\"%0*d\"}", i, i);
        (void)snprintf(asked, sizeof asked, "{\"query\":\"%0*d\"}", i, i);
        (void)answer(it, 200, "memory.remember", written);
        json found   = answer(it, 200, "memory.recall", asked);
        double score = json_number(member(json_at(member(found, "items"), 0), "score"));
        assert_true(score > 0.999 && score <= 1);
    }
}

/* --- what is refused ----------------------------------------------------------------------------
 */

static void refuses(void **state)
{
    struct fixture *it = *state;
    static const struct {
        const char *function, *settings;
    } rows[] = {
        {"memory.remember", "{\"content\":\"x\"}"},
        {"memory.remember", "{\"key\":\"a\"}"},
        {"memory.remember", "{\"key\":\"\",\"content\":\"x\"}"},
        {"memory.remember", "{\"key\":\"a\",\"content\":\"\"}"},
        {"memory.remember", "{\"key\":\"a\\u0000b\",\"content\":\"x\"}"},
        {"memory.remember", "{\"key\":\"a\",\"content\":\"x\",\"metadata\":1}"},
        {"memory.remember", "{\"key\":\"a\",\"content\":\"x\",\"vector\":[]}"},
        {"memory.remember", "{\"key\":\"a\",\"content\":\"x\",\"vector\":[\"1\"]}"},
        {"memory.remember", "{\"key\":\"a\",\"content\":\"x\",\"vector\":[1e300]}"},
        {"memory.remember", "{\"key\":\"a\",\"content\":\"x\",\"vector\":\"!\"}"},
        {"memory.remember",
         "{\"key\":\"a\",\"content\":\"x\",\"model\":\"numbers\"}"}, /* of no vector */
        {"memory.remember_many",
         "{\"items\":[{\"key\":\"a\",\"content\":\"x\",\"model\":\"numbers\"}]}"},
        {"memory.recall", "{\"query\":\"x\",\"model\":\"numbers\"}"},
        {"memory.remember_many", "{\"items\":{}}"},
        {"memory.remember_many",
         "{\"items\":[{\"key\":\"a\",\"content\":\"x\"},{\"key\":\"a\",\"content\":\"y\"}]}"},
        {"memory.recall", "{}"},
        {"memory.recall", "{\"query\":\"x\",\"limit\":101}"},
        {"memory.recall", "{\"query\":\"x\",\"min_score\":\"1\"}"},
        {"memory.recall", "{\"query\":\"x\",\"filter\":[]}"},
        {"memory.delete", "{}"},
        {"memory.delete", "{\"filter\":{}}"},
        {"memory.delete", "{\"keys\":[\"a\"],\"subject\":\"b\"}"},
        {"memory.delete", "{\"keys\":[1]}"},
        {"memory.list", "{\"limit\":0}"},
        {"memory.reembed", "{\"cursor\":\"x\"}"},
        {"memory.remember_many", "{\"items\":[],\"document\":\"d\"}"},
        {"memory.remember_many", "{\"items\":[],\"chunks\":1}"},
        {"memory.remember_many", "{\"items\":[],\"document\":\"d\",\"chunks\":-1}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(ask(it, rows[i].function, rows[i].settings), STATUS_INVALID_ARGUMENT);
    }
    assert_int_equal(ask(it, "memory.dream", "{}"), STATUS_UNIMPLEMENTED);
}

static void is_full(void **state)
{
    struct fixture *it                        = *state;
    const struct memory_store_options options = {.size_max = 64 << 10};
    memory_store_closep(&it->memory.store);
    assert_int_equal(memory_store_open(&options, &it->memory.store, NULL), STATUS_OK);
    CLEANUP(buf_done) struct buf text = buf_init(1 << 20);
    (void)buf_put_text(&text, "{\"key\":\"a\",\"content\":\"");
    for (unsigned i = 0; i < 100'000; i++) (void)buf_put_byte(&text, 'x');
    (void)buf_put_text(&text, "\"}");
    (void)answer(it, 507, "memory.remember", text.ptr);
    (void)answer(it, 200, "memory.stats", "{}");
}

static void cancels(void **state)
{
    struct fixture *it                    = *state;
    CLEANUP(json_unrefp) json settings    = json_object_new(1);
    const struct engine_handlers handlers = {.done = on_done, .context = it};
    const struct engine_request request   = {.function  = "memory.stats",
                                             .settings  = settings,
                                             .config    = it->config,
                                             .namespace = str_from("acme"),
                                             .total_ms  = 1'000};
    struct engine_call *call              = NULL;
    it->is_done                           = false;
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(module_start(&it->module, &request, &handlers, &call, NULL), STATUS_OK);
        module_cancel(call);
    }
    work_pool_freep(&it->pool);
    assert_int_equal(it->module.calls, 0);
    assert_false(it->is_done);
}

/* On a disk: what was written is there in the next process. */
static void is_durable(void **state)
{
    struct fixture *it                                = *state;
    CLEANUP(folder_remove) struct folder const folder = folder_new();
    const struct memory_store_options options = {.path = folder.path, .size_max = SIZE_MAX_BYTES};
    for (unsigned round = 0; round < 2; round++) {
        memory_store_closep(&it->memory.store);
        assert_int_equal(memory_store_open(&options, &it->memory.store, NULL), STATUS_OK);
        (void)answer(it, 200, "memory.remember", "{\"key\":\"a\",\"content\":\"one\"}");
        json body = answer(it, 200, "memory.recall", "{\"query\":\"one\"}");
        assert_int_equal(json_count(member(body, "items")), 1);
    }
    assert_int_equal(it->asked, 3); /* the text once, the query twice */
    memory_store_closep(&it->memory.store);
}

/* --- arithmetic ---------------------------------------------------------------------------------
 */

/* --- outgrown ---------------------------------------------------------------------------------
 */

/* What the log said while `body` ran. */
static void logged(struct fixture *it, void (*body)(struct fixture *it), size_t size,
                   char *ret_text)
{
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    (void)fflush(stdout);
    int saved = dup(STDOUT_FILENO);
    assert_true(saved >= 0 && dup2(fds[1], STDOUT_FILENO) >= 0);
    body(it);
    log_flush();
    assert_true(dup2(saved, STDOUT_FILENO) >= 0);
    (void)close(saved);
    (void)close(fds[1]);
    size_t len = 0;
    for (ssize_t got = 1; got > 0 && len<size - 1; len += got> 0 ? (size_t)got : 0) {
        got = read(fds[0], ret_text + len, size - 1 - len);
    }
    ret_text[len] = '\0';
    (void)close(fds[0]);
}

static void stays_small(struct fixture *it)
{
    (void)answer(it, 200, "memory.remember", "{\"key\":\"a\",\"content\":\"a\"}");
    (void)answer(it, 200, "memory.recall", "{\"query\":\"a\"}");
    (void)answer(it, 200, "memory.remember", "{\"key\":\"b\",\"content\":\"b\"}");
}

static void is_used_on(struct fixture *it)
{
    (void)answer(it, 200, "memory.recall", "{\"query\":\"a\"}");
    (void)answer(it, 200, "memory.recall", "{\"query\":\"a\"}");
    (void)answer(it, 200, "memory.remember", "{\"key\":\"c\",\"content\":\"c\"}");
}

static bool is_slow(struct fixture *it)
{
    json space = json_at(member(answer(it, 200, "memory.stats", "{}"), "spaces"), 0);
    return json_is(member(space, "is_slow"), JSON_TRUE);
}

static void says_once_that_it_is_outgrown(void **state)
{
    struct fixture *it = *state;
    char text[4096];
    it->memory.slow_count = 2;
    logged(it, stays_small, sizeof text, text);
    assert_null(strstr(text, "memory.slow"));
    assert_true(is_slow(it));
    logged(it, is_used_on, sizeof text, text);
    const char *said = strstr(text, "memory.slow");
    assert_non_null(said);
    assert_non_null(strstr(said, "Qdrant"));
    assert_non_null(strstr(said, "\"entries\":2"));
    assert_non_null(strstr(said, "docs/guide/memory.md"));
    assert_null(strstr(said + 1, "memory.slow"));
    (void)snprintf(it->tenant, sizeof it->tenant, "else");
    logged(it, stays_small, sizeof text, text);
    logged(it, is_used_on, sizeof text, text);
    assert_non_null(strstr(text, "\"namespace\":\"else\""));
}

static void says_it_of_so_many_and_no_more(void **)
{
    struct slow_spaces spaces = {};
    for (uint32_t id = 1; id <= SLOW_SPACES_MAX; id++) {
        assert_true(slow_spaces_add(&spaces, id));
        assert_false(slow_spaces_add(&spaces, id));
    }
    assert_false(slow_spaces_add(&spaces, SLOW_SPACES_MAX + 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MEMORY_TEST(remembers_and_recalls),
        MEMORY_TEST(embeds_nothing_twice),
        MEMORY_TEST(takes_vectors_that_are_given),
        MEMORY_TEST(a_model_that_is_away_changes_nothing),
        MEMORY_TEST(deletes),
        MEMORY_TEST(lists_in_pages),
        MEMORY_TEST(drops_what_a_document_has_no_more),
        MEMORY_TEST(puts_entries_back),
        MEMORY_TEST(looks_through_more_than_it_may_hold),
        MEMORY_TEST(deletes_many_in_one_pass),
        MEMORY_TEST(stops_when_it_is_told_to),
        MEMORY_TEST(reembeds_large_entries),
        MEMORY_TEST(two_make_a_space_at_once),
        MEMORY_TEST(holds_many),
        MEMORY_TEST(scores_are_cosines),
        MEMORY_TEST(refuses),
        MEMORY_TEST(is_full),
        MEMORY_TEST(cancels),
        MEMORY_TEST(is_durable),
        MEMORY_TEST(says_once_that_it_is_outgrown),
        cmocka_unit_test(says_it_of_so_many_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
