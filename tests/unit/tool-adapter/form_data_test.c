/* Maps as forms: what the decoder of forms reads of them. */
#include "tool-adapter/http/form_data.h"

#include "cmocka.h"

#include "base/attr.h"
#include "http/multipart.h"
#include "json/json_text.h"

#include <string.h>

enum { TEXT_MAX = 1 << 16 };

static json parse(const char *text)
{
    json value = json_invalid();
    assert_int_equal(json_parse(str_from(text), NULL, &value, NULL, NULL), STATUS_OK);
    return value;
}

/* "name(file name)[type]data;" of each part. */
static void read_form(const char *type, str body, struct buf *out)
{
    CLEANUP(multipart_done) struct multipart form;
    enum multipart_step step = MULTIPART_MORE;
    assert_int_equal(multipart_init(&form, str_from(type), NULL), STATUS_OK);
    do {
        str data = {};
        step     = multipart_next(&form, &body, &data, NULL);
        if (step == MULTIPART_PART) {
            str file_name = form.part.file_name.ptr ? form.part.file_name : str_from("-");
            (void)buf_printf(out, "%s" STR_FMT "(" STR_FMT ")[" STR_FMT "]", out->len ? ";" : "",
                             STR_ARG(form.part.name), STR_ARG(file_name), STR_ARG(form.part.type));
        }
        (void)buf_put_str(out, data);
    } while (step == MULTIPART_PART || step == MULTIPART_DATA);
    assert_int_equal(multipart_finish(&form, NULL), STATUS_OK);
}

