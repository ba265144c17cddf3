/* Files in forms, and what is no such form. */
#include "gateway/api/file_form.h"

#include "cmocka.h"

#include <string.h>

#define TYPE        "multipart/form-data; boundary=xy"
#define FIELD(name) "--xy\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n"
#define FILE_PART                                                                                  \
    "--xy\r\nContent-Disposition: form-data; name=\"file\"; filename=\"../a%22.pdf\"\r\n"          \
    "Content-Type: application/pdf\r\n\r\n%PDF\r\n--x\r\n"
#define END        "--xy--\r\n"
#define BODY(text) text, sizeof(text) - 1

static void a_file_and_what_is_said_of_it(void **state)
{
    (void)state;
    CLEANUP(arena_freep) struct arena *arena = arena_new(1 << 16);
    struct file_form form                    = {};
    str body = str_from(FIELD("subject") "ann\r\n" FILE_PART FIELD("expires_in") "30d\r\n" END);
    assert_int_equal(file_form_read(str_from(TYPE), body, arena, &form, NULL), STATUS_OK);
    assert_true(str_is(form.data, "%PDF\r\n--x"));
    assert_ptr_equal(form.data.ptr, strstr(body.ptr, "%PDF"));
    assert_true(str_is(form.type, "application/pdf"));
    assert_true(str_is(form.file_name, "../a\".pdf"));
    assert_true(str_is(form.subject, "ann"));
    assert_true(str_is(form.expires_in, "30d"));
    assert_null(form.name.ptr);

    body = str_from(FIELD("file") "\r\n" FIELD("name") "\r\n" END);
    assert_int_equal(file_form_read(str_from(TYPE), body, arena, &form, NULL), STATUS_OK);
    assert_true(form.data.ptr && form.data.len == 0);
    assert_true(form.name.ptr && form.name.len == 0);
    assert_true(form.type.len == 0 && !form.file_name.ptr && !form.subject.ptr);
}

static void what_is_wrong_is_said(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        size_t len;
        const char *wrong;
    } rows[] = {
        {BODY(END), "the form has no part with the name `file`"},
        {BODY(FIELD("name") "a\r\n" END), "the form has no part with the name `file`"},
        {BODY(FILE_PART FILE_PART END), "part 2 of the form: a second `file`"},
        {BODY(FIELD("file") "\r\n" FILE_PART END), "part 2 of the form: a second `file`"},
        {BODY(FIELD("name") "\r\n" FIELD("name") "a\r\n" END),
         "part 2 of the form: a second `name`"},
        {BODY(FILE_PART FIELD("Subject") "ann\r\n" END),
         "part 2 of the form: its name is none of file, name, subject and expires_in"},
        {BODY(FILE_PART FIELD("name") "a\0b\r\n" END), "name: not UTF-8, or a NUL in it"},
        {BODY(FILE_PART FIELD("subject") "\xff\r\n" END), "subject: not UTF-8, or a NUL in it"},
        {BODY(FILE_PART), "part 1 of the form: the body breaks off; --boundary-- ends it"},
        {BODY("--xy\r\n\r\n"), "part 1 of the form: it has no Content-Disposition"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(arena_freep) struct arena *arena = arena_new(1 << 16);
        struct file_form form                    = {};
        struct error error                       = {};
        str body                                 = {.ptr = rows[i].body, .len = rows[i].len};
        assert_int_equal(file_form_read(str_from(TYPE), body, arena, &form, &error),
                         STATUS_INVALID_ARGUMENT);
        assert_string_equal(error.text, rows[i].wrong);
    }
}

static void fields_are_short(void **state)
{
    (void)state;
    for (size_t over = 0; over < 2; over++) {
        char value[FILE_FORM_FIELD_MAX + 2];
        memset(value, 'x', sizeof value);
        value[FILE_FORM_FIELD_MAX + over]        = '\0';
        CLEANUP(arena_freep) struct arena *arena = arena_new(1 << 16);
        struct file_form form                    = {};
        struct error error                       = {};
        const char *body =
            arena_printf(arena, "%s" FIELD("%s") "%s\r\n" END, FILE_PART, "name", value);
        assert_non_null(body);
        status code = file_form_read(str_from(TYPE), str_from(body), arena, &form, &error);
        assert_int_equal(code, over ? STATUS_INVALID_ARGUMENT : STATUS_OK);
        assert_string_equal(error.text, over ? "name: up to 1000 bytes" : "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_and_what_is_said_of_it),
        cmocka_unit_test(what_is_wrong_is_said),
        cmocka_unit_test(fields_are_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
