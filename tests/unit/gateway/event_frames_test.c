#include "cmocka.h"

#include "gateway/events/event_frames.h"

#include <string.h>

struct row {
    const char *name, *text;
    bool is_valid;
    uint64_t value;
};

static const struct row positions[] = {
    {"zero", "0", true, 0},
    {"a number", "42", true, 42},
    {"with a place in a stream", "42~job:7,other:9", true, 42},
    {"19 digits", "9999999999999999999", true, 9'999'999'999'999'999'999U},
    {"20 digits", "10000000000000000000", false, 0},
    {"nothing", "", false, 0},
    {"nothing before the place", "~7", false, 0},
    {"a sign", "-1", false, 0},
    {"a blank", " 1", false, 0},
    {"a word", "last", false, 0},
};

static void position(void **state)
{
    const struct row *row = *state;
    uint64_t value        = 77;
    assert_int_equal(event_position_parse(str_from(row->text), &value), row->is_valid);
    assert_true(value == (row->is_valid ? row->value : 77));
}

static const struct row group_lists[] = {
    {"one", "run", true, 1},
    {"two", "run,task", true, 3},
    {"signals are events too", "signal", true, 1U << 4 | 1U << 5},
    {"twice", "run,run", true, 1},
    {"all", "run,task,job,approval,signal,child,compensation,progress,output", true,
     EVENT_GROUPS_ALL},
    {"nothing", "", false, 0},
    {"a comma more", "run,", false, 0},
    {"a blank", "run, task", false, 0},
    {"a word", "runs", false, 0},
};

static void group_list(void **state)
{
    const struct row *row = *state;
    unsigned value        = 0;
    assert_int_equal(event_groups_parse(str_from(row->text), &value), row->is_valid);
    if (row->is_valid) assert_int_equal(value, row->value);
}

static void types_belong_to_groups(void **)
{
    unsigned task = 0;
    assert_true(event_groups_parse(str_from("task,signal"), &task));
    assert_true(event_is_wanted(task, "task.completed"));
    assert_true(event_is_wanted(task, "event.received"));
    assert_false(event_is_wanted(task, "run.started"));
    assert_false(event_is_wanted(task, "progress"));
    assert_true(event_is_wanted(task, "of.a.newer.release"));
    assert_true(event_is_wanted(EVENT_GROUPS_ALL, "run.started"));
}

static void a_frame_is_one_event_on_one_line(void **)
{
    static const char data[] = "{\"text\":\"a\\nb\"}";
    Pb__HistoryEvent event   = PB__HISTORY_EVENT__INIT;
    event.sequence           = 7;
    event.time_us            = 1'700'000'000'000'000;
    event.type               = "task.completed";
    event.task               = "/do/0/a\nb";
    event.attempt            = 2;
    event.data_json          = (ProtobufCBinaryData){sizeof data - 1, (uint8_t *)(uintptr_t)data};
    CLEANUP(buf_done) struct buf text = buf_init(4096);
    event_frame_print(&event, &text);
    (void)buf_put_byte(&text, '\0');
    assert_string_equal(text.ptr,
                        "id: 7\nevent: task.completed\ndata: {\"sequence\":7,"
                        "\"time\":\"2023-11-14T22:13:20.000Z\",\"type\":\"task.completed\","
                        "\"task\":\"/do/0/a\\nb\",\"attempt\":2,"
                        "\"data\":{\"text\":\"a\\nb\"}}\n\n");
}

static void progress_has_no_id(void **)
{
    CLEANUP(buf_done) struct buf text = buf_init(4096);
    event_frame_progress(125, "draft", &text);
    (void)buf_put_byte(&text, '\0');
    assert_string_equal(text.ptr,
                        "event: progress\ndata: {\"percent\":12.5,\"phase\":\"draft\"}\n\n");
}

int main(void)
{
    struct CMUnitTest rows[ARRAY_LEN(positions) + ARRAY_LEN(group_lists)];
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_LEN(positions); i++) {
        rows[count++] = row_test(positions[i].name, position, &positions[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(group_lists); i++) {
        rows[count++] = row_test(group_lists[i].name, group_list, &group_lists[i]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_belong_to_groups),
        cmocka_unit_test(a_frame_is_one_event_on_one_line),
        cmocka_unit_test(progress_has_no_id),
    };
    return cmocka_run_group_tests_name("texts", rows, NULL, NULL) +
           cmocka_run_group_tests_name("event_frames", tests, NULL, NULL);
}
