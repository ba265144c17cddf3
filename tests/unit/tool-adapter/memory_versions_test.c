/* Embedding versions: refused beside each other, embedded anew, given up, replaced. */
#include "support/memory_fixture.h"

static void refuses_other_versions(void **state)
{
    struct fixture *it = *state;
    (void)answer(it, 200, "memory.remember", "{\"key\":\"a\",\"content\":\"one\"}");
    json body =
        answer(it, 409, "memory.remember", "{\"key\":\"b\",\"content\":\"x\",\"vector\":[1,2,3]}");
    assert_says(body, "letters/8/1");
    assert_says(body, "?/3/1");
    body = answer(it, 409, "memory.recall", "{\"vector\":[1,2,3,4,5,6,7,8],\"model\":\"numbers\"}");
    assert_says(body, "numbers/8/1");
    it->name = "words";
    body     = answer(it, 409, "memory.remember", "{\"key\":\"c\",\"content\":\"new\"}");
    assert_says(body, "words/8/1");
    assert_says(body, "letters/8/1");
    (void)answer(it, 200, "memory.recall", "{\"vector\":[1,2,3,4,5,6,7,8],\"model\":\"letters\"}");
    (void)answer(it, 400, "memory.recall", "{\"vector\":[0,0,0,0,0,0,0,0]}");
}

static void reembeds(void **state)
{
    struct fixture *it = *state;
    (void)answer(it, 200, "memory.remember_many",
                 "{\"items\":[{\"key\":\"a\",\"content\":\"1\"},{\"key\":\"b\",\"content\":\"2\"},"
                 "{\"key\":\"c\",\"content\":\"3\"}]}");
    it->name       = "wide";
    it->dimensions = 16;
    json body      = answer(it, 200, "memory.reembed", "{\"to\":\"wide\",\"limit\":2}");
    assert_true(json_is(member(body, "done"), JSON_FALSE));
    assert_int_equal(int_at(body, "embedded"), 2);
    assert_true(str_is(text_at(body, "cursor"), "2"));
    body = answer(it, 409, "memory.reembed", "{\"to\":\"third\"}");
    assert_says(body, "wide/16/1");

    /* Meanwhile: searches use the old one, what is new is embedded by both. */
    it->name       = NULL;
    it->dimensions = DIMENSIONS;
    body           = answer(it, 200, "memory.recall", "{\"query\":\"3\",\"limit\":1}");
    assert_true(str_is(text_at(json_at(member(body, "items"), 0), "key"), "c"));
    (void)answer(it, 409, "memory.remember", "{\"key\":\"d\",\"content\":\"4\"}");

    it->name       = "wide";
    it->dimensions = 16;
    body = answer(it, 200, "memory.reembed", "{\"to\":\"wide\",\"limit\":2,\"cursor\":\"2\"}");
    assert_int_equal(int_at(body, "embedded"), 1);
    assert_true(json_is(member(body, "done"), JSON_TRUE));
    json space = json_at(
        member(answer(it, 200, "memory.stats", "{\"namespace\":\"default\"}"), "spaces"), 0);
    assert_true(str_is(text_at(member(space, "current"), "version"), "wide/16/1"));
    assert_true(json_is(member(space, "next"), JSON_NULL));
    body = answer(it, 200, "memory.recall", "{\"query\":\"3\",\"limit\":1}");
    assert_true(str_is(text_at(json_at(member(body, "items"), 0), "key"), "c"));
    unsigned before = it->asked;
    body            = answer(it, 200, "memory.reembed", "{\"to\":\"wide\"}");
    assert_true(json_is(member(body, "done"), JSON_TRUE));
    assert_int_equal(it->asked, before);
}

/* A version that was begun, of whose model the other half is missing. */
static void begin_a_version(struct fixture *it)
{
    (void)answer(
        it, 200, "memory.remember_many",
        "{\"items\":[{\"key\":\"a\",\"content\":\"1\"},{\"key\":\"b\",\"content\":\"2\"}]}");
    it->name = "wide";
    (void)answer(it, 200, "memory.reembed", "{\"to\":\"wide\",\"limit\":1}");
}

static json current_of(struct fixture *it, const char *which)
{
    json body = answer(it, 200, "memory.stats", "{\"namespace\":\"default\"}");
    return member(json_at(member(body, "spaces"), 0), which);
}

/* A model that does not come back keeps nobody from remembering. */
static void gives_a_begun_version_up(void **state)
{
    struct fixture *it = *state;
    begin_a_version(it);
    it->name = NULL;
    (void)answer(it, 409, "memory.remember", "{\"key\":\"c\",\"content\":\"3\"}");
    json body = answer(it, 200, "memory.reembed", "{\"give_up\":true}");
    assert_true(str_is(text_at(body, "cursor"), ""));
    assert_true(json_is(member(body, "done"), JSON_TRUE));
    assert_true(json_is(current_of(it, "next"), JSON_NULL));
    assert_true(str_is(text_at(current_of(it, "current"), "version"), "letters/8/1"));
    (void)answer(it, 200, "memory.remember", "{\"key\":\"c\",\"content\":\"3\"}");
    body = answer(it, 200, "memory.reembed", "{\"give_up\":true}");
    assert_true(json_is(member(body, "done"), JSON_TRUE));
}

static void replaces_a_begun_version(void **state)
{
    struct fixture *it = *state;
    begin_a_version(it);
    it->name = "third";
    /* The name is the same and what answers to it is not. */
    json body = answer(it, 409, "memory.reembed", "{\"to\":\"wide\",\"cursor\":\"1\"}");
    assert_says(body, "third/8/1");
    (void)answer(it, 200, "memory.reembed", "{\"to\":\"wide\",\"cursor\":\"1\",\"replace\":true}");
    assert_true(str_is(text_at(current_of(it, "next"), "version"), "third/8/1"));
    it->name = "fourth";
    body     = answer(it, 200, "memory.reembed",
                      "{\"to\":\"fourth\",\"cursor\":\"2\",\"limit\":1,\"replace\":true}");
    assert_true(str_is(text_at(body, "cursor"), "1"));
    body =
        answer(it, 200, "memory.reembed", "{\"to\":\"fourth\",\"cursor\":\"1\",\"replace\":true}");
    assert_true(json_is(member(body, "done"), JSON_TRUE));
    assert_true(str_is(text_at(current_of(it, "current"), "version"), "fourth/8/1"));
    assert_int_equal(int_at(current_of(it, "current"), "vectors"), 2);
}

static void starts_over_with_a_cursor_that_is_wrong(void **state)
{
    struct fixture *it = *state;
    (void)answer(
        it, 200, "memory.remember_many",
        "{\"items\":[{\"key\":\"a\",\"content\":\"1\"},{\"key\":\"b\",\"content\":\"2\"}]}");
    it->name  = "wide";
    json body = answer(it, 200, "memory.reembed", "{\"to\":\"wide\",\"cursor\":\"1\"}");
    assert_true(json_is(member(body, "done"), JSON_FALSE));
    assert_true(str_is(text_at(body, "cursor"), ""));
    body = answer(it, 200, "memory.reembed", "{\"to\":\"wide\"}");
    assert_true(json_is(member(body, "done"), JSON_TRUE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MEMORY_TEST(reembeds),
        MEMORY_TEST(gives_a_begun_version_up),
        MEMORY_TEST(replaces_a_begun_version),
        MEMORY_TEST(starts_over_with_a_cursor_that_is_wrong),
        MEMORY_TEST(refuses_other_versions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
