/* Frames of a browser's pipe: whatever the pieces, the messages are the same; what is too long is
 * left out, what is no message is said. */
#include "base/attr.h"
#include "base/mem.h"
#include "tool-adapter/browser/pipe_frames.h"

#include "cmocka.h"

#include <stdlib.h>

enum { SIZE_SMALL = 32 };

static int64_t id_of(json message)
{
    int64_t id = -1;
    (void)json_to_int(json_get_text(message, "id"), &id);
    return id;
}

static void pieces_of_any_size_make_the_same_messages(void **)
{
    static const char text[] = "{\"id\":1}\0{\"id\":2,\"a\":[]}\0{\"id\":3}";
    for (size_t step = 1; step <= sizeof text; step++) {
        struct pipe_frames frames;
        int64_t count = 0;
        pipe_frames_init(&frames, FRAME_SIZE_MAX);
        for (size_t at = 0; at < sizeof text; at += step) {
            pipe_frames_put(&frames,
                            str_slice((str){.ptr = text, .len = sizeof text}, at, at + step));
            for (;;) {
                CLEANUP(json_unrefp) json message = json_invalid();
                assert_int_equal(pipe_frames_next(&frames, &message, NULL), STATUS_OK);
                if (json_is(message, JSON_INVALID)) break;
                assert_int_equal(id_of(message), ++count);
            }
        }
        assert_int_equal(count, 3);
        pipe_frames_done(&frames);
    }
}

static void what_is_too_long_is_left_out(void **)
{
    for (size_t size = SIZE_SMALL - 2; size <= SIZE_SMALL + 40; size++) {
        CLEANUP(json_unrefp) json message = json_invalid();
        CLEANUP(buf_done) struct buf text = buf_init(1'000);
        struct pipe_frames frames;
        pipe_frames_init(&frames, SIZE_SMALL);
        (void)buf_put_text(&text, "{\"id\":7,\"a\":\"");
        while (text.len < size - 2) (void)buf_put_byte(&text, 'x');
        (void)buf_put(&text, "\"}\0{\"id\":8}\0", 12);
        for (size_t at = 0; at < text.len; at++) {
            pipe_frames_put(&frames, str_slice(buf_str(&text), at, at + 1));
            if (!json_is(message, JSON_INVALID)) continue;
            assert_int_equal(pipe_frames_next(&frames, &message, NULL), STATUS_OK);
        }
        assert_int_equal(id_of(message), size <= SIZE_SMALL ? 7 : 8);
        assert_int_equal(frames.skipped, size <= SIZE_SMALL ? 0 : 1);
        assert_true(frames.bytes.len <= 2 * text.len);
        pipe_frames_done(&frames);
    }
}

static void what_is_too_deep_is_left_out(void **)
{
    CLEANUP(json_unrefp) json message = json_invalid();
    CLEANUP(buf_done) struct buf text = buf_init(1'000);
    struct pipe_frames frames;
    pipe_frames_init(&frames, FRAME_SIZE_MAX);
    (void)buf_put_text(&text, "{\"a\":");
    for (int i = 0; i < FRAME_DEPTH_MAX; i++) (void)buf_put_byte(&text, '[');
    for (int i = 0; i < FRAME_DEPTH_MAX; i++) (void)buf_put_byte(&text, ']');
    (void)buf_put(&text, "}\0{\"id\":8}\0", 11);
    pipe_frames_put(&frames, buf_str(&text));
    assert_int_equal(pipe_frames_next(&frames, &message, NULL), STATUS_OK);
    assert_int_equal(id_of(message), 8);
    pipe_frames_done(&frames);
}

static void what_is_no_message_is_said(void **)
{
    static const char *const texts[] = {"", "nonsense", "[]", "1", "{\"id\":1", "{\"id\":1}{}"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct error error = {};
        json message       = json_invalid();
        struct pipe_frames frames;
        pipe_frames_init(&frames, FRAME_SIZE_MAX);
        pipe_frames_put(&frames, (str){.ptr = texts[i], .len = strlen(texts[i]) + 1});
        assert_int_equal(pipe_frames_next(&frames, &message, &error), STATUS_INVALID_ARGUMENT);
        assert_non_null(strstr(error.text, "no message"));
        pipe_frames_done(&frames);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_of_any_size_make_the_same_messages),
        cmocka_unit_test(what_is_too_long_is_left_out),
        cmocka_unit_test(what_is_too_deep_is_left_out),
        cmocka_unit_test(what_is_no_message_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
