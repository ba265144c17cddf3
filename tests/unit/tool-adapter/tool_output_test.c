/* What a call is given and gives: equal reads share an answer, an output is as it was promised, and
 * files that come along are measured and looked at. */
#include "desk.h"

#include "tool-adapter/files/file_arguments.h"

/* --- equal reads ------------------------------------------------------------------------------ */

static void test_who_waits_for_an_equal_read_has_a_time_of_its_own(void **)
{
    CLEANUP(desk_close) struct desk desk;
    struct caller callers[4];
    desk_open(&desk);
    static const int64_t times_ms[] = {CALL_MS, 1'000, CALL_MS, 2'000};
    for (size_t i = 0; i < ARRAY_LEN(callers); i++) {
        begin(&desk, &callers[i], &(struct beginning){.action = "rate", .total_ms = times_ms[i]});
    }
    pass_by(&desk, 1'500);
    assert_end(&callers[1], false, true);
    assert_int_equal(callers[0].ends + callers[2].ends + callers[3].ends, 0);
    answer(&desk, "web.rate", 200, "7");
    for (size_t i = 0; i < ARRAY_LEN(callers); i++) {
        assert_int_equal(callers[i].ends, 1);
        if (i != 1) assert_json(callers[i].value, "{\"body\":7}");
    }
    pass_by(&desk, 5'000); /* no time runs on */
    for (size_t i = 0; i < ARRAY_LEN(callers); i++) caller_done(&callers[i]);
}

static void test_a_stored_file_is_not_given_to_others(void **)
{
    CLEANUP(desk_close) struct desk desk;
    desk_open(&desk);
    const struct beginning plain  = {.action = "load", .params = "{}", .is_by_hand = true};
    const struct beginning stored = {
        .action = "load", .params = "{\"keep\":{}}", .is_by_hand = true};
    const struct beginning *const all[] = {&plain, &plain, &stored, &stored};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        CLEANUP(caller_done) struct caller caller;
        begin(&desk, &caller, all[i]);
        if (i != 1) answer(&desk, "web.load", 200, "1");
        assert_int_equal(caller.ends, 1);
        assert_json(caller.value, "{\"body\":1}");
    }
}

static void test_an_output_is_as_promised_or_none(void **)
{
    struct desk desk;
    struct caller caller;
    desk_open(&desk);
    begin(&desk, &caller, &(struct beginning){.action = "weigh"});
    answer(&desk, "web.weigh", 200, "7");
    assert_int_equal(caller.result.class, OUTCOME_OK);
    caller_done(&caller);
    begin(&desk, &caller, &(struct beginning){.action = "weigh"});
    answer(&desk, "web.weigh", 200, "\"seven\"");
    assert_end(&caller, false, true);
    assert_non_null(strstr(json_str(json_get_text(caller.value, "detail")).ptr, "output/grams"));
    caller_done(&caller);
    desk_close(&desk);
}

static const struct {
    const char *params;
    const char *why; /* NULL: it is taken */
} blobs[] = {
    {"{}", NULL},
    {"{\"body\":{\"file\":\"x\"}}", NULL}, /* looked at when it is there */
    {"{\"body\":\"a;b\"}", NULL},
    {"{\"body\":\"\"}", NULL},
    {"{\"body\":\"12345678901234567890\"}", NULL},
    {"{\"body\":\"123456789012345678901\"}", "/body: has 21 bytes, at most 20 are taken"},
    {"{\"body\":\"%PDF-1.4\\n\"}", "/body: is application/pdf, which is not taken"},
    {"{\"body\":{\"base64\":\"R0lGODlhAQABAIAAAA==\"}}", NULL},
    {"{\"body\":{\"base64\":\"R0lGODlhAQABAIAAAA==\",\"mime\":\"image/gif\"}}", NULL},
    {"{\"body\":{\"base64\":\"R0lGODlhAQABAIAAAA==\",\"mime\":\"image/png\"}}",
     "/body: the file is said to be image/png and looks like image/gif"},
    {"{\"body\":{\"base64\":\"R0lGODlhAQABAIAAAA==\",\"mime\":\"text/csv\"}}",
     "looks like image/gif"},
    {"{\"body\":{\"base64\":\"YTti\"}}", NULL},
    {"{\"body\":{\"base64\":\"YTti\",\"mime\":\"text/html\"}}",
     "/body: is text/html, which is not taken"},
    {"{\"body\":{\"base64\":\"AAECAwQF\"}}",
     "/body: is application/octet-stream, which is not taken"},
    {"{\"body\":{\"base64\":\"YTtiYTtiYTtiYTtiYTtiYTtiYTs=\"}}", NULL},
    {"{\"body\":{\"base64\":\"YTtiYTtiYTtiYTtiYTtiYTtiYTti\"}}", "/body: has 21 bytes"},
    {"{\"body\":{\"base64\":\"YTtiYTtiYTtiYTtiYTtiYTs\"}}", "/body/base64: is no base64"},
};

static void test_what_comes_along_is_measured_and_looked_at(void **)
{
    struct desk desk;
    struct caller caller;
    CLEANUP(media_types_freep) struct media_types *types = NULL;
    desk_open(&desk);
    const struct manifest_action *action = manifest_action(desk.manifest, str_from("stamp"));
    assert_int_equal(media_types_new(NULL, 0, &types, NULL), STATUS_OK);
    for (size_t i = 0; i < ARRAY_LEN(blobs); i++) {
        CLEANUP(json_unrefp) json params = parsed(blobs[i].params);
        struct error error               = {};
        status code                      = file_arguments_look(action, params, types, &error);
        bool is_refused                  = code == STATUS_INVALID_ARGUMENT;
        if (is_refused != (blobs[i].why != NULL) ||
            (is_refused && !strstr(error.text, blobs[i].why))) {
            fail_msg("%s: %s", blobs[i].params, error.text);
        }
    }
    begin(&desk, &caller, &(struct beginning){.action = "stamp", .params = blobs[5].params});
    assert_end(&caller, false, false);
    assert_type(&caller, "validation");
    caller_done(&caller);
    desk_close(&desk);
}

static void test_stored_files_in_a_list_are_measured_and_looked_at(void **)
{
    static const struct stored_file stored[] = {
        {.id = "A", .name = "a", .media_type = "text/csv", .data = {"a;b", 3}},
        {.id = "B", .name = "b", .media_type = "text/csv", .data = {"a;bc", 4}},
        {.id = "C", .name = "c", .media_type = "image/png", .data = {"x", 1}}};
    static const struct {
        const char *params, *why; /* NULL: it is taken */
    } rows[] = {
        {"{\"more\":[]}", NULL},
        {"{\"more\":[\"B\",1,{\"of\":7},{\"as\":\"B\"},{\"of\":\"A\"},{\"of\":\"A\"}]}", NULL},
        {"{\"more\":[{\"of\":\"A\"},{\"of\":\"B\"}]}",
         "`more`: the file `B` has 4 bytes, at most 3"},
        {"{\"more\":[{\"of\":\"C\"}]}", "`more`: the file `C` is image/png, which is not taken"},
        {"{\"deep\":{\"in\":[[],[\"A\",\"C\"],7,{\"of\":\"B\"}]},\"more\":{\"of\":\"B\"}}", NULL},
        {"{\"deep\":{\"in\":[[\"A\"],[\"A\",\"B\"]]}}",
         "`deep`: the file `B` has 4 bytes, at most 3"},
    };
    CLEANUP(desk_close) struct desk desk;
    CLEANUP(file_set_freep) struct file_set *files = file_set_of(stored, ARRAY_LEN(stored));
    desk_open(&desk);
    const struct manifest_action *action = manifest_action(desk.manifest, str_from("stamp"));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(json_unrefp) json params = parsed(rows[i].params);
        struct error error               = {};
        status code                      = file_arguments_fill(action, files, &params, &error);
        assert_int_equal(code, rows[i].why ? STATUS_INVALID_ARGUMENT : STATUS_OK);
        if (rows[i].why) assert_non_null(strstr(error.text, rows[i].why));
    }
}

