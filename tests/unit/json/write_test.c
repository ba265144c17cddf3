/* The writer puts commas and quotes where they belong. */
#include "json/json_write.h"

#include "cmocka.h"

static void a_whole_answer(void **state)
{
    (void)state;
    static const char *const texts[] = {"a\"", ""};
    CLEANUP(buf_done) struct buf out = buf_init(1024);
    struct json_writer writer        = json_writer_init(&out);
    json_begin_object(&writer);
    json_put_text(&writer, "id", str_from("a\"b"));
    json_put_int(&writer, "count", -3);
    json_put_bool(&writer, "ok", true);
    json_put_time(&writer, "at", 0);
    json_put_raw(&writer, "raw", str_from("{\"x\":1}"));
    json_put_texts(&writer, "texts", texts, ARRAY_LEN(texts));
    json_put_texts(&writer, "none", NULL, 0);
    json_member_str(&writer, str_from("list\n"));
    json_begin_array(&writer);
    json_write_null(&writer);
    json_write_bool(&writer, false);
    json_begin_object(&writer);
    json_end_object(&writer);
    json_begin_array(&writer);
    json_end_array(&writer);
    json_write_value(&writer, json_real(0.5));
    json_write_raw(&writer, str_from("[]"));
    json_end_array(&writer);
    json_member(&writer, "last");
    json_write_time(&writer, 1'000);
    json_end_object(&writer);
    assert_false(out.is_full);
    assert_string_equal(out.ptr, "{\"id\":\"a\\\"b\",\"count\":-3,\"ok\":true,"
                                 "\"at\":\"1970-01-01T00:00:00.000Z\",\"raw\":{\"x\":1},\"texts\":["
                                 "\"a\\\"\",\"\"],\"none\":[],"
                                 "\"list\\n\":[null,false,{},[],0.5,[]],"
                                 "\"last\":\"1970-01-01T00:00:00.001Z\"}");
}

static void the_deepest_level_is_written(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf out = buf_init(1024);
    struct json_writer writer        = json_writer_init(&out);
    for (int i = 0; i < JSON_WRITER_DEPTH_MAX; i++) json_begin_array(&writer);
    json_write_int(&writer, 1);
    for (int i = 0; i < JSON_WRITER_DEPTH_MAX; i++) json_end_array(&writer);
    assert_int_equal(out.len, 2 * JSON_WRITER_DEPTH_MAX + 1);
}

static void a_full_buffer_shows_in_the_buffer(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf out = buf_init(5);
    struct json_writer writer        = json_writer_init(&out);
    json_begin_object(&writer);
    json_put_text(&writer, "id", str_from("x"));
    json_end_object(&writer);
    assert_true(out.is_full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_answer),
        cmocka_unit_test(the_deepest_level_is_written),
        cmocka_unit_test(a_full_buffer_shows_in_the_buffer),
    };
    return cmocka_run_group_tests_name("json writer", tests, NULL, NULL);
}
