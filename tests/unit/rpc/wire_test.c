#include "cmocka.h"
#include "rpc/wire.h"

#include "echo.pb-c.h"

#include <stdlib.h>

struct row {
    const char *name;
    const char *data;
    size_t size;
    bool is_accepted;
};

#define ROW(name, text, accepted)                                                                  \
    {                                                                                              \
        name, text, sizeof(text) - 1, accepted                                                     \
    }

/* Bytes of tutti.test.Every; what is refused is hostile or of a newer, incompatible peer. */
static const struct row rows[] = {
    ROW("nothing", "", true),
    ROW("a string", "\x0a\x02hi", true),
    ROW("a string with NUL",
        "\x0a\x06"
        "allow\0",
        false),
    ROW("invalid UTF-8", "\x0a\x01\xff", false),
    ROW("a surrogate", "\x0a\x03\xed\xa0\x80", false),
    ROW("NUL in bytes", "\x12\x01\0", true),
    ROW("a string cut off", "\x0a\x05hi", false),
    ROW("a length of 2^64 - 1", "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", false),
    ROW("an integer of 11 bytes", "\x48\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", false),
    ROW("packed", "\x1a\x03\x01\x02\x03", true),
    ROW("not packed", "\x18\x01\x18\x02", true),
    ROW("packed and cut off", "\x1a\x02\x01\x82", false),
    ROW("packed longer than its parent", "\x1a\x03\x01\x02", false),
    ROW("packed where there is one", "\x4a\x01\x01", false),
    ROW("string as integer", "\x08\x01", false),
    ROW("double as bytes", "\x3a\x01\x01", false),
    ROW("double", "\x39\0\0\0\0\0\0\xf0\x3f", true),
    ROW("double cut off", "\x39\0\0\0\0\0\0\xf0", false),
    ROW("fixed32", "\x45\x01\0\0\0", true),
    ROW("unknown field", "\xf8\x01\x01", true),
    ROW("unknown bytes", "\xfa\x01\x02\xff\0", true),
    ROW("field 0", "\x00\x01", false),
    ROW("group", "\x0b\x0c", false),
    ROW("message", "\x2a\x04\x0a\x02hi", true),
    ROW("NUL in the string of a message", "\x2a\x04\x0a\x02h\0", false),
    ROW("message longer than its parent", "\x2a\x05\x0a\x02hi", false),
    ROW("string longer than its message", "\x2a\x04\x0a\x03hi!", false),
    ROW("oneof twice",
        "\x5a\x01"
        "a\x60\x01",
        true),
    ROW("bool", "\x48\x01", true),
    ROW("wire type 7", "\x0f\x01", false),
};

static void bytes_are_accepted_or_refused(void **state)
{
    const struct row *row = *state;
    struct arena *arena   = arena_new(1 << 20);
    struct error error    = {};
    void *message         = NULL;
    uint8_t *copy         = malloc(row->size + 1); /* so that a read past the end is seen */
    memcpy(copy, row->data, row->size);
    uint8_t *exact = realloc(copy, row->size > 0 ? row->size : 1);
    status code =
        wire_unpack(&test__every__descriptor, (bytes){exact, row->size}, arena, &message, &error);
    assert_int_equal(code, row->is_accepted ? STATUS_OK : STATUS_INVALID_ARGUMENT);
    if (row->is_accepted) {
        assert_non_null(message);
    } else {
        assert_null(message);
        assert_true(error.text[0] != '\0');
    }
    free(exact);
    arena_free(arena);
}

/* Messages within messages: each level is one field 1 around the last. */
static size_t nest(uint8_t *buffer, unsigned levels)
{
    size_t size = 0;
    for (unsigned i = 0; i < levels; i++) {
        assert_true(size < 128);
        memmove(buffer + 2, buffer, size);
        buffer[0] = i + 1 == levels ? 0x52 : 0x0a; /* the outermost is Every.level */
        buffer[1] = (uint8_t)size;
        size += 2;
    }
    return size;
}

static status unpack(const uint8_t *data, size_t size, void **ret_message)
{
    struct arena *arena = arena_new(64 << 20);
    status code =
        wire_unpack(&test__every__descriptor, (bytes){data, size}, arena, ret_message, NULL);
    arena_free(arena);
    return code;
}

static void depth_has_a_limit(void **)
{
    uint8_t buffer[256];
    void *message = NULL;
    size_t size   = nest(buffer, WIRE_DEPTH_MAX - 1);
    assert_int_equal(unpack(buffer, size, &message), STATUS_OK);
    size = nest(buffer, WIRE_DEPTH_MAX);
    assert_int_equal(unpack(buffer, size, &message), STATUS_INVALID_ARGUMENT);
}