static void test_stored_files_are_found_wherever_they_lie(void **)
{
    str ids[FILE_SET_MAX + 1];
    CLEANUP(desk_close) struct desk desk;
    CLEANUP(json_unrefp)
    json params =
        parsed("{\"body\":{\"file\":\"A\"},\"more\":[{\"of\":\"B\"},{\"of\":7},\"x\"],"
               "\"deep\":{\"in\":[[\"C\",\"D\"],\"x\",[\"E\"]],\"of\":\"x\"},\"x\":\"x\"}");
    desk_open(&desk);
    const struct manifest_action *action = manifest_action(desk.manifest, str_from("stamp"));
    assert_int_equal(file_arguments_find(action, params, ids), 5);
    for (size_t i = 0; i < 5; i++) {
        const char name[] = {(char)('A' + i), '\0'};
        assert_true(str_is(ids[i], name));
    }
    assert_int_equal(file_arguments_find(action, json_null(), ids), 0);
    CLEANUP(json_unrefp) json many = json_object_new(1);
    json list                      = json_array_new(2 * FILE_SET_MAX);
    for (size_t i = 0; i < 2 * (size_t)FILE_SET_MAX; i++) {
        json one = json_object_new(1);
        json_object_put_text(&one, "of", json_text_from("A"));
        json_array_push(&list, one);
    }
    json_object_put_text(&many, "more", list);
    assert_int_equal(file_arguments_find(action, many, ids), FILE_SET_MAX + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_waits_for_an_equal_read_has_a_time_of_its_own),
        cmocka_unit_test(test_a_stored_file_is_not_given_to_others),
        cmocka_unit_test(test_an_output_is_as_promised_or_none),
        cmocka_unit_test(test_what_comes_along_is_measured_and_looked_at),
        cmocka_unit_test(test_stored_files_are_found_wherever_they_lie),
        cmocka_unit_test(test_stored_files_in_a_list_are_measured_and_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
