/* Names of files: what is left of a client's, and how they are given back. */
#include "base/file_name.h"

#include "base/attr.h"
#include "base/utf8.h"
#include "cmocka.h"

#include <string.h>

static void headers_say_names(void **state)
{
    (void)state;
    static const struct {
        const char *header, *name;
    } rows[] = {
        {"attachment; filename=\"a b.txt\"", "a b.txt"},
        {"form-data; name=\"file\"; filename=a.txt", "a.txt"},
        {"attachment;FILENAME=\"a;b.txt\"; size=3", "a;b.txt"},
        {"attachment; filename=\"a\\\"b\"", "a\\\"b"},
        {"attachment; filename=\"open", "open"},
        {"attachment; filename=\"a\\", "a\\"},
        {"attachment; filename=\"\"", NULL},
        {"attachment; filename=", NULL},
        {"attachment; filename*=UTF-8''a", NULL},
        {"attachment; name=\"filename=x\"", NULL},
        {"filename", NULL},
        {";;==;\"", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        str name    = {};
        bool is_say = file_name_of_disposition(str_from(rows[i].header), &name);
        assert_int_equal(is_say, rows[i].name != NULL);
        if (rows[i].name) assert_true(str_is(name, rows[i].name));
    }
}

static void names_lose_what_is_no_name(void **state)
{
    (void)state;
    static const struct {
        const char *given, *name;
    } rows[] = {
        {"a.txt", "a.txt"},
        {"../../etc/passwd", "passwd"},
        {"C:\\x\\y.doc", "y.doc"},
        {"a\r\nb: c\x7f", "ab: c"},
        {"say \\\"hi\\\"", "say hi"},
        {"a\"b", "ab"},
        {"..", "file"},
        {"x/", "file"},
        {"", "file"},
        {"\xff", "file"},
        {"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},
        {"a  ", "a"},
    };
    char name[FILE_NAME_SIZE];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        file_name_clean(str_from(rows[i].given), name);
        assert_string_equal(name, rows[i].name);
    }
    /* Cut between characters. */
    char given[2 * FILE_NAME_SIZE];
    for (size_t i = 0; i < sizeof given; i += 2) memcpy(given + i, "\xc3\xbc", 2);
    file_name_clean((str){.ptr = given, .len = sizeof given}, name);
    assert_int_equal(strlen(name), FILE_NAME_SIZE - 2);
    assert_int_equal(utf8_valid_prefix(str_from(name)), strlen(name));
}

static void names_go_into_headers(void **state)
{
    (void)state;
    char header[4 * FILE_NAME_SIZE + 64];
    file_name_disposition(str_from("gr\xc3\xbc\xc3\x9f e.txt"), header, sizeof header);
    assert_string_equal(header, "attachment; filename=\"gr____ e.txt\"; "
                                "filename*=UTF-8''gr%C3%BC%C3%9F%20e.txt");
    char name[FILE_NAME_SIZE];
    memset(name, '%', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    file_name_disposition(str_from(name), header, sizeof header);
    assert_true(strlen(header) > 4 * strlen(name));
    for (size_t size = 64; size < sizeof header; size++) {
        file_name_disposition(str_from(name), header, size);
        assert_true(strlen(header) < size);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_say_names),
        cmocka_unit_test(names_lose_what_is_no_name),
        cmocka_unit_test(names_go_into_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