static void maps_are_forms(void **state)
{
    (void)state;
    static const struct {
        const char *map, *parts;
    } rows[] = {
        {"{}", ""},
        {"{\"a\":\"x\\r\\n--\",\"n\":1.5,\"no\":null,\"t\":true}",
         "a(-)[]x\r\n--;n(-)[]1.5;t(-)[]true"},
        {"{\"l\":[1,\"x\",null],\"e\":[]}", "l(-)[]1;l(-)[]x"},
        {"{\"m\":{\"k\":[1]},\"l\":[[2]]}",
         "m(-)[application/json]{\"k\":[1]};l(-)[application/json][2]"},
        {"{\"f\":{\"base64\":\"JVBERi0=\",\"name\":\"a\\\"\\r\\n.pdf\",\"mime\":\"application/"
         "pdf\","
         "\"size\":5}}",
         "f(a\"\r\n.pdf)[application/pdf]%PDF-"},
        {"{\"f\":[{\"base64\":\"\"},{\"base64\":\"eA==\"}]}",
         "f(f)[application/octet-stream];f(f)[application/octet-stream]x"},
        {"{\"f\":{\"base64\":\"eA==\",\"more\":1}}",
         "f(-)[application/json]{\"base64\":\"eA==\",\"more\":1}"},
        {"{\"a\\\"; filename=\\\"b\":1}", "a\"; filename=\"b(-)[]1"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(json_unrefp) json map     = parse(rows[i].map);
        CLEANUP(buf_done) struct buf body = buf_init(TEXT_MAX);
        CLEANUP(buf_done) struct buf seen = buf_init(TEXT_MAX);
        char type[FORM_DATA_TYPE_SIZE];
        assert_int_equal(form_data_write(map, NULL, &body, type, NULL), STATUS_OK);
        read_form(type, buf_str(&body), &seen);
        assert_string_equal(buf_str(&seen).ptr, rows[i].parts);
    }
}

static void stored_files_are_parts(void **state)
{
    (void)state;
    static const struct stored_file files[] = {
        {.id = "01A", .name = "a.pdf", .media_type = "application/pdf", .data = {"%PDF-", 5}},
        {.id = "01B", .name = "b\".bin", .media_type = "image/png", .data = {"\0\1", 2}}};
    CLEANUP(file_set_freep) struct file_set *set = file_set_of(files, ARRAY_LEN(files));
    CLEANUP(json_unrefp)
    json map = parse(
        "{\"f\":{\"file\":\"01A\",\"size\":5,\"sha256\":\"00\"},\"l\":[1,{\"file\":\"01B\"},"
        "{\"file\":\"01B\",\"name\":\"c\",\"mime\":\"a/b\"}],\"m\":{\"file\":\"01A\",\"x\":1},"
        "\"n\":{\"file\":1}}");
    CLEANUP(buf_done) struct buf body = buf_init(TEXT_MAX);
    CLEANUP(buf_done) struct buf seen = buf_init(TEXT_MAX);
    char type[FORM_DATA_TYPE_SIZE];
    str ids[FILE_SET_MAX + 1];
    assert_int_equal(form_data_files(map, ids), 3);
    assert_true(str_is(ids[0], "01A") && str_is(ids[1], "01B") && str_is(ids[2], "01B"));
    assert_int_equal(form_data_write(map, set, &body, type, NULL), STATUS_OK);
    read_form(type, buf_str(&body), &seen);
    static const char expected[] =
        "f(a.pdf)[application/pdf]%PDF-;l(-)[]1;l(b\".bin)[image/png]\0\1;l(c)[a/b]\0\1;"
        "m(-)[application/json]{\"file\":\"01A\",\"x\":1};n(-)[application/json]{\"file\":1}";
    assert_int_equal(seen.len, sizeof expected - 1);
    assert_memory_equal(seen.ptr, expected, seen.len);
    json_unref(map);
    map = parse("{\"l\":[]}");
    for (int i = 0; i < 100; i++) {
        json list = json_ref(json_get_text(map, "l"));
        json_array_push(&list, parse("{\"file\":\"01A\"}"));
        json_object_put_text(&map, "l", list);
    }
    assert_int_equal(form_data_files(map, ids), FILE_SET_MAX + 1);
}

static void no_two_boundaries_are_the_same(void **state)
{
    (void)state;
    CLEANUP(json_unrefp) json map     = parse("{}");
    CLEANUP(buf_done) struct buf body = buf_init(TEXT_MAX);
    char types[2][FORM_DATA_TYPE_SIZE];
    for (int i = 0; i < 2; i++) {
        assert_int_equal(form_data_write(map, NULL, &body, types[i], NULL), STATUS_OK);
    }
    assert_string_not_equal(types[0], types[1]);
}

static void what_is_wrong_is_said(void **state)
{
    (void)state;
    static const struct {
        const char *map, *wrong;
        size_t len_max;
    } rows[] = {
        {"{\"f\":{\"base64\":\"!\"}}", "/body/f: `base64` is none", TEXT_MAX},
        {"{\"f\":{\"base64\":\"\",\"mime\":\"a\\r\\nX: y\"}}", "/body/f: `mime` is no media type",
         TEXT_MAX},
        {"{\"f\":{\"base64\":\"\",\"mime\":\"\"}}", "/body/f: `mime` is no media type", TEXT_MAX},
        {"{\"f\":{\"file\":\"gone\"}}", "/body/f: `file` is no stored file that was read",
         TEXT_MAX},
        {"{\"a\":\"x\"}", "/body: the form is too large", 100},
        {"{\"a\":{\"base64\":\"eHh4eHh4eHh4\"}}", "/body: the form is too large", 150},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(json_unrefp) json map     = parse(rows[i].map);
        CLEANUP(buf_done) struct buf body = buf_init(rows[i].len_max);
        struct error error                = {};
        char type[FORM_DATA_TYPE_SIZE];
        assert_int_not_equal(form_data_write(map, NULL, &body, type, &error), STATUS_OK);
        assert_string_equal(error.text, rows[i].wrong);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maps_are_forms),
        cmocka_unit_test(stored_files_are_parts),
        cmocka_unit_test(no_two_boundaries_are_the_same),
        cmocka_unit_test(what_is_wrong_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
