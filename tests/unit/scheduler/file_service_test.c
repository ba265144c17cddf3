/* Stored files through the services: in pieces, as a whole or not at all, and gone without a rest.
 */
#include "cmocka.h"
#include "support/scheduler/rig_rows.h"

#include "base/clock.h"
#include "base/hash.h"
#include "file.pb-c.h"
#include "scheduler/tables/file_store.h"

#include <stdlib.h>
#include <string.h>

enum { SIZE = 2 * FILE_PIECE_SIZE + 100 };

static uint8_t byte_at(size_t at)
{
    return (uint8_t)(at * 7 + at / FILE_ROW_SIZE);
}

static const void *ask(struct rig *rig, const char *method, const void *message, status expected)
{
    const struct question question = {.service   = &pb__files__descriptor,
                                      .method    = method,
                                      .message   = message,
                                      .namespace = "acme",
                                      .expected  = expected};
    return rig_ask(rig, &question);
}

/* Begins a file of SIZE; the bytes of its first piece are those of `content`. */
static const Pb__StoredFile *begin(struct rig *rig, uint8_t *content, int64_t size,
                                   int64_t expires_us, status expected)
{
    static uint8_t digest[SHA256_SIZE];
    Pb__StoredFile file   = PB__STORED_FILE__INIT;
    Pb__BeginFile message = PB__BEGIN_FILE__INIT;
    file.name             = "a.pdf";
    file.media_type       = "application/pdf";
    file.subject          = "ann";
    file.size             = size;
    file.expires_us       = expires_us;
    file.sha256           = (ProtobufCBinaryData){.data = digest, .len = sizeof digest};
    message.file          = &file;
    message.data.data     = content;
    message.data.len      = size < 0 ? 0 : size < FILE_PIECE_SIZE ? (size_t)size : FILE_PIECE_SIZE;
    return ask(rig, "Begin", &message, expected);
}

static const Pb__StoredFile *append(struct rig *rig, const char *id, uint32_t number,
                                    const uint8_t *content, size_t len, status expected)
{
    Pb__AppendFile message = PB__APPEND_FILE__INIT;
    message.id             = id;
    message.number         = number;
    message.data = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)content, .len = len};
    return ask(rig, "Append", &message, expected);
}

static size_t listed(struct rig *rig, const char *subject)
{
    Pb__ListFiles message = PB__LIST_FILES__INIT;
    message.subject       = subject;
    return ((const Pb__FileList *)ask(rig, "List", &message, STATUS_OK))->n_files;
}

/* Until none of the tables has a row: what goes goes in the turns that follow. */
static void wait_until_nothing_is_left(struct rig *rig)
{
    static const enum table tables[] = {TABLE_FILES, TABLE_FILE_PIECES, TABLE_FILE_DUE};
    uint64_t left                    = 1;
    while (left > 0) {
        left = 0;
        for (size_t i = 0; i < ARRAY_LEN(tables); i++) left += rig_count_rows(rig, tables[i]);
        if (left > 0) rig_pause();
    }
}

static void comes_in_pieces_and_goes_as_a_whole(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, true);
    uint8_t *content = malloc(SIZE);
    for (size_t i = 0; i < SIZE; i++) content[i] = byte_at(i);
    Pb__FileAt at   = PB__FILE_AT__INIT;
    const char *id  = begin(&rig, content, SIZE, 0, STATUS_OK)->id;
    at.id           = id;
    uint8_t *second = content + FILE_PIECE_SIZE;
    uint8_t *third  = content + 2 * FILE_PIECE_SIZE;

    /* In their order and of their size; what is there already may come again. */
    (void)append(&rig, id, 2, third, 100, STATUS_INVALID_ARGUMENT);
    (void)append(&rig, id, 1, second, 100, STATUS_INVALID_ARGUMENT);
    assert_int_equal(append(&rig, id, 1, second, FILE_PIECE_SIZE, STATUS_OK)->pieces, 2);
    assert_int_equal(append(&rig, id, 1, second, FILE_PIECE_SIZE, STATUS_OK)->pieces, 2);
    assert_int_equal(append(&rig, id, 0, content, FILE_PIECE_SIZE, STATUS_OK)->pieces, 2);
    (void)ask(&rig, "Get", &at, STATUS_NOT_FOUND);
    assert_int_equal(listed(&rig, ""), 0);
    rig_restart(&rig);
    assert_int_equal(append(&rig, id, 2, third, 100, STATUS_OK)->pieces, 3);
    (void)append(&rig, id, 3, third, 100, STATUS_INVALID_ARGUMENT);

    assert_string_equal(((const Pb__StoredFile *)ask(&rig, "Get", &at, STATUS_OK))->name, "a.pdf");
    assert_int_equal(listed(&rig, "ann"), 1);
    assert_int_equal(listed(&rig, "bob"), 0);
    Pb__ReadFile read = PB__READ_FILE__INIT;
    read.id           = id;
    for (read.number = 0; read.number < 3; read.number++) {
        const Pb__FilePiece *piece = ask(&rig, "Read", &read, STATUS_OK);
        size_t from                = (size_t)read.number * FILE_PIECE_SIZE;
        assert_int_equal(piece->data.len, read.number < 2 ? FILE_PIECE_SIZE : 100);
        assert_memory_equal(piece->data.data, content + from, piece->data.len);
    }
    (void)ask(&rig, "Read", &read, STATUS_INVALID_ARGUMENT);

    (void)ask(&rig, "Delete", &at, STATUS_OK);
    (void)ask(&rig, "Delete", &at, STATUS_NOT_FOUND);
    (void)ask(&rig, "Get", &at, STATUS_NOT_FOUND);
    (void)append(&rig, id, 2, third, 100, STATUS_NOT_FOUND);
    wait_until_nothing_is_left(&rig);
    free(content);
    rig_done(&rig);
}

static void expires(void **)
{
    struct rig rig    = {};
    uint8_t content[] = "words";
    Pb__FileAt at     = PB__FILE_AT__INIT;
    rig_init(&rig, 1, false);
    at.id = begin(&rig, content, sizeof content, 1, STATUS_OK)->id; /* long ago */
    (void)ask(&rig, "Get", &at, STATUS_NOT_FOUND);
    wait_until_nothing_is_left(&rig);
    at.id = begin(&rig, content, sizeof content, clock_unix_us() + 3'600'000'000, STATUS_OK)->id;
    (void)ask(&rig, "Get", &at, STATUS_OK);
    rig_done(&rig);
}

static void refuses(void **)
{
    struct rig rig    = {};
    uint8_t content[] = "words";
    Pb__FileAt at     = PB__FILE_AT__INIT;
    rig_init(&rig, 1, false);
    (void)begin(&rig, content, 0, 0, STATUS_INVALID_ARGUMENT);
    (void)begin(&rig, content, -1, 0, STATUS_INVALID_ARGUMENT);
    at.id = "no id";
    (void)ask(&rig, "Get", &at, STATUS_NOT_FOUND);
    (void)ask(&rig, "Delete", &at, STATUS_NOT_FOUND);
    Pb__BeginFile message = PB__BEGIN_FILE__INIT;
    (void)ask(&rig, "Begin", &message, STATUS_INVALID_ARGUMENT);
    rig_done(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_in_pieces_and_goes_as_a_whole),
        cmocka_unit_test(expires),
        cmocka_unit_test(refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
