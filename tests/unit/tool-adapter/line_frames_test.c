/* Lines of a program that speaks JSON-RPC: whatever the pieces, the messages are the same; what is
 * no message is passed over, and what breaks a limit ends it. */
#include "base/attr.h"
#include "tool-adapter/peers/line_frames.h"

#include "cmocka.h"

#include <string.h>

enum { SIZE_SMALL = 32 };

struct heard {
    int64_t ids; /* one digit each, in their order */
    uint64_t foreign;
    status code;
};

static struct heard hear(const char *text, size_t step)
{
    struct line_frames frames;
    struct heard heard = {};
    size_t len         = strlen(text);
    line_frames_init(&frames, SIZE_SMALL);
    for (size_t at = 0; at < len && heard.code == STATUS_OK; at += step) {
        size_t end = at + step < len ? at + step : len;
        line_frames_put(&frames, str_slice(str_from(text), at, end));
        for (;;) {
            CLEANUP(json_unrefp) json message = json_invalid();
            int64_t id                        = 0;
            heard.code                        = line_frames_next(&frames, &message, NULL);
            if (json_is(message, JSON_INVALID)) break;
            (void)json_to_int(json_get_text(message, "id"), &id);
            heard.ids = heard.ids * 10 + id;
        }
    }
    heard.foreign = frames.foreign;
    line_frames_done(&frames);
    return heard;
}

static void expect(const char *text, int64_t ids, uint64_t foreign, status code)
{
    for (size_t step = 1; step <= strlen(text); step++) {
        struct heard heard = hear(text, step);
        assert_int_equal(heard.ids, ids);
        assert_int_equal(heard.foreign, foreign);
        assert_int_equal(heard.code, code);
    }
}

static void pieces_of_any_size_make_the_same_messages(void **)
{
    expect("{\"id\":1}\n{\"id\":2,\"a\":[]}\r\n{\"id\":3}", 12, 0, STATUS_OK);
    expect("{\"id\":1}\n{\"id\":2,\"a\":[]}\r\n{\"id\":3}\n", 123, 0, STATUS_OK);
}

static void what_is_no_message_is_passed_over(void **)
{
    expect("Welcome!\n\n{\"id\":4}\n17\n\"a\"\n{\"id\":\n{\"id\":5}\n", 45, 5, STATUS_OK);
}

static void a_line_that_is_too_long_is_the_end(void **)
{
    expect("{\"id\":6}\n\"23456789012345678901234567890123\"\n{\"id\":7}\n", 6, 0,
           STATUS_RESOURCE_EXHAUSTED);
    expect("{\"id\":6}\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 6, 0,
           STATUS_RESOURCE_EXHAUSTED);
}

static void levels_have_a_limit(void **)
{
    struct line_frames frames;
    CLEANUP(json_unrefp) json message = json_invalid();
    line_frames_init(&frames, 1 << 10);
    for (int i = 0; i < 100; i++) line_frames_put(&frames, str_from("["));
    for (int i = 0; i < 100; i++) line_frames_put(&frames, str_from("]"));
    line_frames_put(&frames, str_from("\n"));
    assert_int_equal(line_frames_next(&frames, &message, NULL), STATUS_RESOURCE_EXHAUSTED);
    line_frames_done(&frames);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_of_any_size_make_the_same_messages),
        cmocka_unit_test(what_is_no_message_is_passed_over),
        cmocka_unit_test(a_line_that_is_too_long_is_the_end),
        cmocka_unit_test(levels_have_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