static void the_number_of_fields_has_a_limit(void **)
{
    size_t size     = 2 * (WIRE_FIELDS_MAX + 1);
    uint8_t *buffer = malloc(size);
    void *message   = NULL;
    for (size_t i = 0; i < size; i += 2) {
        buffer[i]     = 0x32; /* an empty Saying */
        buffer[i + 1] = 0;
    }
    assert_int_equal(unpack(buffer, size - 2, &message), STATUS_OK);
    assert_int_equal(unpack(buffer, size, &message), STATUS_INVALID_ARGUMENT);
    free(buffer);
}

/* 20,000 empty messages: 40 KB on the wire, 72 bytes each in memory. */
static void memory_has_a_limit(void **)
{
    size_t size         = 40'000;
    struct arena *arena = arena_new(64 << 20);
    struct arena *small = arena_new(1 << 10);
    uint8_t *buffer     = malloc(size);
    void *message       = NULL;
    for (size_t i = 0; i < size; i += 2) {
        buffer[i]     = 0x32;
        buffer[i + 1] = 0;
    }
    bytes data  = {buffer, size};
    status code = wire_unpack(&test__every__descriptor, data, arena, &message, NULL);
    size_t most = size * WIRE_MEMORY_FACTOR + WIRE_MEMORY_BASE + size / 2 * WIRE_MEMORY_PER_FIELD;
    assert_true(code == STATUS_OK || code == STATUS_INVALID_ARGUMENT);
    assert_true(arena_used(arena) <= most + most / 4); /* and what its allocations are aligned to */

    /* An arena that is full is a message that is refused. */
    assert_int_equal(wire_unpack(&test__every__descriptor, data, small, &message, NULL),
                     STATUS_INVALID_ARGUMENT);
    free(buffer);
    arena_free(arena);
    arena_free(small);
}

static void a_list_of_short_texts_is_accepted(void **)
{
    enum { TEXTS = 5'000 };
    Test__Every every  = TEST__EVERY__INIT;
    const char **texts = calloc(TEXTS, sizeof *texts);
    for (unsigned i = 0; i < TEXTS; i++) texts[i] = "0123456789";
    every.n_texts       = TEXTS;
    every.texts         = texts;
    size_t size         = test__every__get_packed_size(&every);
    uint8_t *buffer     = malloc(size);
    struct arena *arena = arena_new(64 << 20);
    void *message       = NULL;
    (void)test__every__pack(&every, buffer);
    assert_int_equal(
        wire_unpack(&test__every__descriptor, (bytes){buffer, size}, arena, &message, NULL),
        STATUS_OK);
    assert_int_equal(((const Test__Every *)message)->n_texts, TEXTS);
    free(texts);
    free(buffer);
    arena_free(arena);
}

/* Later ones are added to the lists and messages of those before, and take the place of the rest.
 */
static void what_is_said_twice_is_merged(void **)
{
    static const uint8_t data[] = "\x0a\x01"
                                  "a"
                                  "\x1a\x02\x01\x02"
                                  "\x2a\x03\x0a\x01"
                                  "x"
                                  "\x22\x01"
                                  "p"
                                  "\x32\x02\x18\x07"
                                  "\x22\x01"
                                  "q"
                                  "\x18\x03"
                                  "\x0a\x01"
                                  "b"
                                  "\x2a\x02\x18\x05"
                                  "\x1a\x01\x04"
                                  "\x5a\x01"
                                  "n"
                                  "\x60\x02";
    struct arena *arena         = arena_new(1 << 20);
    void *message               = NULL;
    assert_int_equal(wire_unpack(&test__every__descriptor, (bytes){data, sizeof data - 1}, arena,
                                 &message, NULL),
                     STATUS_OK);
    const Test__Every *every = message;
    assert_string_equal(every->text, "b");
    assert_int_equal(every->n_packed, 4);
    for (int i = 0; i < 4; i++) assert_int_equal(every->packed[i], i + 1);
    assert_string_equal(every->saying->text, "x");
    assert_int_equal(every->saying->number, 5);
    assert_int_equal(every->n_texts, 2);
    assert_string_equal(every->texts[1], "q");
    assert_int_equal(every->n_sayings, 1);
    assert_int_equal(every->choice_case, TEST__EVERY__CHOICE_OFFSET);
    assert_int_equal(every->offset, 1);
    arena_free(arena);
}

int main(void)
{
    struct CMUnitTest tests[5 + ARRAY_LEN(rows)] = {
        cmocka_unit_test(depth_has_a_limit),
        cmocka_unit_test(the_number_of_fields_has_a_limit),
        cmocka_unit_test(memory_has_a_limit),
        cmocka_unit_test(a_list_of_short_texts_is_accepted),
        cmocka_unit_test(what_is_said_twice_is_merged),
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        tests[5 + i] = row_test(rows[i].name, bytes_are_accepted_or_refused, &rows[i]);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
