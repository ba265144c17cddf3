#include "cmocka.h"
#include "rpc/frame.h"

enum { MESSAGE_SIZE = BATCH_HEADER_SIZE + 3 + 2 * FRAME_HEADER_SIZE + 4 + 6 };

/* Two frames: 4 bytes of body, 2 of metadata and 4 of body; 3 bytes of authentication. */
static void write_message(uint8_t message[static MESSAGE_SIZE])
{
    const struct batch_header header = {
        .class     = RPC_COMMIT,
        .count     = 2,
        .window    = 9,
        .sender    = UINT64_C(0x0102030405060708),
        .partition = 5,
        .auth_size = 3,
        .epoch     = 77,
    };
    const struct frame frames[] = {
        {.method = 0x0301, .deadline_ms = 5'000, .call_id = 41, .body = {"body", 4}},
        {.method   = 0x0302,
         .code     = 64,
         .flags    = 1,
         .call_id  = 42,
         .metadata = {"md", 2},
         .body     = {"body", 4}},
    };
    uint8_t *at = message;
    batch_header_encode(&header, at);
    at += BATCH_HEADER_SIZE;
    memcpy(at, "key", 3);
    at += 3;
    for (unsigned i = 0; i < 2; i++) {
        frame_header_encode(&frames[i], at);
        at += FRAME_HEADER_SIZE;
        if (frames[i].metadata.len > 0) memcpy(at, frames[i].metadata.ptr, frames[i].metadata.len);
        at += frames[i].metadata.len;
        memcpy(at, frames[i].body.ptr, frames[i].body.len);
        at += frames[i].body.len;
    }
    assert_ptr_equal(at, message + MESSAGE_SIZE);
}

static void what_was_written_is_read(void **)
{
    uint8_t message[MESSAGE_SIZE];
    struct batch_header header;
    struct frame frame;
    write_message(message);
    bytes data = {message, sizeof message};
    assert_int_equal(batch_header_decode(data, &header, NULL), STATUS_OK);
    assert_int_equal(header.class, RPC_COMMIT);
    assert_int_equal(header.count, 2);
    assert_int_equal(header.window, 9);
    assert_true(header.sender == UINT64_C(0x0102030405060708));
    assert_int_equal(header.partition, 5);
    assert_int_equal(header.epoch, 77);

    struct frame_reader reader = frame_reader_init(data, &header);
    assert_int_equal(frame_next(&reader, &frame, NULL), STATUS_OK);
    assert_int_equal(frame.method, 0x0301);
    assert_int_equal(frame.deadline_ms, 5'000);
    assert_int_equal(frame.call_id, 41);
    assert_int_equal(frame.metadata.len, 0);
    assert_memory_equal(frame.body.ptr, "body", 4);
    assert_int_equal(frame_next(&reader, &frame, NULL), STATUS_OK);
    assert_int_equal(frame.code, 64);
    assert_int_equal(frame.flags, 1);
    assert_memory_equal(frame.metadata.ptr, "md", 2);
    assert_int_equal(frame.body.len, 4);
    assert_int_equal(reader.left, 0);
}

/* The layout is a contract between releases, so some offsets are pinned. */
static void the_layout_is_the_documented_one(void **)
{
    uint8_t message[MESSAGE_SIZE];
    write_message(message);
    const uint8_t header[] = {0x54, 0x54, 1, 2, 0, 2, 0, 9,  1, 2, 3, 4, 5, 6, 7, 8,
                              0,    5,    0, 3, 0, 0, 0, 77, 0, 0, 0, 0, 0, 0, 0, 0};
    assert_memory_equal(message, header, sizeof header);
    const uint8_t frame[] = {0, 0, 0,    4,    0, 0, 3, 1, 0, 0, 0, 0,
                             0, 0, 0x13, 0x88, 0, 0, 0, 0, 0, 0, 0, 41};
    assert_memory_equal(message + BATCH_HEADER_SIZE + 3, frame, sizeof frame);
}

struct damage {
    const char *name;
    size_t offset;
    uint8_t value;
    status code; /* of the header; OK: a frame is refused */
};

static const struct damage damages[] = {
    {"magic", 0, 0x55, STATUS_INVALID_ARGUMENT},
    {"version", 2, 2, STATUS_FAILED_PRECONDITION},
    {"class 0", 3, 0, STATUS_INVALID_ARGUMENT},
    {"class 5", 3, 5, STATUS_INVALID_ARGUMENT},
    {"two frames of a class that is alone", 3, RPC_LONG, STATUS_INVALID_ARGUMENT},
    {"no frames", 5, 0, STATUS_INVALID_ARGUMENT},
    {"more frames than fit", 5, 4, STATUS_INVALID_ARGUMENT},
    {"1025 frames", 4, 4, STATUS_INVALID_ARGUMENT},
    {"authentication past the end", 18, 1, STATUS_INVALID_ARGUMENT},
    {"reserved", 31, 1, STATUS_INVALID_ARGUMENT},
    {"frame past the end", BATCH_HEADER_SIZE + 3 + 2, 1, STATUS_OK},
    {"frame longer by one", BATCH_HEADER_SIZE + 3 + 3, 5, STATUS_OK},
    {"last frame shorter by one", MESSAGE_SIZE - 6 - FRAME_HEADER_SIZE + 3, 5, STATUS_OK},
    {"metadata longer than its frame", BATCH_HEADER_SIZE + 3 + 5, 5, STATUS_OK},
};

static void damage_is_refused(void **state)
{
    const struct damage *row = *state;
    uint8_t message[MESSAGE_SIZE];
    struct batch_header header;
    struct error error = {};
    write_message(message);
    message[row->offset] = row->value;
    bytes data           = {message, sizeof message};
    assert_int_equal(batch_header_decode(data, &header, &error), row->code);
    if (row->code != STATUS_OK) return;
    struct frame_reader reader = frame_reader_init(data, &header);
    struct frame frame;
    status code = STATUS_OK;
    while (code == STATUS_OK && reader.left > 0) code = frame_next(&reader, &frame, &error);
    assert_int_equal(code, STATUS_INVALID_ARGUMENT);
}

static void every_cut_is_refused(void **)
{
    uint8_t message[MESSAGE_SIZE];
    write_message(message);
    for (size_t size = 0; size < MESSAGE_SIZE; size++) {
        bytes data = {message, size};
        struct batch_header header;
        status code = batch_header_decode(data, &header, NULL);
        if (code == STATUS_OK) {
            struct frame_reader reader = frame_reader_init(data, &header);
            struct frame frame;
            while (code == STATUS_OK && reader.left > 0) code = frame_next(&reader, &frame, NULL);
        }
        assert_int_equal(code, STATUS_INVALID_ARGUMENT);
    }
}

int main(void)
{
    struct CMUnitTest tests[3 + ARRAY_LEN(damages)] = {
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(the_layout_is_the_documented_one),
        cmocka_unit_test(every_cut_is_refused),
    };
    for (size_t i = 0; i < ARRAY_LEN(damages); i++) {
        tests[3 + i] = row_test(damages[i].name, damage_is_refused, &damages[i]);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
